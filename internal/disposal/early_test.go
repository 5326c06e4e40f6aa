package disposal

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

const wedding = "Sorry, wrong group! The wedding pictures of my cousin, as promised."

// writes runs f, of which an error may be wanted.
func (c *council) writes(f func(tx *sqlite.Tx) error) error {
	return c.db.Write(c.Context(), f)
}

func (c *council) proposes(by Approver, seqs ...record.Seq) (list int64, err error) {
	err = c.writes(func(tx *sqlite.Tx) error { list, err = c.d.Propose(tx, SentByMistake, seqs, by); return err })
	return list, err
}

func (c *council) confirms(list int64, by Approver) error {
	return c.writes(func(tx *sqlite.Tx) error { return c.d.Confirm(tx, list, by) })
}

var (
	jo  = Approver{Who: "Jo Marsh", Role: "clerk", Reason: "a private message"}
	kim = Approver{Who: "Kim Lane", Role: "chair", Reason: "agreed"}
)

// What was sent by mistake goes in the night after somebody else has confirmed it, with
// its reactions, leaving no byte, and does not come back.
func TestEarlyDisposal(t *testing.T) {
	c := newCouncil(t)
	c.d.Chair = func(*sqlite.Tx) (string, error) { return "chair@example.gov.uk", nil }
	c.d.Owns = func(address string) bool { return strings.HasSuffix(address, "@example.gov.uk") }
	c.write(func(tx *sqlite.Tx) error {
		return people.AddMember(tx, c.now, "sysadmin", "elected", people.Member{Name: "Ann", Role: "councillor", Email: "ann@example.gov.uk"}, ann)
	})
	r := record.Received{Kind: record.Message, Type: record.Text, Sender: ann, ID: "3EB0AAAAAAAAAAAAAAAA", Text: wedding, Protobuf: []byte("\n" + wedding), Sent: c.now}
	seq := c.captures(r).Seq
	c.captures(record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Sender: bo, ID: "3EB0BBBBBBBBBBBBBBBB", Emoji: "😀", Target: &record.Ref{ID: r.ID, Sender: ann}, Sent: c.now})
	c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: bo, ID: "B1", Text: "The fence is mended.", Sent: c.now})

	list, err := c.proposes(jo, seq)
	if err != nil {
		t.Fatal(err)
	}
	c.expectDoubt(int64(list), "nobody else has confirmed it yet")
	for range 10 {
		if err := c.night(); err != nil {
			t.Fatal(err)
		}
	}
	c.expectKept(3)
	if err := c.confirms(list, kim); err != nil {
		t.Fatal(err)
	}
	c.nightsUntil(retention.DateOf(c.now).AddDays(1))
	c.expectKept(1)
	cert := c.certified(1)
	if want := "early disposal, sent by mistake: proposed by the clerk, confirmed by the chair on 7 February 2032"; cert.Authority != want || len(cert.Destroyed) != 2 {
		t.Errorf("certificate of %d records on the authority %q; want %q", len(cert.Destroyed), cert.Authority, want)
	}
	c.expectNoTrace(wedding[15:50])
	c.expectVerified()
	c.write(func(tx *sqlite.Tx) error {
		k, err := c.archive.Capture(tx, c.now, func() record.Received { r.Group = official; return r }())
		if k.Fresh || k.Seq != seq {
			t.Errorf("it came back as record %d", k.Seq)
		}
		return err
	})
	var told []string
	c.write(func(tx *sqlite.Tx) error {
		items, err := mail.Parts(tx, EarlyLetter, list)
		for _, it := range items {
			told = append(told, fmt.Sprint(it.Part, " ", strings.Join(it.To, " ")))
		}
		return err
	})
	if got := strings.Join(told, "; "); got != "1 chair@example.gov.uk clerk@example.gov.uk; 2 chair@example.gov.uk clerk@example.gov.uk; 3 ann@example.gov.uk" {
		t.Errorf("told: %s", got)
	}
}

// It takes two, of whom one decides for the council.
func TestWhoConfirmsEarlyDisposal(t *testing.T) {
	for _, tt := range []struct {
		name     string
		by, then Approver
		want     error
	}{
		{"clerk and chair", jo, kim, nil},
		{"a councillor and the deputy", Approver{Who: "Bo", Role: "councillor"}, Approver{Who: "Sal", Role: "deputy"}, nil},
		{"the clerk, and an officer", jo, Approver{Who: "Pat", Role: "officer"}, nil},
		{"the same person", jo, jo, ErrSamePerson},
		{"the same in another office, written otherwise", jo, Approver{Who: " jo  MARSH", Role: "chair"}, ErrSamePerson},
		{"two councillors", Approver{Who: "Bo", Role: "councillor"}, Approver{Who: "Ed", Role: "councillor"}, ErrRoles},
		{"of something else than was seen", jo, Approver{Who: "Kim", Role: "chair", Digest: "00"}, ErrOtherDigest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCouncil(t)
			list, err := c.proposes(tt.by, c.says(ann, "A1", wedding))
			if err != nil {
				t.Fatal(err)
			}
			if err := c.confirms(list, tt.then); !errors.Is(err, tt.want) {
				t.Errorf("%v; want %v", err, tt.want)
			}
		})
	}
}

// What is on hold, now or later, is not destroyed early; nor is what a member deletes.
func TestWhatIsNotDisposedOfEarly(t *testing.T) {
	c := newCouncil(t)
	a := c.says(ann, "A1", wedding)
	b := c.says(ann, "A2", culvert)
	c.captures(record.Received{Kind: record.Deletion, Type: record.ByAuthor, Sender: ann, ID: "D1", Target: &record.Ref{ID: "A2", Sender: ann}, Sent: c.now})
	place := func(seq record.Seq) (hold int64) {
		c.write(func(tx *sqlite.Tx) (err error) {
			hold, err = archive.PlaceHold(tx, c.now, "Jo Marsh", "request 12", "", archive.Cover{Scope: archive.Records, Records: []record.Seq{seq}})
			return err
		})
		return hold
	}
	hold := place(a)
	if _, err := c.proposes(jo, a, b); !errors.Is(err, ErrOnHold) {
		t.Errorf("proposed: %v", err)
	}
	c.releases(hold)
	list, err := c.proposes(jo, a, b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.proposes(jo, b); err == nil {
		t.Error("it was proposed twice")
	}
	hold = place(a)
	if err := c.confirms(list, kim); !errors.Is(err, ErrOnHold) {
		t.Errorf("confirmed: %v", err)
	}
	c.releases(hold)
	withdraw := func() {
		if err := c.writes(func(tx *sqlite.Tx) error { return c.d.Withdraw(tx, list, "Jo Marsh", "the request came first") }); err != nil {
			t.Fatal(err)
		}
	}
	withdraw() // what was on hold since would be taken off it
	if list, err = c.proposes(jo, a, b); err != nil {
		t.Fatal(err)
	}
	if err := c.confirms(list, kim); err != nil {
		t.Fatal(err)
	}
	place(a)
	if err := c.night(); err != nil {
		t.Fatal(err)
	}
	c.expectDoubt(list, "on hold")
	c.expectKept(3)
	withdraw()
	if n := c.journaled(journal.RunStarted); n != 0 {
		t.Errorf("%d runs", n)
	}
	c.expectVerified()
}

// A proposal that nobody confirms keeps nothing beyond its time: it lapses as soon as
// something on it is due to go in any case, and else after sixty days.
func TestAProposalThatNobodyConfirms(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "A1", "The fence is mended.")
	due, err := c.proposes(jo, c.says(ann, "A2", culvert))
	if err != nil {
		t.Fatal(err)
	}
	new := c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: bo, ID: "B1", Text: wedding, Sent: c.now}).Seq
	other, err := c.proposes(jo, new)
	if err != nil {
		t.Fatal(err)
	}
	proposed := retention.DateOf(c.now)
	lapsed := func(list int64) (l Lapse) {
		c.write(func(tx *sqlite.Tx) error { all, err := Lapses(tx); l = all[list]; return err })
		return l
	}
	c.nightsUntil("2032-03-20")
	if why := lapsed(due).Why; !strings.Contains(why, "due to go in any case") {
		t.Errorf("the proposal of what is due lapsed: %q", why)
	}
	c.expectKept(1)
	c.expectNoTrace(culvert)
	c.nightsUntil(proposed.AddDays(59))
	if why := lapsed(other).Why; why != "" {
		t.Errorf("the other lapsed: %s", why)
	}
	c.nightsUntil(proposed.AddDays(60))
	if l := lapsed(other); l != (Lapse{Why: "nobody has confirmed it in 60 days; propose it again if it is still to go", Records: 1}) {
		t.Errorf("the other lapsed: %+v", l)
	}
	if err := c.confirms(other, kim); !errors.Is(err, ErrNoList) {
		t.Errorf("confirmed: %v", err)
	}
	if _, err := c.proposes(jo, new); err != nil {
		t.Errorf("it cannot be proposed again: %v", err)
	}
	c.expectVerified()
}

// A list is approved as it stands; nothing else is destroyed under that approval, and what
// nobody approves is brought to mind every week, after sixty days to the chair.
func TestApprovalOfEachList(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	c := newCouncil(t)
	c.d.Policy.Approval = Each
	c.d.Chair = func(*sqlite.Tx) (string, error) { return "chair@example.gov.uk", nil }
	c.says(ann, "A1", culvert)
	c.nightsUntil("2032-04-12")
	c.expectKept(1)
	var reminders []string
	for _, it := range c.emails {
		if it.Kind == ReminderLetter {
			reminders = append(reminders, strings.Join(it.To, " "))
		}
	}
	const clerk, both = "clerk@example.gov.uk", "chair@example.gov.uk clerk@example.gov.uk"
	if got := strings.Join(reminders, ", "); got != strings.Join([]string{clerk, clerk, clerk, clerk, clerk, clerk, clerk, clerk, both, both}, ", ") {
		t.Errorf("reminders to: %s", got)
	}
	c.write(func(tx *sqlite.Tx) error {
		r, err := c.d.Reminder(tx, 10)
		if r.Waits != 70 || r.Overdue != 40 || !r.ToChair || r.NoChair {
			t.Errorf("reminder: waits %d, overdue %d, to the chair %v, no chair %v", r.Waits, r.Overdue, r.ToChair, r.NoChair)
		}
		return err
	})
	var digest string
	c.write(func(tx *sqlite.Tx) (err error) {
		digest, err = Approve(tx, c.now, 1, Approver{Who: "Jo Marsh", Role: "clerk", Reason: "seen"})
		return err
	})
	seq := c.says(ann, "A2", fence)
	c.write(func(tx *sqlite.Tx) error { // somebody puts more on it
		_, err := tx.Exec("INSERT INTO disposal_item (seq, list) VALUES (?, 1)", seq)
		return err
	})
	c.nightsUntil("2032-04-13")
	c.expectKept(1)
	c.write(func(tx *sqlite.Tx) error {
		lists, err := Lists(tx)
		if last := lists[len(lists)-1]; last.Digest != digest || len(digest) != 64 || last.Destroyed != 1 {
			t.Errorf("list: %+v", last)
		}
		return err
	})
}

// Weeks in which nobody was there are caught up by one reminder.
func TestRemindersThatWereMissed(t *testing.T) {
	c := newCouncil(t)
	c.d.Policy.Approval = Each
	c.says(ann, "A1", culvert)
	c.nightsUntil("2032-02-03")
	c.now = c.now.AddDate(0, 0, 30)
	for range 3 {
		if err := c.night(); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for _, it := range c.emails {
		if it.Kind == ReminderLetter {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d reminders; want 1", n)
	}
}
