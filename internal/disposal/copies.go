package disposal

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"muniment/internal/archive"
	"muniment/internal/forward"
	"muniment/internal/ledger"
	"muniment/internal/mail"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// EmailedCopy is an email that holds destroyed records. It lies in the council's
// mailboxes, where this program cannot reach it.
type EmailedCopy struct {
	Conversation int64          `json:"conversation"`         // as in its subject
	Part         int            `json:"part,omitempty"`       // of a long one, from 2
	Correction   bool           `json:"correction,omitempty"` // of that conversation
	Note         bool           `json:"note,omitempty"`       // that the marks on it were taken back
	Digest       retention.Date `json:"digest,omitempty"`     // of a digest, which may show the records: the Sunday of its week, its day, or the day of the meeting
	Edition      string         `json:"edition,omitempty"`    // of a digest that is not of a week: daily, meeting
	MessageID    string         `json:"message_id"`
	SentAt       time.Time      `json:"handed_over_at"`
	Records      int            `json:"records_destroyed"` // of those in it
	Uncertain    bool           `json:"may_not_have_arrived,omitempty"`
}

// reached returns when the last who has an email was given it. Where nobody certainly has
// it, that is when somebody may have been: the mail server was given it, and its answer was
// lost. Zero: nobody was.
func reached(it mail.Item) (at time.Time, certain bool) {
	for _, r := range it.Recipients {
		switch {
		case r.State == mail.HandedOver:
			if !certain || r.FinishedAt.After(at) {
				at, certain = r.FinishedAt, true
			}
		case !certain && (r.MayHaveIt || r.State == mail.Unknown) && r.LastAttempt.After(at):
			at = r.LastAttempt
		}
	}
	return at, certain
}

// emailWith is an email that may have been handed over with destroyed records in it.
type emailWith struct {
	forward.Email
	records int
}

// emailsWith returns the emails with any of the stubs' records in them.
func emailsWith(tx *sqlite.Tx, stubs []archive.Stub) (all []emailWith, err error) {
	place := make(map[forward.Email]int)
	for _, s := range stubs {
		emails, err := forward.EmailedWith(tx, s.Seq)
		if err != nil {
			return nil, err
		}
		for _, e := range emails {
			at, known := place[e]
			if !known {
				at, place[e] = len(all), len(all)
				all = append(all, emailWith{Email: e})
			}
			all[at].records++
		}
	}
	return all, nil
}

// emailedCopies returns those of the emails that were handed over.
func emailedCopies(tx *sqlite.Tx, emails []emailWith) ([]EmailedCopy, error) {
	copies := []EmailedCopy{} // in JSON, none is a list too
	for _, e := range emails {
		it, err := mail.FindPart(tx, e.Kind, e.About, e.Part)
		if err != nil {
			return nil, err
		}
		at, certain := reached(it)
		if at.IsZero() {
			continue
		}
		of := EmailedCopy{Conversation: e.About, MessageID: it.MessageID, SentAt: at, Uncertain: !certain, Records: e.records}
		if e.Part > 1 {
			of.Part = e.Part
		}
		switch e.Kind {
		case forward.CorrectionLetter:
			c, err := forward.LoadCorrection(tx, e.About)
			if err != nil {
				return nil, err
			}
			of.Conversation, of.Correction = c.Conversation.ID, true
		case forward.TakenBackLetter:
			if of.Conversation, err = forward.NoteOf(tx, e.About); err != nil {
				return nil, err
			}
			of.Note = true
		}
		copies = append(copies, of)
	}
	return copies, nil
}

// lateDays is for how long after its own digest something may be shown in one that came
// late.
const lateDays = 56

// emailedDigests returns the digests that were handed over and may show any of the
// stubs' records: of each, the first of the clerk's and the first of the councillors' after
// it was captured. What kind of record it was is not known any more, and not all are shown.
func emailedDigests(tx *sqlite.Tx, stubs []archive.Stub) ([]EmailedCopy, error) {
	signed, err := ledger.SignedSince(tx, 0)
	if err != nil {
		return nil, err
	}
	digests, err := allDigests(tx)
	if err != nil {
		return nil, err
	}
	records := make(map[int]int) // by the digest's place
	for _, s := range stubs {
		var captured time.Time // not before: it was in the ledger by then
		i, _ := slices.BinarySearchFunc(signed, s.Leaf+1, func(c ledger.Signed, size int64) int { return cmp.Compare(c.Size, size) })
		if i < len(signed) {
			captured = signed[i].At
		}
		first, _ := slices.BinarySearchFunc(digests, s.SentOn, func(d emailedDigest, sent retention.Date) int { return cmp.Compare(d.Period.Last, sent) })
		found := make(map[bool]bool) // for councillors, for the clerk
		for i := first; i < len(digests) && len(found) < 2; i++ {
			d := digests[i]
			forCouncillors := d.Kind == forward.MeetingLetter
			if shows := s.SentOn >= d.from && !d.at.Before(captured); shows && !found[forCouncillors] {
				records[i]++
				found[forCouncillors] = true
			}
		}
	}
	var copies []EmailedCopy
	for _, i := range slices.Sorted(maps.Keys(records)) {
		d := digests[i]
		of := EmailedCopy{Digest: d.Period.Last, MessageID: d.id, SentAt: d.at, Uncertain: !d.certain, Records: records[i]}
		switch d.Kind {
		case forward.DailyLetter:
			of.Edition = "daily"
		case forward.MeetingLetter:
			of.Digest, of.Edition = d.Meeting, "meeting"
		}
		copies = append(copies, of)
	}
	return copies, nil
}

// emailedDigest is a digest that somebody was given.
type emailedDigest struct {
	forward.Edition
	id string    // Message-ID
	at time.Time // when it was handed over for the last of its recipients

	certain bool // that somebody has it

	from retention.Date // since when what it shows was sent, late or not
}

// allDigests returns all digests that somebody was given, in the order of their last days.
func allDigests(tx *sqlite.Tx) (all []emailedDigest, err error) {
	items, err := mail.List(tx, mail.HandedOver, mail.Unknown, mail.Refused, mail.Expired, mail.Cancelled)
	if err != nil {
		return nil, err
	}
	for _, it := range items {
		if !forward.IsDigest(it.Kind) {
			continue
		}
		d := emailedDigest{id: it.MessageID}
		if d.at, d.certain = reached(it); d.at.IsZero() {
			continue
		}
		if d.Edition, err = forward.EditionOf(tx, it.Kind, it.About, it.ComposedAt); err != nil {
			return nil, err
		}
		d.from = d.Period.First.AddDays(-lateDays)
		all = append(all, d)
	}
	slices.SortStableFunc(all, func(a, b emailedDigest) int { return cmp.Compare(a.Period.Last, b.Period.Last) })
	return all, nil
}
