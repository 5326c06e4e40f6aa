package archive

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/sqlite"
)

// restores notes that the archive was restored, two days after a backup of it as it is now.
func (o *office) restores(linked bool) Restoration {
	o.Helper()
	r := Restoration{MadeAt: o.now, Who: "Sam Reed", Reason: "the disk failed", Backup: "archive-20260302T090000Z.age"}
	o.now = o.now.AddDate(0, 0, 2)
	r.At = o.now
	o.write(func(tx *sqlite.Tx) (err error) {
		if r.Leaves, err = ledger.Size(tx); err != nil {
			return err
		}
		if r.Journal, err = journal.LastID(tx); err != nil {
			return err
		}
		return NoteRestored(tx, o.key(), r, linked)
	})
	return r
}

// key makes a key for checkpoints.
func (o *office) key() *ledger.Key {
	o.Helper()
	path := filepath.Join(o.TempDir(), "ledger.key")
	if err := ledger.NewKey(path, "muniment"); err != nil {
		o.Fatal(err)
	}
	key, err := ledger.LoadKey(path)
	if err != nil {
		o.Fatal(err)
	}
	return key
}

// After a restore it is known what was lost: from the backup on, or from when WhatsApp had
// last delivered anything before it.
func TestRestoreLeavesAGap(t *testing.T) {
	type gap struct {
		Kind     GapKind
		From, To time.Duration // after the backup
		Open     bool
	}
	for _, tt := range []struct {
		name   string
		before func(o *office)
		linked bool
		want   []gap // the latest first
	}{
		{"on another machine", func(*office) {}, false, []gap{
			{Kind: NotLinked, From: 48 * time.Hour, Open: true},
			{Kind: LostWithMachine, To: 48 * time.Hour},
		}},
		{"on the same", func(*office) {}, true, []gap{{Kind: LostWithMachine, To: 48 * time.Hour}}},
		{"in an outage", func(o *office) {
			o.write(func(tx *sqlite.Tx) error {
				return OpenGap(tx, o.now, o.now.Add(-time.Hour), NotConnected, "the network was down")
			})
		}, false, []gap{
			{Kind: NotLinked, From: 48 * time.Hour, Open: true},
			{Kind: LostWithMachine, From: -time.Hour, To: 48 * time.Hour},
			{Kind: NotConnected, From: -time.Hour, To: -time.Hour},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			made := o.now
			tt.before(o)
			o.restores(tt.linked)
			var got []gap
			o.write(func(tx *sqlite.Tx) error {
				gaps, err := Gaps(tx)
				for _, g := range gaps {
					one := gap{Kind: g.Kind, From: g.Opened.Sub(made), Open: g.Closed.IsZero()}
					if !one.Open {
						one.To = g.Closed.Sub(made)
					}
					got = append(got, one)
				}
				return err
			})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
			var lacks []Lack
			o.write(func(tx *sqlite.Tx) (err error) { lacks, err = Lacks(tx); return err })
			if len(lacks) != 1 || !lacks[0].Until.Equal(o.now) {
				t.Errorf("the phone is asked for %+v", lacks)
			}
		})
	}
}

// What was lost is known, and that nobody has entered again what was decided then, until
// somebody says so.
func TestRestoreIsConfirmed(t *testing.T) {
	o := newOffice(t)
	o.write(func(tx *sqlite.Tx) error {
		if _, is, err := Unconfirmed(tx); is || err != nil {
			t.Errorf("before any restore: %v, %v", is, err)
		}
		if err := ConfirmRestore(tx, o.now, "Jane Clerk", "all entered"); !errors.Is(err, ErrNotRestored) {
			t.Errorf("before any restore it is confirmed: %v", err)
		}
		return nil
	})
	want := o.restores(true)
	o.restores(true)
	for _, expect := range []bool{true, false} {
		o.write(func(tx *sqlite.Tx) error {
			if _, is, err := Unconfirmed(tx); is != expect || err != nil {
				t.Errorf("unconfirmed: %v, %v; want %v", is, err, expect)
			}
			if !expect {
				return nil
			}
			return ConfirmRestore(tx, o.now, "Jane Clerk", "all entered")
		})
	}
	o.write(func(tx *sqlite.Tx) error {
		all, err := Restorations(tx)
		if err != nil || len(all) != 2 {
			t.Fatalf("%d restores, %v", len(all), err)
		}
		want.Entry, want.Leaf, want.Head = want.Journal+1, want.Leaves, all[0].Head
		if diff := cmp.Diff(want, all[0], cmp.Transformer("UTC", func(t time.Time) string { return sqlite.FormatTime(t) })); diff != "" {
			t.Errorf("the first (-want +got):\n%s", diff)
		}
		return nil
	})
	o.restores(true)
	o.write(func(tx *sqlite.Tx) error {
		if _, is, _ := Unconfirmed(tx); !is {
			t.Error("what was said of one restore counts for the next")
		}
		return nil
	})
}

// The number of an email may be given anew after a restore. Its Message-ID may not: a mail
// server would take the new email for the old one.
func TestRestoreMakesOtherMessageIDs(t *testing.T) {
	o := newOffice(t)
	tokens := make(map[string]bool)
	for range 3 {
		var a *Archive
		o.write(func(tx *sqlite.Tx) (err error) { a, err = Load(tx, o.archive.schedule); return err })
		if tokens[a.Token()] {
			t.Errorf("the token %s comes again", a.Token())
		}
		tokens[a.Token()] = true
		o.restores(true)
	}
}

func TestRestoreWantsTheLeavesOfTheManifest(t *testing.T) {
	o := newOffice(t)
	err := o.db.Write(t.Context(), func(tx *sqlite.Tx) error {
		return NoteRestored(tx, o.key(), Restoration{At: o.now, MadeAt: o.now, Leaves: 17}, true)
	})
	if err == nil || !strings.Contains(err.Error(), "its manifest says 17") {
		t.Error(err)
	}
}
