package disposal

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// Early disposal destroys what should never have been in the record, before its time (C20):
// one person proposes it, another confirms it, and nothing on hold is destroyed. It is a
// list of its own, without the notice and the days of the others. That a member has
// deleted a message proposes nothing.

// Because is why something is destroyed early.
type Because string

// The reasons for early disposal.
const (
	NotCouncilBusiness Because = "not council business"
	SentByMistake      Because = "sent by mistake"
)

// Reasons are all of them.
var Reasons = []Because{NotCouncilBusiness, SentByMistake}

// EarlyLetter is the kind under which the letter stands in the outbox that tells of an early
// disposal: part 1 that it is proposed, part 2 that it was confirmed, both to the clerk and
// the chair; from part 3 on, each to a sender.
const EarlyLetter = "early disposal"

// The errors of early disposal.
var (
	ErrSamePerson = errors.New("who has proposed an early disposal cannot confirm it: it takes two people")
	ErrRoles      = errors.New("one of the two must be the clerk, the deputy clerk or the chair")
	ErrOnHold     = errors.New("on hold, or kept for the sake of something on hold")
	ErrNotEarly   = errors.New("is no early disposal")
)

// Propose proposes the early disposal of records and returns the number of its list. With
// a message go all edits of it and reactions to it. It refuses what is on hold, what is
// not here and what stands on a list already.
func (d *Disposal) Propose(tx *sqlite.Tx, because Because, seqs []record.Seq, by Approver) (list int64, err error) {
	if !slices.Contains(Reasons, because) {
		return 0, fmt.Errorf("%q is no reason for early disposal", because)
	}
	if err := d.mayGoEarly(tx, seqs); err != nil {
		return 0, err
	}
	now, today := d.Now(), retention.DateOf(d.Now())
	if err := tx.QueryRow(`INSERT INTO disposal_list (drawn_up_at, destroy_on, because, proposed_by, proposer) VALUES (?, ?, ?, ?, ?) RETURNING id`,
		sqlite.FormatTime(now), today, because, by.Who, by.Role).Scan(&list); err != nil {
		return 0, fmt.Errorf("propose early disposal: %w", err)
	}
	n, err := putRecords(tx, list, seqs)
	if err != nil {
		return 0, err
	}
	if n != int64(len(seqs)) {
		return 0, errors.New("some of these records stand on a disposal list already: see `muniment disposal list`")
	}
	if err := d.tellOfEarly(tx, list, 1); err != nil {
		return 0, err
	}
	return list, journal.Write(tx, journal.Entry{At: now, Who: by.Who, Act: journal.EarlyProposed, Reason: by.Reason,
		About: journal.About{"list": list, "role": by.Role, "because": because, "destroy on": today, "records": record.Spans(seqs), "count": len(seqs)}})
}

// mayGoEarly refuses records that are not here, or on hold.
func (d *Disposal) mayGoEarly(tx *sqlite.Tx, seqs []record.Seq) error {
	if len(seqs) == 0 {
		return errors.New("no record is named")
	}
	here, err := archive.Some(tx, seqs)
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(slices.Clone(seqs), func(s record.Seq) bool {
		return slices.ContainsFunc(here, func(r archive.Record) bool { return r.Seq == s && r.Destroyed == "" })
	})
	if len(missing) > 0 {
		return fmt.Errorf("records %s: %w", record.Spans(missing), archive.ErrNotKept)
	}
	held, err := archive.OnHold(tx, seqs)
	if err != nil {
		return err
	}
	if len(held) > 0 {
		return fmt.Errorf("records %s are %w: nothing of it is destroyed before the hold is released", record.Spans(held), ErrOnHold)
	}
	return nil
}

// Confirm confirms an early disposal that somebody else has proposed. It is destroyed
// in the night after.
func (d *Disposal) Confirm(tx *sqlite.Tx, list int64, by Approver) error {
	l, err := earlyList(tx, list)
	if err != nil {
		return err
	}
	decides := func(role string) bool { return role == "clerk" || role == "deputy" || role == "chair" }
	switch {
	case !l.Approved.IsZero():
		return fmt.Errorf("early disposal %d was confirmed already, by %s on %s", list, l.ApprovedBy, retention.DateOf(l.Approved).Long())
	case samePerson(l.ProposedBy, by.Who):
		return ErrSamePerson
	case !decides(l.Proposer) && !decides(by.Role):
		return ErrRoles
	}
	seqs, err := Items(tx, list)
	if err != nil {
		return err
	}
	if err := d.mayGoEarly(tx, seqs); err != nil {
		return err
	}
	digest, err := approve(tx, d.Now(), l, by)
	if err != nil {
		return err
	}
	if err := d.tellOfEarly(tx, list, 2); err != nil {
		return err
	}
	senders, _, err := d.sendersOf(tx, seqs)
	if err != nil {
		return err
	}
	for i, address := range senders {
		if err := d.queuePart(tx, EarlyLetter, list, 3+i, address); err != nil {
			return err
		}
	}
	return journal.Write(tx, journal.Entry{At: d.Now(), Who: by.Who, Act: journal.EarlyConfirmed, Reason: by.Reason,
		About: journal.About{"list": list, "role": by.Role, "records": l.Records, "digest": digest}})
}

// samePerson compares names as people write them.
func samePerson(a, b string) bool {
	return strings.EqualFold(strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " "))
}

// Withdraw ends an early disposal of which nothing is destroyed yet.
func (d *Disposal) Withdraw(tx *sqlite.Tx, list int64, who, reason string) error {
	l, err := earlyList(tx, list)
	if err != nil {
		return err
	}
	if l.Run != 0 {
		return fmt.Errorf("of early disposal %d something is destroyed already", list)
	}
	if err := closeList(tx, d.Now(), list); err != nil {
		return err
	}
	return journal.Write(tx, journal.Entry{At: d.Now(), Who: who, Act: journal.ListLapsed, Reason: "withdrawn: " + reason,
		About: journal.About{"list": list}})
}

func earlyList(tx *sqlite.Tx, list int64) (List, error) {
	l, err := OpenList(tx, list)
	if err == nil && l.Because == "" {
		return l, fmt.Errorf("list %d %w: what is on it is due", list, ErrNotEarly)
	}
	return l, err
}

// earlyDoubts returns why an early disposal is not carried out today.
func (d *Disposal) earlyDoubts(tx *sqlite.Tx, l List) error {
	if l.Approved.IsZero() {
		return Doubt("nobody else has confirmed it yet")
	}
	if err := generalDoubt(tx); err != nil {
		return err
	}
	if l.Run != 0 {
		return nil // what was begun is finished, so that it is certified; what is on hold stays
	}
	seqs, err := Items(tx, l.ID)
	if err != nil {
		return err
	}
	if held, err := archive.OnHold(tx, seqs); err != nil {
		return err
	} else if len(held) > 0 {
		return Doubt("something on it is on hold")
	}
	return nil
}

// tellOfEarly owes the clerk and the chair the letter that something is to be destroyed
// early.
func (d *Disposal) tellOfEarly(tx *sqlite.Tx, list int64, part int) error {
	to := []string{d.Policy.To}
	if d.Chair != nil {
		if chair, err := d.Chair(tx); err != nil {
			return err
		} else if chair != "" {
			to = append(to, chair)
		}
	}
	return d.queuePart(tx, EarlyLetter, list, part, to...)
}

// An EarlyNotice is what is said of an early disposal.
type EarlyNotice struct {
	List     List
	Reason   string // the proposer's words
	Records  []record.Seq
	From, To retention.Date // when they were sent
	Untold   int            // senders who have no address of the council's own
	Ended    bool           // it was withdrawn, or is done
}

// EarlyNotice returns what is to be said of an early disposal.
func (d *Disposal) EarlyNotice(tx *sqlite.Tx, list int64) (n EarlyNotice, err error) {
	lists, err := scanLists(tx.Query(listColumns+" WHERE id = ?", list))
	if err != nil || len(lists) == 0 {
		return n, errors.Join(err, ErrNoList)
	}
	n.List, n.Ended = lists[0], !lists[0].Closed.IsZero()
	if n.Reason, err = reasonOf(tx, list); err != nil {
		return n, err
	}
	if n.Records, err = Items(tx, list); err != nil {
		return n, err
	}
	records, err := archive.Some(tx, n.Records)
	if err != nil {
		return n, err
	}
	for _, r := range records {
		if n.From == "" || r.SentOn < n.From {
			n.From = r.SentOn
		}
		n.To = max(n.To, r.SentOn)
	}
	_, n.Untold, err = d.sendersOf(tx, n.Records)
	return n, err
}

func reasonOf(tx *sqlite.Tx, list int64) (reason string, err error) {
	err = journal.Of(tx, journal.EarlyProposed, func(e journal.Entry, _ int64) error {
		if e.About.Number("list") == list {
			reason = e.Reason
		}
		return nil
	})
	return reason, err
}

// sendersOf returns the addresses, at the council's own domains, of those who sent records,
// and how many senders have none.
func (d *Disposal) sendersOf(tx *sqlite.Tx, seqs []record.Seq) (addresses []string, without int, err error) {
	records, err := archive.Some(tx, seqs)
	if err != nil {
		return nil, 0, err
	}
	names, err := people.LoadNames(tx)
	if err != nil {
		return nil, 0, err
	}
	var met []people.ID
	for _, r := range records {
		who := names.Is(r.Person)
		if slices.Contains(met, who) || r.Own {
			continue
		}
		met = append(met, who)
		m, ok := names.InOffice(who, d.Now())
		if ok && m.Email != "" && d.Owns != nil && d.Owns(m.Email) {
			addresses = append(addresses, m.Email)
		} else {
			without++
		}
	}
	return addresses, without, nil
}
