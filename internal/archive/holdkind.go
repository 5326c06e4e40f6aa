package archive

import (
	"fmt"
	"slices"
	"strings"
)

// HoldKind says what a hold is placed for.
type HoldKind string

// The kinds of holds (C9).
const (
	FOI                HoldKind = "foi" // a request under the Freedom of Information Act
	EIR                HoldKind = "eir" // or the Environmental Information Regulations
	SAR                HoldKind = "sar" // somebody's request for his own data
	InternalReview     HoldKind = "internal review"
	RegulatorComplaint HoldKind = "regulator complaint"
	Tribunal           HoldKind = "tribunal"
	Dispute            HoldKind = "dispute"
	PolicyBreach       HoldKind = "policy breach"
	DataBreach         HoldKind = "data breach"
	Litigation         HoldKind = "litigation"
	Insurance          HoldKind = "insurance"
	Police             HoldKind = "police"
	Inquiry            HoldKind = "inquiry"
	Other              HoldKind = "other"
)

// HoldKinds are all kinds, in the order in which a reader is told of them.
var HoldKinds = []HoldKind{FOI, EIR, SAR, InternalReview, RegulatorComplaint, Tribunal, Dispute, PolicyBreach, DataBreach,
	Litigation, Insurance, Police, Inquiry, Other}

// ParseHoldKind reads a kind as people type it: in any case, words parted by a space or
// a hyphen.
func ParseHoldKind(s string) (HoldKind, error) {
	k := HoldKind(strings.ToLower(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '-' || r == '_' }), " ")))
	if slices.Contains(HoldKinds, k) {
		return k, nil
	}
	var known []string
	for _, k := range HoldKinds {
		known = append(known, k.Typed())
	}
	last := len(known) - 1
	return "", fmt.Errorf("%q is no kind of hold; there is %s and %s", s, strings.Join(known[:last], ", "), known[last])
}

// Typed is k as it is typed on a command line.
func (k HoldKind) Typed() string { return strings.ReplaceAll(string(k), " ", "-") }
