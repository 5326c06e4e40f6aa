package saying

import "muniment/internal/archive"

// kinds are what holds are for, in words.
var kinds = map[archive.HoldKind]string{
	archive.FOI:                "a request for information (FOI)",
	archive.EIR:                "a request for environmental information (EIR)",
	archive.SAR:                "somebody’s request for their own data (SAR)",
	archive.InternalReview:     "an internal review",
	archive.RegulatorComplaint: "a complaint to the regulator",
	archive.Tribunal:           "a tribunal",
	archive.Dispute:            "a dispute",
	archive.PolicyBreach:       "a breach of the policy",
	archive.DataBreach:         "a data breach",
	archive.Litigation:         "a legal claim",
	archive.Insurance:          "a matter of insurance",
	archive.Police:             "an investigation by the police",
	archive.Inquiry:            "an inquiry",
	archive.Other:              "another reason",
}

// HoldKind says what a hold is for: "a dispute".
func HoldKind(k archive.HoldKind) string { return kinds[k] }

// HoldFor says what a hold is for, with its case; empty of one for another reason and no
// case, which tells nothing.
func HoldFor(h archive.Hold) string {
	switch {
	case h.Case == "" && h.Kind == archive.Other:
		return ""
	case h.Case == "":
		return HoldKind(h.Kind)
	}
	return HoldKind(h.Kind) + ", " + OneLine(h.Case)
}

// HoldLaw is what stands beside a hold of that kind wherever it is shown (REQUIREMENTS.md,
// 4.4); empty where no Act says so.
func HoldLaw(k archive.HoldKind) string {
	const requested = "This information has been requested. Altering, hiding or destroying it to prevent disclosure is a criminal offence "
	switch k {
	case archive.FOI:
		return requested + "(Freedom of Information Act 2000, section 77)."
	case archive.EIR:
		return requested + "(Environmental Information Regulations 2004, regulation 19)."
	case archive.SAR:
		return requested + "(Data Protection Act 2018, section 173)."
	}
	return ""
}
