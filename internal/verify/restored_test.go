package verify_test

import (
	"context"
	"strings"
	"testing"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/sqlite"
	"muniment/internal/verify"
)

// lostAndRestored has an archive of which the clerk was emailed checkpoints: before the backup,
// after it and just before the machine was lost; then it is restored, and goes on for so
// long that it is larger than it was.
func lostAndRestored(t *testing.T) (v *vault, old, lost, larger, since string) {
	v = newVault(t)
	v.captures(says(ann, "A1", "Good morning"))
	old = v.signs(v.key)
	v.captures(says(ann, "A2", "Is the culvert blocked?"))

	// What is recorded on the machine that is lost is made here and rolled back.
	after := func(n int) (note string) {
		v.forgets(func(tx *sqlite.Tx) {
			for i := range n {
				r := says(bo, string(rune('a'+i)), "Since Monday")
				r.Group, r.Sent = official, v.now
				if _, err := v.archive.Capture(tx, v.now, r); err != nil {
					t.Fatal(err)
				}
			}
			c, err := v.key.Sign(tx, v.now)
			if err != nil {
				t.Fatal(err)
			}
			note = c.Note
		})
		return note
	}
	lost, larger = after(3), after(40)
	v.restores()
	for i := range 8 {
		v.captures(says(ann, "B"+string(rune('a'+i)), "Good morning again"))
	}
	since = v.signs(v.key)
	v.captures(says(ann, "C", "Good night"))
	return v, old, lost, larger, since
}

func (v *vault) restores() {
	v.Helper()
	v.now = v.now.AddDate(0, 0, 2)
	v.write(func(tx *sqlite.Tx) error {
		r := archive.Restoration{At: v.now, MadeAt: v.now.AddDate(0, 0, -2), Who: "Sam Reed", Reason: "the disk failed"}
		var err error
		if r.Leaves, err = ledger.Size(tx); err != nil {
			return err
		}
		return archive.NoteRestored(tx, v.key, r, true)
	})
}

// forgets does what f does and leaves no trace of it.
func (v *vault) forgets(f func(tx *sqlite.Tx)) {
	v.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := v.db.Write(ctx, func(tx *sqlite.Tx) error { f(tx); return errRolledBack }); err != errRolledBack {
		v.Fatal(err)
	}
}

type rolledBack struct{ error }

var errRolledBack = rolledBack{}

func (v *vault) verifiedWith(checkpoints ...string) verify.Report {
	v.Helper()
	r, err := verify.Run(context.Background(), v.db, v.key, verify.With{Checkpoints: checkpoints})
	if err != nil {
		v.Fatal(err)
	}
	return r
}

// A checkpoint of what was lost with the machine proves the loss, and no tampering; one of
// before the backup, or of after the restore, must agree.
func TestCheckpointProvesTheLoss(t *testing.T) {
	v, old, lost, larger, since := lostAndRestored(t)
	for _, tt := range []struct {
		name        string
		checkpoints []string
		want        string
	}{
		{"none", nil, "what was recorded after the backup of 2 March 2026 at 09:02 was lost when the archive was restored on 4 March 2026 at 09:02"},
		{"of before the backup", []string{old}, "what was recorded after"},
		{"of after the restore", []string{since}, "what was recorded after"},
		{"of what was lost", []string{lost}, "3 leaves or more, recorded after the backup"},
		{"of more than there is", []string{larger}, "40 leaves or more, recorded after the backup"},
		{"all of them", []string{old, lost, larger, since}, "40 leaves or more"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := v.verifiedWith(tt.checkpoints...)
			if !r.OK() {
				t.Errorf("it does not verify: %q", r.Faults)
			}
			if len(r.Losses) != 1 || !strings.HasPrefix(r.Losses[0].String(), tt.want) {
				t.Errorf("losses: %v; want %q", r.Losses, tt.want)
			}
		})
	}
	t.Run("after another restore", func(t *testing.T) {
		v.restores()
		r := v.verifiedWith(old, lost, since)
		if !r.OK() || len(r.Losses) != 2 || r.Losses[0].Lost != 3 || r.Losses[1].Lost != 0 {
			t.Errorf("losses %v, faults %q", r.Losses, r.Faults)
		}
	})
}

// Nothing but a restore explains that a checkpoint does not agree, and not every checkpoint.
func TestNoOtherExplanation(t *testing.T) {
	for _, tt := range []struct {
		name   string
		tamper []string
		with   func(old, lost, larger, since string) string
		want   string
	}{
		{"what the backup had was altered", []string{"UPDATE record SET text = 'x' WHERE seq = 1"},
			func(old, _, _, _ string) string { return old }, "record 1 is not what was captured"},
		{"the leaves of the backup were made anew", []string{"UPDATE tree_hash SET hash = zeroblob(32) WHERE idx = 0"},
			func(old, _, _, _ string) string { return old }, "the past was altered"},
		{"what was signed since the restore is gone", []string{"UPDATE tree_hash SET hash = zeroblob(32) WHERE idx = 15"},
			func(_, _, _, since string) string { return since }, "the past was altered"},
		{"the entry was moved", []string{"UPDATE journal SET about = replace(about, '\"leaves\":3', '\"leaves\":2') WHERE act = 'archive restored'"},
			func(_, lost, _, _ string) string { return lost }, "does not stand behind the backup that it names"},
		{"the entry was removed", []string{"DELETE FROM journal WHERE act = 'archive restored'"},
			func(_, lost, _, _ string) string { return lost }, "the past was altered"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, old, lost, larger, since := lostAndRestored(t)
			v.tampers(tt.tamper...)
			r := v.verifiedWith(tt.with(old, lost, larger, since))
			if !strings.Contains(strings.Join(r.Faults, "\n"), tt.want) {
				t.Errorf("faults %q; want %q", r.Faults, tt.want)
			}
		})
	}
	t.Run("of an archive that was never restored", func(t *testing.T) {
		v, _, _, larger, _ := lostAndRestored(t)
		other := newVault(t)
		other.key = v.key
		other.captures(says(ann, "A1", "Good morning"))
		if r := other.verifiedWith(larger); !strings.Contains(strings.Join(r.Faults, "\n"), "it was cut short") {
			t.Errorf("faults %q", r.Faults)
		}
	})
	// Who has the keys, and cuts off the end of the ledger, may claim a restore; but it is a
	// leaf, at the end of what he left, and shown from then on. One that he inserts to explain
	// what somebody has a checkpoint of from after it explains nothing.
	t.Run("of a restore that is claimed without its leaf", func(t *testing.T) {
		v := newVault(t)
		v.captures(says(ann, "A1", "Good morning"))
		var cut string
		v.forgets(func(tx *sqlite.Tx) {
			if _, _, err := ledger.Append(tx, func(int64) []byte { return nil }); err != nil {
				t.Fatal(err)
			}
			c, err := v.key.Sign(tx, v.now)
			if err != nil {
				t.Fatal(err)
			}
			cut = c.Note
		})
		v.write(func(tx *sqlite.Tx) error {
			return journal.Write(tx, journal.Entry{At: v.now, Who: "nobody", Act: journal.Restored,
				About: journal.About{"made": sqlite.FormatTime(v.now), "leaves": 1, "head": ""}})
		})
		if r := v.verifiedWith(cut); !strings.Contains(strings.Join(r.Faults, "\n"), "does not stand behind the backup") {
			t.Errorf("faults %q", r.Faults)
		}
	})
}
