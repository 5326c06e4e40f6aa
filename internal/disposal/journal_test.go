package disposal

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

const (
	complaint = "a complaint about the hedge along the allotments"
	audit     = "what the internal auditor wanted to see of the flood"
)

// logs writes entries of March 2026, and two that are no part of the access log; then
// somebody says that the clock is right, as it is.
func (c *council) logs() {
	c.Helper()
	c.write(func(tx *sqlite.Tx) error {
		for _, e := range []journal.Entry{
			{At: said, Act: journal.Viewed, Reason: complaint, About: journal.About{"records": "1-50"}},
			{At: said.Add(time.Hour), Act: journal.Searched, Reason: complaint, About: journal.About{"words": "hedgerow removal notice of the district council"}},
			{At: said.Add(time.Hour), Act: journal.FlagDismissed, Reason: "not about a person at all", About: journal.About{}},
			{At: said.AddDate(0, 0, 3), Act: journal.Viewed, Reason: audit, About: journal.About{}},
			{At: c.now, Act: journal.Viewed, Reason: "this week's", About: journal.About{}},
		} {
			e.Who = "Jane Clerk"
			if err := journal.Write(tx, e); err != nil {
				return err
			}
		}
		return ConfirmClock(tx, c.now, "Jane Clerk", "it is right")
	})
}

func (c *council) acts(of ...journal.Act) map[journal.Act]int {
	c.Helper()
	n := make(map[journal.Act]int)
	for _, a := range of {
		n[a] = c.journaled(a)
	}
	return n
}

// The access log stands on the list with the records, goes with the same run, and leaves
// stubs that verify. What is not of it stays.
func TestTheAccessLogGoes(t *testing.T) {
	c := newCouncil(t)
	c.logs()
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.nightsUntil("2032-02-02")
	c.expectLetters("disposal notice 1")
	c.write(func(tx *sqlite.Tx) error {
		l, err := OpenList(tx, 1)
		if l.Records != 1 || l.Entries != 2 {
			t.Errorf("the list has %d records and %d entries; want 1 and 2", l.Records, l.Entries)
		}
		return err
	})
	c.nightsUntil("2032-03-03")
	c.expectKept(0)
	want := map[journal.Act]int{journal.Viewed: 2, journal.Searched: 0, journal.FlagDismissed: 1}
	if diff := cmp.Diff(want, c.acts(journal.Viewed, journal.Searched, journal.FlagDismissed)); diff != "" {
		t.Errorf("the journal (-want +got)\n%s", diff)
	}
	cert := c.certified(1)
	if cert.Entries != 2 || cert.Unsought != 0 || len(cert.Destroyed) != 1 {
		t.Errorf("the certificate counts %d entries, %d not searched for, and %d records", cert.Entries, cert.Unsought, len(cert.Destroyed))
	}
	if !strings.Contains(cert.Rule, "WA-ACCESSLOG: 6 years from the date of the entry") {
		t.Errorf("the rule is %q", cert.Rule)
	}
	c.expectNoTrace(complaint)
	c.expectNoTrace("hedgerow removal notice")
	c.expectVerified()
	c.write(func(tx *sqlite.Tx) error {
		stubs, err := journal.StubsOf(tx, 1)
		if len(stubs) != 2 || stubs[0].WrittenOn != "2026-03-02" || stubs[0].Class != retention.AccessLog || stubs[0].DestroyedOn != "2032-03-03" {
			t.Errorf("stubs %+v", stubs)
		}
		return err
	})
}

// Days on which nothing but the log falls due have lists, too.
func TestTheAccessLogAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	c := newCouncil(t)
	c.logs()
	c.nightsUntil("2032-03-10")
	cert := c.certified(1)
	if cert.Entries != 2 || len(cert.Destroyed) != 0 {
		t.Errorf("the first certificate is of %d entries, %d records", cert.Entries, len(cert.Destroyed))
	}
	c.expectNoTrace(complaint)
	c.expectNoTrace(audit)
	c.expectVerified()
	c.nightsUntil("2032-03-20") // the clock is believed although entries are missing
	c.expectVerified()
}

// A hold on everything, or on its days, keeps an entry; once it is released, the entry
// goes on a list of its own.
func TestAHoldKeepsTheAccessLog(t *testing.T) {
	for _, tt := range []struct {
		name  string
		cover archive.Cover
		kept  []string
		gone  []string
	}{
		{"everything", archive.Cover{Scope: archive.Everything}, []string{complaint, audit}, nil},
		{"the day of one", archive.Cover{Scope: archive.Dates, From: "2026-03-05", Through: "2026-03-05"}, []string{audit}, []string{complaint}},
		{"another day", archive.Cover{Scope: archive.Dates, From: "2026-03-03", Through: "2026-03-04"}, nil, []string{complaint, audit}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if testing.Short() && tt.kept == nil {
				t.Skip("one thing after another, which the race detector watches for long")
			}
			c := newCouncil(t)
			c.logs()
			c.nightsUntil("2032-02-20") // they stand on lists
			var hold int64
			c.write(func(tx *sqlite.Tx) (err error) {
				hold, err = archive.PlaceHold(tx, c.now, "Jane Clerk", "inquiry", "", tt.cover)
				return err
			})
			c.nightsUntil("2032-03-10")
			for _, text := range tt.gone {
				c.expectNoTrace(text)
			}
			for _, text := range tt.kept {
				if len(c.traces(text)) == 0 {
					t.Errorf("%q is gone", text)
				}
			}
			c.expectVerified()
			c.releases(hold)
			released := retention.DateOf(c.now)
			c.nightsUntil(released.AddDays(29))
			for _, text := range tt.kept { // on no list that gave notice before
				if len(c.traces(text)) == 0 {
					t.Errorf("%q is gone before thirty days from the release", text)
				}
			}
			c.nightsUntil(released.AddDays(32))
			for _, text := range tt.kept {
				c.expectNoTrace(text)
			}
			c.expectVerified()
		})
	}
}

// An entry that goes in any other way is missed, and none can be taken away without a run.
func TestTheJournalCannotBeThinnedOut(t *testing.T) {
	c := newCouncil(t)
	c.logs()
	for _, statement := range []string{
		"DELETE FROM journal WHERE act = 'records viewed'",
		"DELETE FROM journal",
	} {
		err := c.db.Write(context.Background(), func(tx *sqlite.Tx) error { _, err := tx.Exec(statement); return err })
		if err == nil || !strings.Contains(err.Error(), "never removed") {
			t.Errorf("%s: %v; want a refusal", statement, err)
		}
	}
	c.write(func(tx *sqlite.Tx) error { // whoever gets round that is told of
		_, err := tx.Exec(`INSERT INTO journal_stub (id, leaf, class, written_on, rule, destroyed_on, run, authority)
			SELECT id, leaf, 'WA-ACCESSLOG', '2026-03-02', '', '2032-03-03', 1, '' FROM journal WHERE act = 'records searched'`)
		if err == nil {
			_, err = tx.Exec("DELETE FROM journal WHERE act = 'records searched'")
		}
		return err
	})
	if err := c.d.Verify(context.Background()); err == nil || !strings.Contains(err.Error(), "is gone, but no disposal run destroyed it") {
		t.Errorf("verified: %v", err)
	}
}
