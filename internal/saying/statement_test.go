package saying

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
)

const officers = "120363099999999999@g.us"

// A keeper is an archive to which something happens, at London times of November 2026.
type keeper struct {
	t   *testing.T
	db  *sqlite.DB
	a   *archive.Archive
	run int64
	of  map[string]record.Ref
}

func newKeeper(t *testing.T) *keeper {
	t.Helper()
	db, err := sqlitetest.Create(context.Background(), filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	k := &keeper{t: t, db: db, of: map[string]record.Ref{}}
	k.write(func(tx *sqlite.Tx) (err error) {
		if err := archive.Lay(tx, on("1 09:00"), "test"); err != nil {
			return err
		}
		if k.a, err = archive.Load(tx, retention.ForYears(6)); err != nil {
			return err
		}
		return people.AddMember(tx, on("1 09:00"), "Jo Hall", "test", people.Member{Name: "Cllr Ann Brook", Role: "councillor"}, ann)
	})
	return k
}

// on returns a time in November 2026 in London, such as "2 09:00".
func on(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-2 15:04", "2026-11-"+s, retention.London)
	if err != nil {
		panic(err)
	}
	return t
}

func november(day int) retention.Date { return retention.Date(fmt.Sprintf("2026-11-%02d", day)) }

func (k *keeper) write(f func(*sqlite.Tx) error) {
	k.t.Helper()
	if err := k.db.Write(context.Background(), f); err != nil {
		k.t.Fatal(err)
	}
}

// runs notes that the daemon runs on a day, and what it received.
func (k *keeper) runs(from, till string, outcomes ...archive.Outcome) {
	k.t.Helper()
	k.write(func(tx *sqlite.Tx) (err error) {
		if k.run, err = archive.BeginIntake(tx, on(from)); err != nil {
			return err
		}
		for i, o := range outcomes {
			if err := archive.Count(tx, on(from), k.run, int64(i+1), o); err != nil {
				return err
			}
		}
		return archive.Alive(tx, on(till), k.run)
	})
}

// captures captures r in a group, a second after it was sent.
func (k *keeper) captures(group string, sent string, r record.Received) {
	k.t.Helper()
	r.Group, r.Sent = group, on(sent)
	if r.Kind == "" {
		r.Kind, r.Type = record.Message, record.Text
	}
	if r.Sender.JID == "" {
		r.Sender = ann
	}
	if r.Target != nil && r.Quotations == nil {
		k.of[r.ID] = *r.Target
	}
	k.write(func(tx *sqlite.Tx) error {
		_, err := k.a.Capture(tx, r.Sent.Add(time.Second), r)
		return err
	})
}

func (k *keeper) time(kind archive.GapKind, group, from, till, cause string) {
	k.t.Helper()
	k.write(func(tx *sqlite.Tx) error {
		if _, err := archive.OpenGroupGap(tx, on(from), on(from), kind, group, cause); err != nil || till == "" {
			return err
		}
		if group != "" {
			return archive.CloseGroupGap(tx, on(till), kind, group)
		}
		return archive.CloseGap(tx, on(till))
	})
}

func (k *keeper) misses(group, id string, by record.Address, sent string) {
	k.t.Helper()
	k.write(func(tx *sqlite.Tx) error {
		return k.a.MissMessage(tx, on(sent).Add(time.Second), archive.Missed{Group: group, Ref: record.Ref{ID: id, Sender: by}, Sent: on(sent), Cause: "it could not be decrypted"})
	})
}

func (k *keeper) ends(id string, by record.Address, at string, ending archive.Ending) {
	k.t.Helper()
	k.write(func(tx *sqlite.Tx) error {
		return k.a.EndGap(tx, on(at), group, record.Ref{ID: id, Sender: by}, ending)
	})
}

// looks finds which messages others name, and asks for what is missing so often.
func (k *keeper) looks(at string, asks int) {
	k.t.Helper()
	k.write(func(tx *sqlite.Tx) error {
		names := archive.Names{
			Target: func(_ *sqlite.Tx, d archive.Delivered) (*record.Ref, error) {
				ref, is := k.of[d.Received.ID]
				if !is {
					return nil, nil
				}
				return &ref, nil
			},
			Elsewhere: func(string, []byte) bool { return false },
		}
		for done := false; !done; {
			var err error
			if done, err = k.a.FindHoles(tx, on(at), 100, names); err != nil {
				return err
			}
		}
		for range asks {
			if _, _, err := k.a.NextToAsk(tx, on(at)); err != nil {
				return err
			}
		}
		return nil
	})
}

// statement is what is known of a period.
func (k *keeper) statement(groups []string, from, through int, at, seen string) (s archive.Statement) {
	k.t.Helper()
	k.write(func(tx *sqlite.Tx) (err error) {
		s, err = archive.StatementOn(tx, groups, november(from), november(through), on(at), on(seen))
		return err
	})
	return s
}

// month is a month in which everything goes wrong that can.
func (k *keeper) month() {
	k.t.Helper()
	k.write(func(tx *sqlite.Tx) error {
		return journal.Write(tx, journal.Entry{At: on("2 08:55"), Who: "sysadmin", Act: journal.Linked})
	})
	k.runs("2 09:00", "2 23:00", archive.WasCaptured, archive.WasCaptured, archive.WasDuplicate, archive.WasOutOfScope)
	k.captures(group, "2 09:03", record.Received{ID: "A1", Text: "Hello"})
	k.captures(officers, "5 10:00", record.Received{ID: "O1", Text: "Officers only"})
	k.time(archive.NotConnected, "", "2 23:00", "4 07:30", "muniment was not running")
	k.runs("4 07:30", "4 23:59", archive.WasCaptured, archive.HasFailed)
	k.runs("5 00:00", "5 23:59", archive.WasCaptured)
	k.time(archive.NotConnected, "", "5 12:00", "5 12:00", "The network was down.")
	// The link is lost, and the phone supplies some of what was sent meanwhile.
	k.time(archive.NotLinked, "", "6 10:00", "6 12:30", "Somebody removed this device on the council’s phone.")
	k.captures(group, "6 11:00", record.Received{ID: "S1", Text: "Supplied", Supplied: true})
	// Somebody removes the council's account from a group.
	k.time(archive.NotInGroup, officers, "7 10:00", "7 11:00", "removed")
	k.time(archive.ListBroken, group, "7 12:00", "7 12:01", "a change was not told")
	// Messages that cannot be read: one comes later, one from the phone, one is from before, one is quoted, two are missing.
	for i, by := range []record.Address{ann, bo, ann, bo} {
		k.misses(group, fmt.Sprintf("U%d", i+1), by, "8 10:00")
	}
	k.misses(group, "U5", bo, "8 11:00")
	k.misses(group, "U6", bo, "9 11:30")
	k.captures(group, "8 10:00", record.Received{ID: "U1", Text: "It came"})
	k.captures(group, "8 10:00", record.Received{ID: "U2", Sender: bo, Text: "From the phone", Supplied: true})
	k.ends("U3", ann, "8 12:00", archive.Earlier)
	k.captures(group, "8 13:00", record.Received{ID: "A2", Text: "Indeed", Target: &record.Ref{ID: "U4", Sender: bo},
		Quotations: []record.Quotation{{Of: record.Ref{ID: "U4", Sender: bo}, Text: "quoted"}}})
	k.ends("U4", bo, "8 14:00", archive.Quoted)
	// Messages that never came: of one, somebody deletes it; the other is asked for.
	k.captures(group, "10 10:00", record.Received{Kind: record.Reaction, Type: record.ReactionAdded, ID: "R1", Emoji: "👍", Target: &record.Ref{ID: "H1", Sender: bo}})
	k.captures(group, "10 10:01", record.Received{Kind: record.Deletion, Type: record.ByAuthor, ID: "D1", Target: &record.Ref{ID: "H2", Sender: ann}})
	k.looks("10 12:00", 4)
	k.time(archive.Abandoned, "", "11 02:30", "", "2 messages never delivered again")
	k.time(archive.NotDelivered, "", "12 09:00", "", "WhatsApp announced 5 messages and delivered 4.")
	for day := 6; day <= 19; day++ {
		k.runs(fmt.Sprintf("%d 00:00", day), fmt.Sprintf("%d 23:59", day), archive.WasCaptured)
	}
	k.captures(group, "16 10:00", record.Received{ID: "I1", Text: "Imported", Import: 1})
	k.runs("20 00:00", "20 14:00")
	k.write(func(tx *sqlite.Tx) error { return archive.Count(tx, on("20 10:00"), k.run, 3, archive.WasCaptured) }) // two are not accounted for
	k.time(archive.NotConnected, "", "20 13:00", "", "The network is down.")
}

// told writes a statement out.
func (k *keeper) told(teller Teller, s archive.Statement) string {
	var b strings.Builder
	fmt.Fprintf(&b, "VERDICT %s\n", teller.Verdict(s))
	for _, line := range teller.Statement(s) {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	for _, row := range Days(s) {
		fmt.Fprintf(&b, "| %s\n", strings.Join(row, " | "))
	}
	return b.String()
}

// What is known of each period of a month is told as it is, and no better.
func TestStatement(t *testing.T) {
	k := newKeeper(t)
	k.month()
	var b strings.Builder
	one := map[string]string{group: "Cranford councillors"}
	two := map[string]string{group: "Cranford councillors", officers: "Officers"}
	var names *people.Names
	k.write(func(tx *sqlite.Tx) (err error) { names, err = people.LoadNames(tx); return err })
	for _, tt := range []struct {
		name          string
		groups        map[string]string
		from, through int
		at, seen      string
	}{
		{"before the record", one, 1, 1, "20 14:00", "20 14:00"},
		{"its first day", one, 1, 2, "20 14:00", "20 14:00"},
		{"a day without the daemon", one, 3, 3, "20 14:00", "20 14:00"},
		{"a moment without connection", one, 5, 5, "20 14:00", "20 14:00"},
		{"a lost link", one, 6, 6, "20 14:00", "20 14:00"},
		{"what could not be read", one, 8, 9, "20 14:00", "20 14:00"},
		{"the same, on the day itself", one, 8, 9, "8 10:30", "8 10:30"},
		{"what never came", one, 10, 10, "20 14:00", "20 14:00"},
		{"what was not recorded, and announced", one, 11, 12, "20 14:00", "20 14:00"},
		{"a day without fault", one, 17, 17, "20 14:00", "20 14:00"},
		{"so far without fault", one, 17, 17, "17 14:00", "17 14:00"},
		{"an import", one, 16, 16, "20 14:00", "20 14:00"},
		{"today", one, 20, 20, "20 14:00", "20 14:00"},
		{"today, and the daemon is down", one, 19, 20, "20 18:00", "20 14:00"},
		{"a time since when the daemon is down", one, 21, 22, "22 18:00", "20 14:00"},
		{"a time to come", one, 21, 22, "20 14:00", "20 14:00"},
		{"all of it, of two groups", two, 1, 20, "20 14:00", "20 14:00"},
	} {
		var groups []string
		for _, g := range []string{group, officers} {
			if tt.groups[g] != "" {
				groups = append(groups, g)
			}
		}
		s := k.statement(groups, tt.from, tt.through, tt.at, tt.seen)
		fmt.Fprintf(&b, "== %s: %d to %d November, on %s\n%s", tt.name, tt.from, tt.through, Moment(on(tt.at)), k.told(Teller{Groups: tt.groups}, s))
		if tt.name == "all of it, of two groups" {
			b.WriteString("== each gap of it\n")
			for _, g := range s.Gaps {
				said := Teller{Names: names, Groups: tt.groups}.Gap(g)
				fmt.Fprintf(&b, "[%s, lost: %t] %s [%s]\n", GapKind(g.Kind), LostGap(g), said.Text(), said.Cause)
			}
		}
		b.WriteString("\n")
	}
	golden(t, "statement.golden", b.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// It is not said that nothing is missing where nobody was there to know, nor twice why
// something is.
func TestNoMoreIsClaimedThanIsKnown(t *testing.T) {
	for _, tt := range []struct {
		name  string
		story func(*keeper)
		want  string
	}{
		{"nothing happened", func(*keeper) {}, "As far as is known, nothing that was sent in this period is missing."},
		{"a day without an account, and without a gap", func(k *keeper) {
			k.captures(group, "9 10:00", record.Received{ID: "A2"})
			k.runs("12 00:00", "12 23:59")
		}, "On 1 day it is not known whether muniment was running."},
		{"a day without an account, in a gap", func(k *keeper) {
			k.time(archive.NotConnected, "", "10 23:00", "12 01:00", "muniment was not running")
			k.runs("12 01:00", "12 23:59")
		}, "As far as is known, nothing that was sent in this period is missing."},
		{"not connected for longer than WhatsApp keeps what is sent", func(k *keeper) {
			k.time(archive.NotConnected, "", "5 10:00", "20 10:00", "muniment was not running")
		}, "Of what was sent while there was no connection for more than two weeks, something may be missing."},
		{"not connected, and so the link was lost", func(k *keeper) {
			k.time(archive.NotConnected, "", "10 10:00", "", "The network is down.")
			k.time(archive.NotLinked, "", "11 10:00", "11 20:00", "Unlinked.")
		}, "20 hours are known to be missing."},
		{"not linked, and not in the group", func(k *keeper) {
			k.time(archive.NotLinked, "", "11 10:00", "11 12:00", "Unlinked.")
			k.time(archive.NotInGroup, group, "11 11:00", "11 13:00", "Removed.")
		}, "3 hours are known to be missing."},
		{"known from a quotation, and then it came", func(k *keeper) {
			k.misses(group, "U1", ann, "11 10:00")
			k.ends("U1", ann, "12 10:00", archive.Quoted)
			k.captures(group, "11 10:00", record.Received{ID: "U1"})
		}, "As far as is known, nothing that was sent in this period is missing."},
		{"a member names messages by the hundred", func(k *keeper) {
			for i := range 55 {
				k.captures(group, "12 10:00", record.Received{Kind: record.Reaction, Type: record.ReactionAdded, ID: fmt.Sprint("R", i), Emoji: "👍",
					Target: &record.Ref{ID: fmt.Sprint("H", i), Sender: bo}})
			}
			k.looks("12 12:00", 0)
		}, "50 messages are missing of which it is not known when they were sent, perhaps in this period. " +
			"Further messages that members named 5 times may be missing."},
		{"another group", func(k *keeper) { k.time(archive.NotInGroup, officers, "11 11:00", "11 13:00", "Removed.") },
			"As far as is known, nothing that was sent in this period is missing."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := newKeeper(t)
			k.captures(group, "2 09:00", record.Received{ID: "A1"})
			last := 30
			if strings.Contains(tt.name, "a day without") {
				last = 10
			}
			for day := 2; day <= last; day++ {
				k.runs(fmt.Sprintf("%d 00:00", day), fmt.Sprintf("%d 23:59", day))
			}
			tt.story(k)
			s := k.statement([]string{group}, 11, 11, "25 10:00", "25 10:00")
			if got := (Teller{}).Verdict(s); got != tt.want {
				t.Errorf("it says %q; want %q", got, tt.want)
			}
			if s.NotLinked.Number > 0 && s.NotConnected.Number > 0 {
				t.Error("it says that WhatsApp handed over what went with the link")
			}
			if nothing := strings.HasPrefix(tt.want, "As far as is known"); (Teller{}).NothingMissing(s) != nothing {
				t.Errorf("nothing is missing: %v", !nothing)
			}
		})
	}
}
