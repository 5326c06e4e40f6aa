package archive

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// copied returns the office's archive as it is now, on another machine: what a backup brings
// back.
func (o *office) copied() *office {
	o.Helper()
	path := filepath.Join(o.TempDir(), "archive.db")
	if err := o.db.CopyTo(context.Background(), path); err != nil {
		o.Fatal(err)
	}
	db, err := sqlite.Open(context.Background(), path)
	if err != nil {
		o.Fatal(err)
	}
	o.Cleanup(func() { db.Close() })
	return &office{TB: o.TB, db: db, archive: o.archive, now: o.now}
}

// accounts destroys records as run 7, due or not, and returns the account of that.
func (o *office) accounts(seqs ...record.Seq) (a RunAccount) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) error {
		_, err := o.archive.Destroy(tx, Destruction{Run: 7, On: "2026-03-05", Authority: "minute 12", Early: true}, seqs)
		if err != nil {
			return err
		}
		text, err := Account(tx, 7)
		if err != nil {
			return err
		}
		a, err = ReadAccount("muniment destroyed 1\nrun 7\n" + text)
		return err
	})
	return a
}

func (o *office) replays(a RunAccount) (r Replayed) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) (err error) {
		r, err = o.archive.Replay(tx, o.now, a.Run, a.Records)
		return err
	})
	return r
}

// What was destroyed after a backup had been made is destroyed in what is restored from it;
// what the backup never had cannot come back; and a record to which the number of a destroyed
// one was given since stays.
func TestReplayDestroysWhatWasDestroyedSince(t *testing.T) {
	o := newOffice(t)
	asked := says(ann, "A1", "is the culvert blocked?")
	old := o.captures(asked).Seq
	o.captures(quotes(bo, "B1", "since Monday", ann, "A1", "is the culvert blocked?"))
	o.captures(reacts(bo, "R1", "👍", ann, "A1"))
	o.captures(quotes(bo, "B2", "who is Cy?", ann, "A2", "my number is on the board")) // of which the backup has the quotation only
	backup := o.copied()
	late := says(ann, "A2", "my number is on the board")
	newer := o.captures(late).Seq
	account := o.accounts(old, newer)
	if len(account.Records) != 3 {
		t.Fatalf("the account names %d records, want the two messages and the reaction", len(account.Records))
	}

	// On the machine on which it is restored, other things have happened under the same number.
	other := backup.captures(says(bo, "B3", "new business")).Seq
	if other != newer {
		t.Fatalf("the number %d was given anew as %d: the test shows nothing", newer, other)
	}
	r := backup.replays(account)
	if len(r.Destroyed) != 2 || len(r.Barred) != 1 || len(r.Otherwise) != 0 || r.Known != 0 {
		t.Errorf("replayed: %d destroyed, %d barred, %d otherwise, %d known", len(r.Destroyed), len(r.Barred), len(r.Otherwise), r.Known)
	}
	if backup.record(other).Destroyed != "" {
		t.Error("the record went that has the number of a destroyed one")
	}
	if n := backup.number("SELECT count(*) FROM quotation WHERE salt IS NOT NULL"); n != 0 {
		t.Errorf("%d quotations of what was destroyed are left", n)
	}
	if n := backup.number("SELECT count(*) FROM destruction"); n != 0 {
		t.Errorf("%d rows say what was let through, after it", n)
	}
	for _, again := range []record.Received{asked, late} {
		if c := backup.captures(again); c.Fresh {
			t.Errorf("%s came back by redelivery", again.ID)
		}
	}
	backup.expectSound()

	again := backup.replays(account) // as after another restore, of a newer backup
	if again.Known != 3 || len(again.Destroyed)+len(again.Barred) != 0 {
		t.Errorf("again: %+v", again)
	}
	var mine, theirs bytes.Buffer
	for o, to := range map[*office]*bytes.Buffer{o: &theirs, backup: &mine} {
		o.write(func(tx *sqlite.Tx) error {
			gone, err := StubsOf(tx, 7)
			for _, g := range gone {
				g.Seq, g.Leaf = 0, 0
				fmt.Fprintf(to, "%+v\n", g)
			}
			return err
		})
	}
	if diff := cmp.Diff(theirs.String(), mine.String()); diff != "" {
		t.Errorf("the stubs do not say the same (-destroyed +replayed):\n%s", diff)
	}
}

// A hold that is in force in the backup had been released before what it was on was destroyed:
// the account proves that. So it goes; all else that the hold is on stays, and the hold does.
func TestReplayAsksNoHoldOfTheBackup(t *testing.T) {
	for _, cover := range []Cover{{Scope: Everything}, {Scope: Records, Records: []record.Seq{1, 2}}, {Scope: ByMember, Member: 1}} {
		t.Run(string(cover.Scope), func(t *testing.T) {
			o := newOffice(t)
			o.write(func(tx *sqlite.Tx) error {
				return people.AddMember(tx, o.now, "sysadmin", "elected", people.Member{Name: "Ann Brook", Role: "councillor"}, ann)
			})
			asked := o.captures(says(ann, "A1", "is the culvert blocked?")).Seq
			answered := o.captures(quotes(bo, "B1", "since Monday", ann, "A1", "is the culvert blocked?")).Seq
			var hold int64
			o.write(func(tx *sqlite.Tx) (err error) {
				hold, err = PlaceHold(tx, o.now, "Jane Clerk", "request 7", "", cover)
				return err
			})
			backup := o.copied()
			o.write(func(tx *sqlite.Tx) error { return ReleaseHold(tx, o.now, hold, "Jane Clerk", "answered") })
			r := backup.replays(o.accounts(asked))
			if len(r.Destroyed) != 1 || r.Destroyed[0].Seq != asked {
				t.Fatalf("destroyed: %+v", r.Destroyed)
			}
			if backup.record(answered).Destroyed != "" {
				t.Error("what the account does not name went, too")
			}
			if n := backup.number("SELECT count(*) FROM hold WHERE released_at IS NULL"); n != 1 {
				t.Error("the hold is not in force any more")
			}
			if cover.Scope == ByMember { // nothing is left that it is on by itself
				return
			}
			if err := backup.db.Write(context.Background(), func(tx *sqlite.Tx) error {
				_, err := tx.Exec("INSERT INTO destruction (seq, origin) SELECT seq, origin FROM record")
				if err == nil {
					_, err = tx.Exec("DELETE FROM record")
				}
				return err
			}); err == nil || !strings.Contains(err.Error(), "on hold") {
				t.Errorf("after the replay, the hold keeps nothing: %v", err)
			}
			backup.expectSound()
		})
	}
}

// What came back because an account was not at hand, and was captured anew, is another record:
// the account is not of it.
func TestReplayKeepsWhatWasCapturedAnew(t *testing.T) {
	o := newOffice(t)
	backup := o.copied()
	asked := says(ann, "A1", "is the culvert blocked?")
	account := o.accounts(o.captures(asked).Seq)
	seq := backup.captures(asked).Seq
	r := backup.replays(account)
	if fmt.Sprint(r.Otherwise) != fmt.Sprint([]record.Seq{seq}) || len(r.Destroyed)+len(r.Barred) != 0 {
		t.Errorf("replayed: %+v", r)
	}
}

func TestReadAccount(t *testing.T) {
	const hash = `"hash":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="`
	const good = `{"seq":1,"leaf":5,` + hash + `,"origin":"AAAA","sent_on":"2026-11-22","class":"WA-MSG","rule":"6 years","on":"2032-11-23","authority":"minute 12"}`
	const entry = `{"entry":7,"leaf":9,` + hash + `,"class":"WA-ACCESSLOG","rule":"6 years","on":"2032-11-23","authority":"minute 12"}`
	a, err := ReadAccount("muniment destroyed 1\nrun 12\n" + good + "\n" + entry + "\n")
	if err != nil {
		t.Fatal(err)
	}
	leaf := ledger.Hash{1}
	want := RunAccount{Run: 12,
		Records: []Gone{{1, 5, leaf[:], []byte{0, 0, 0}, "2026-11-22", retention.Messages, "6 years", "2032-11-23", "minute 12"}},
		Entries: []journal.Stub{{Entry: 7, Leaf: 9, Hash: leaf, Class: "WA-ACCESSLOG", Rule: "6 years", DestroyedOn: "2032-11-23", Authority: "minute 12"}}}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	if a, err := ReadAccount("muniment destroyed 1\nrun 12\n"); err != nil || len(a.Records) != 0 {
		t.Errorf("of a run that destroyed nothing: %+v, %v", a, err)
	}
	for text, want := range map[string]string{
		"":                               "no account",
		"muniment destroyed 2\nrun 12\n": "newer muniment",
		"muniment destroyed 1":           "of which run",
		"muniment destroyed 1\n12\n":     "of which run",
		"muniment destroyed 1\nrun 0\n":  "of which run",
		"muniment destroyed 1\nrun 12\n" + good[:40]:                                        "line 3 of the account: it is not JSON",
		"muniment destroyed 1\nrun 12\n" + good + "\n\n" + entry:                            "line 4 of the account: it is not JSON",
		"muniment destroyed 1\nrun 12\n{}":                                                  "neither of a record nor of an entry",
		"muniment destroyed 1\nrun 12\n" + strings.Replace(good, hash, `"hash":"AAAA"`, 1):  "no leaf",
		"muniment destroyed 1\nrun 12\n" + strings.Replace(good, "AAAA\",\"s", "\",\"s", 1): "which record",
		"muniment destroyed 1\nrun 12\n" + strings.Replace(good, "2026-11-22", "x", 1):      "no date",
		"muniment destroyed 1\nrun 12\n" + strings.Replace(entry, "2032-11-23", "", 1):      "no date",
	} {
		if _, err := ReadAccount(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
}

// Whatever an account says, it is read whole or not at all.
func FuzzReadAccount(f *testing.F) {
	f.Add("muniment destroyed 1\nrun 12\n" + `{"seq":1,"leaf":5,"hash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","origin":"AAAA","sent_on":"2026-11-22","class":"WA-MSG","rule":"","on":"2032-11-23","authority":""}` + "\n")
	f.Add("muniment destroyed 1\nrun 1\n" + `{"entry":7,"hash":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","on":"2032-11-23"}`)
	f.Add("muniment destroyed 1\nrun 1\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ReadAccount(text)
		if err != nil {
			return
		}
		if lines := strings.Count(strings.TrimSuffix(text, "\n"), "\n") - 1; len(a.Records)+len(a.Entries) != lines {
			t.Errorf("%d lines were read as %d records and %d entries", lines, len(a.Records), len(a.Entries))
		}
		for _, g := range a.Records {
			if g.Seq <= 0 || len(g.Hash) != 32 || len(g.Origin) == 0 {
				t.Errorf("a record without what names it: %+v", g)
			}
		}
	})
}
