package verify_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/flag"
	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	mvault "muniment/internal/vault"
)

// Tampering with holds, files and the search index is noticed.
func TestTampering(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	for _, tt := range []struct {
		name   string
		tamper []string
	}{
		{"a dates hold begins later that day", []string{"UPDATE hold SET from_at = '2026-03-02T23:59:59.999Z' WHERE id = 1"}},
		{"the sender's person exchanged", []string{"INSERT INTO person DEFAULT VALUES", "UPDATE record SET person = (SELECT max(id) FROM person) WHERE seq = 1"}},
		{"a hold's reason", []string{"UPDATE hold SET reason = 'nothing' WHERE id = 1"}},
		{"who placed it", []string{"UPDATE hold SET placed_by = 'Nobody' WHERE id = 1"}},
		{"when", []string{"UPDATE hold SET placed_at = '2020-03-02T09:00:00.000Z' WHERE id = 1"}},
		{"hold_record row added", []string{"INSERT INTO hold_record (hold, seq) VALUES (3, 2)"}},
		{"hold_record row gone", []string{"DELETE FROM hold_record WHERE hold = 3"}},
		{"its kind", []string{"UPDATE hold SET kind = 'foi' WHERE id = 2"}},
		{"its case", []string{"UPDATE hold SET case_ref = 'FOI-1' WHERE id = 1"}},
		{"the case of one that was described", []string{"UPDATE hold SET case_ref = '' WHERE id = 4"}},
		{"the kind of one that was described", []string{"UPDATE hold SET kind = 'other' WHERE id = 4"}},
		{"its group", []string{"UPDATE hold SET group_jid = '120363000000000009@g.us' WHERE id = 4"}},
		{"no group", []string{"UPDATE hold SET group_jid = '' WHERE id = 4"}},
		{"what its group is called", []string{"UPDATE hold SET group_name = 'Bells' WHERE id = 4"}},
		{"taken in and taken out", []string{"DELETE FROM hold_record WHERE hold = 5 AND seq = 1"}},
		{"taken in what was not found", []string{"INSERT INTO hold_record (hold, seq) VALUES (5, 2)"}},
		{"takes in nothing any more", []string{"UPDATE hold SET ahead = 0 WHERE id = 5"}},
		{"takes in what it was not to", []string{"UPDATE hold SET ahead = 1 WHERE id = 3"}},
		{"as if all had been taken in", []string{"UPDATE hold SET searched = 99 WHERE id = 5"}},
		{"as if what came later had been taken in", []string{"UPDATE hold SET searched = (SELECT max(seq) FROM record) WHERE id = 6"}},
		{"a search altered", []string{"UPDATE hold SET search = 'badger' WHERE id = 5"}},
		{"another review", []string{"UPDATE hold SET review_on = '2026-08-01' WHERE id = 5"}},
		{"a reminder forgotten", []string{"UPDATE hold SET reminded_on = '' WHERE id = 5"}},
		{"a reminder claimed", []string{"UPDATE hold SET reminded_on = '2036-01-01' WHERE id = 1"}},
		{"let through", []string{"INSERT INTO destruction (seq, origin) SELECT seq, origin FROM record WHERE seq = 2"}},
		{"review date", []string{"UPDATE hold SET review_on = '' WHERE id = 3"}},
		{"no concern, though nobody said so", []string{"INSERT INTO no_concern (seq, concern, at) VALUES (1, 'meeting', '2026-03-02T09:00:00.000Z')"}},
		{"no concern, of another sort", []string{"UPDATE no_concern SET concern = 'meeting'"}},
		{"no concern, for longer", []string{"UPDATE no_concern SET at = '2036-03-02T09:00:00.000Z'"}},
		{"no concern, not any more", []string{"DELETE FROM no_concern"}},
		{"search_day emptied", []string{"DELETE FROM search_day"}},
		{"indexed raised", []string{"UPDATE archive SET indexed = 1000"}},
		{"indexed lowered", []string{"UPDATE archive SET indexed = 0"}},
		{"a file said to be lost", []string{"UPDATE media SET state = 'lost', reason = 'WhatsApp no longer has it', finished_at = '2026-03-02T09:00:00.000Z'"}},
		{"a file's name", []string{"UPDATE media SET name = 'other.pdf'"}},
		{"file_name", []string{"UPDATE record SET file_name = 'other.pdf' WHERE file_sealed IS NOT NULL"}},
		{"by_admin", []string{"UPDATE record SET by_admin = 1 - by_admin WHERE kind = 'deletion'"}},
		{"text_at", []string{"UPDATE record SET text_at = 3 WHERE seq = 1"}},
		{"text_at dropped", []string{"UPDATE record SET text_at = NULL WHERE seq = 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVault(t)
			v.write(func(tx *sqlite.Tx) error {
				return people.AddMember(tx, v.now, "sysadmin", "elected", people.Member{Name: "Ann", Role: "chair"}, ann)
			})
			one := v.captures(says(ann, "A1", "The culvert is blocked, and nobody comes."))
			two := v.captures(says(bo, "B1", "Since when? Keep it confidential."))
			f := record.File{Name: "plan.pdf", MIME: "application/pdf", Path: "/x", Key: bytes.Repeat([]byte{1}, 32), Digest: bytes.Repeat([]byte{2}, 32), Sealed: bytes.Repeat([]byte{3}, 32)}
			r := says(bo, "B2", "a plan of the culvert")
			r.Type, r.File = record.Document, &f
			doc := v.captures(r)
			v.captures(record.Received{Kind: record.Deletion, Type: record.ByAdmin, ID: "D", Sender: ann, Target: &record.Ref{ID: "B1", Sender: bo}})
			v.write(func(tx *sqlite.Tx) error {
				if err := mvault.Want(tx, v.now, doc, record.Document, f); err != nil {
					return err
				}
				if _, err := tx.Exec("UPDATE media SET state = 'kept', finished_at = ?", sqlite.FormatTime(v.now)); err != nil {
					return err
				}
				if err := (flag.Reader{}).Dismiss(tx, v.now, "Jane Clerk", "said in jest", []record.Seq{two}, flag.Personal); err != nil {
					return err
				}
				for _, c := range []archive.Cover{
					{Scope: archive.Dates, From: "2026-03-02", Through: "2026-03-02"},
					{Scope: archive.ByMember, Member: 1},
					{Scope: archive.Records, Records: []record.Seq{one}, Search: "culvert"},
					{Scope: archive.InGroup, Group: official, GroupName: "Council"},
					{Scope: archive.Records, Search: "culvert -plan", Ahead: true},
					{Scope: archive.Records, Search: "keep", Ahead: true},
				} {
					if _, err := archive.PlaceHold(tx, v.now, "Jane Clerk", "request 7", "2026-08-30", c); err != nil {
						return err
					}
				}
				later := v.now.AddDate(0, 5, 0) // of the last hold's search nothing has been taken in yet
				if _, err := tx.Exec("UPDATE hold SET ahead = 0 WHERE id = 6"); err != nil {
					return err
				}
				if err := archive.TakeIn(tx, v.now); err != nil {
					return err
				}
				if _, err := tx.Exec("UPDATE hold SET ahead = 1 WHERE id = 6"); err != nil {
					return err
				}
				if err := archive.DescribeHold(tx, later, 4, "Jane Clerk", "a number", archive.SAR, "SAR-7"); err != nil {
					return err
				}
				if err := archive.ReviewHold(tx, later, 5, "Jane Clerk", "not yet answered", retention.DateOf(later.AddDate(0, 1, 0))); err != nil {
					return err
				}
				if _, err := archive.Reminded(tx, later.AddDate(0, 1, 0), 5); err != nil {
					return err
				}
				for done := false; !done; {
					var err error
					if done, err = archive.Index(tx, 100); err != nil {
						return err
					}
				}
				return nil
			})
			v.signs(v.key)
			if r := v.verifies(); !r.OK() {
				t.Fatalf("before: %v", r.Faults)
			}
			v.tampers(tt.tamper...)
			if after := v.verifies(); after.OK() {
				t.Error("unnoticed")
			} else {
				t.Log(after.Faults)
			}
		})
	}
}

// A hold of days whose first moment was moved within its day does not verify.
func TestHoldTamperedWithinItsDay(t *testing.T) {
	v := newVault(t)
	one := v.captures(says(ann, "A1", "The culvert is blocked, and nobody comes."))
	v.write(func(tx *sqlite.Tx) error {
		_, err := archive.PlaceHold(tx, v.now, "Jane Clerk", "request 7", "", archive.Cover{Scope: archive.Dates, From: "2026-03-02", Through: "2026-03-02"})
		return err
	})
	v.tampers("UPDATE hold SET from_at = '2026-03-02T23:59:59.999Z'")
	if r := v.verifies(); !r.OK() {
		return
	}
	v.now = v.now.AddDate(7, 0, 0)
	v.write(func(tx *sqlite.Tx) error {
		gone, err := v.archive.Destroy(tx, archive.Destruction{Run: 1, On: retention.DateOf(v.now), Authority: "minute 12"}, []record.Seq{one})
		if len(gone) > 0 {
			t.Error("verify is content, and what was on hold is destroyed")
		}
		return err
	})
}

// A file that is said to be lost, of which the journal knows nothing, does not verify: a
// sweep would remove it.
func TestFileSaidLost(t *testing.T) {
	v := newVault(t)
	sealed := bytes.Repeat([]byte{3}, 32)
	f := record.File{Name: "plan.pdf", Path: "/x", Key: bytes.Repeat([]byte{1}, 32), Digest: bytes.Repeat([]byte{2}, 32), Sealed: sealed}
	r := says(bo, "B2", "a plan of the culvert")
	r.Type, r.File = record.Document, &f
	doc := v.captures(r)
	v.write(func(tx *sqlite.Tx) error {
		if err := mvault.Want(tx, v.now, doc, record.Document, f); err != nil {
			return err
		}
		_, err := tx.Exec("UPDATE media SET state = 'kept', finished_at = ?", sqlite.FormatTime(v.now))
		return err
	})
	v.tampers("UPDATE media SET state = 'lost', reason = 'WhatsApp no longer has it'")
	if r := v.verifies(); r.OK() {
		t.Error("nothing was noticed")
	}
}

// That two persons become one is no tampering with the hold on him.
func TestMergeUnderAHold(t *testing.T) {
	v := newVault(t)
	number := record.Address{JID: "447700900102@s.whatsapp.net"}
	v.captures(says(number, "B0", "by number"))
	v.captures(says(bo, "B1", "by LID"))
	v.write(func(tx *sqlite.Tx) error {
		if err := people.AddMember(tx, v.now, "sysadmin", "elected", people.Member{Name: "Bo", Role: "councillor"}, bo); err != nil {
			return err
		}
		_, err := archive.PlaceHold(tx, v.now, "Jane Clerk", "request 7", "", archive.Cover{Scope: archive.ByMember, Member: 1})
		return err
	})
	v.write(func(tx *sqlite.Tx) error { // as of a list of participants
		_, err := people.Identify(tx, v.now, record.Address{JID: bo.JID, Alt: number.JID}, "")
		return err
	})
	if r := v.verifies(); !r.OK() {
		t.Errorf("nobody tampered: %q", r.Faults)
	}
	v.write(archive.Reconcile)
	v.write(func(tx *sqlite.Tx) error {
		rs, err := archive.Some(tx, []record.Seq{1, 2})
		for _, r := range rs {
			if !r.OnHold {
				t.Errorf("record %d is not on hold", r.Seq)
			}
		}
		return err
	})
}

// A photo of which the message says nothing verifies: anybody can send one.
func TestPhotoWithoutDigest(t *testing.T) {
	v := newVault(t)
	r := says(bo, "B1", "")
	r.Type, r.File = record.Image, &record.File{MIME: "image/jpeg", Path: "/x"}
	seq := v.captures(r)
	v.write(func(tx *sqlite.Tx) error { return mvault.Want(tx, v.now, seq, record.Image, *r.File) })
	if r := v.verifies(); !r.OK() {
		t.Errorf("nobody tampered: %q", r.Faults)
	}
}

var _ = context.Background
var _ = slog.DiscardHandler
var _ = filepath.Join
var _ = time.Second

// A hold that was placed before there were kinds agrees with what the journal said then.
func TestAHoldFromBeforeThereWereKinds(t *testing.T) {
	v := newVault(t)
	v.write(func(tx *sqlite.Tx) error {
		if err := journal.Write(tx, journal.Entry{At: v.now, Who: "Jane Clerk", Act: journal.HoldPlaced, Reason: "request 7",
			About: journal.About{"hold": 1, "scope": "all"}}); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT INTO hold (scope, reason, placed_by, placed_at) VALUES ('all', 'request 7', 'Jane Clerk', ?)", sqlite.FormatTime(v.now))
		return err
	})
	v.expectFaults(v.verifies())
	v.tampers("UPDATE hold SET kind = 'foi'")
	v.expectFaults(v.verifies(), "hold 1 is not what the journal says: it was altered")
}
