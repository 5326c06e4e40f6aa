package verify_test

import (
	"fmt"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// A gap that somebody removes, inserts or closes by hand is told.
func TestTamperingWithGaps(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	const (
		gone   = "gaps that were opened, as the journal says, are gone (1): they were altered or removed"
		added  = "gaps are not in the journal (1): they were altered or inserted"
		ended  = "gaps were closed of which the journal does not know that (1): they were altered"
		opened = "gaps were closed, as the journal says, but are open: they were altered"
	)
	for _, tt := range []struct {
		name   string
		tamper []string
		want   []string
	}{
		{"nothing", nil, nil},
		{"a time removed", []string{"DELETE FROM gap WHERE kind = 'not linked'"}, []string{gone}},
		{"a message removed", []string{"DELETE FROM gap WHERE kind = 'not decrypted' AND closed_at IS NULL"}, []string{gone}},
		{"one inserted", []string{"INSERT INTO gap (kind, group_jid, opened_at, cause) SELECT kind, group_jid, opened_at, cause FROM gap WHERE kind = 'not linked'"}, []string{added}},
		{"later than it was", []string{"UPDATE gap SET opened_at = '2026-03-02T23:00:00.000Z' WHERE kind = 'not linked'"}, []string{gone, added}},
		{"another cause", []string{"UPDATE gap SET cause = 'WhatsApp was down.' WHERE kind = 'not linked'"}, []string{gone, added}},
		{"closed", []string{"UPDATE gap SET closed_at = '2026-03-02T23:00:00.000Z' WHERE closed_at IS NULL AND kind = 'not decrypted'"}, []string{ended}},
		{"found later than it was", []string{"UPDATE gap SET opened_at = '2026-03-02T23:00:00.000Z' WHERE kind = 'not received'"}, []string{gone, added}},
		{"a proven hole removed", []string{"DELETE FROM gap WHERE kind = 'not received'"}, []string{gone}},
		{"supplied after all", []string{"UPDATE gap SET closed_at = opened_at, ending = 'from the phone' WHERE kind = 'not received'"}, []string{ended}},
		{"closed otherwise", []string{"UPDATE gap SET ending = 'before the record' WHERE kind = 'not decrypted' AND closed_at IS NOT NULL"}, []string{ended, opened}},
		{"asked for more often, which is not compared", []string{"UPDATE gap SET asked = asked + 1, asked_at = opened_at"}, nil},
		{"opened again", []string{"UPDATE gap SET closed_at = NULL WHERE kind = 'not decrypted'"}, []string{opened}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVault(t)
			v.captures(record.Received{Kind: record.Reaction, Type: record.ReactionAdded, ID: "B1", Sender: bo, Emoji: "👍", Target: &record.Ref{ID: "A3", Sender: ann}})
			v.write(func(tx *sqlite.Tx) error {
				for _, id := range []string{"A1", "A2"} {
					if err := v.archive.MissMessage(tx, v.now, archive.Missed{Group: official, Ref: record.Ref{ID: id, Sender: ann}, Cause: "it could not be decrypted"}); err != nil {
						return err
					}
				}
				if _, err := v.archive.FindHoles(tx, v.now.Add(time.Hour), 100, archive.Names{
					Target: func(_ *sqlite.Tx, d archive.Delivered) (*record.Ref, error) {
						return &record.Ref{ID: "A3", Sender: ann}, nil
					},
				}); err != nil {
					return err
				}
				return archive.OpenGap(tx, v.now, v.now.Add(-time.Hour), archive.NotLinked, "The link was lost.")
			})
			v.captures(says(ann, "A1", "Here after all."))
			v.tampers(tt.tamper...)
			v.expectFaults(v.verifies(), tt.want...)
		})
	}
}

// Of messages that a member has invented, no more gaps are in the journal than there are.
func TestGapsOfInventedMessagesVerify(t *testing.T) {
	v := newVault(t)
	for i := range 60 {
		v.captures(record.Received{Kind: record.Reaction, Type: record.ReactionAdded, ID: fmt.Sprint("B", i), Sender: bo, Emoji: "👍",
			Target: &record.Ref{ID: fmt.Sprint("invented", i), Sender: ann}})
	}
	v.write(func(tx *sqlite.Tx) error {
		_, err := v.archive.FindHoles(tx, v.now.Add(time.Hour), 100, archive.Names{
			Target: func(_ *sqlite.Tx, d archive.Delivered) (*record.Ref, error) {
				return &record.Ref{ID: "invented" + d.Received.ID[1:], Sender: ann}, nil
			},
		})
		return err
	})
	v.write(func(tx *sqlite.Tx) error {
		gaps, err := archive.Gaps(tx)
		if len(gaps) == 0 || gaps[0].Further == 0 || len(gaps) >= 60 {
			t.Errorf("%d gaps, the last of %d further messages", len(gaps), gaps[0].Further)
		}
		return err
	})
	v.expectFaults(v.verifies())
}
