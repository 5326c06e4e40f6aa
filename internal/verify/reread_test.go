package verify_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	mvault "muniment/internal/vault"
)

// ballot: a vote that comes before its poll, and a message of a kind that is not read;
// then both are read; then another of each, not read. Records 1 to 5.
func (v *vault) ballot() {
	v.Helper()
	of := &record.Ref{ID: "A1", Sender: ann}
	vote := record.Received{Kind: record.Vote, Type: record.Sealed, ID: "V1", Sender: bo, Target: of, Protobuf: []byte("vote")}
	odd := record.Received{Kind: record.Unsupported, Type: "futureMessage", ID: "B1", Sender: bo, Protobuf: []byte("odd")}
	one, two := v.captures(vote), v.captures(odd)
	v.captures(says(ann, "A1", "When shall we meet?"))
	v.reads(one, record.Received{Kind: record.Vote, Type: record.Cast, Text: "Monday", Details: record.Details{Chosen: []string{"Monday"}}.Encode()})
	v.reads(two, record.Received{Kind: record.Message, Type: record.Image, Text: "The culvert.", Target: of, Mentions: []string{ann.JID},
		File: &record.File{Name: "culvert.jpg", Path: "/x", Key: bytes.Repeat([]byte{1}, 32), Digest: bytes.Repeat([]byte{2}, 32), Sealed: bytes.Repeat([]byte{3}, 32)}})
	vote.ID, odd.ID = "V2", "B2"
	vote.Target = &record.Ref{ID: "A2", Sender: ann}
	v.captures(vote)
	v.captures(odd)
	v.write(func(tx *sqlite.Tx) error {
		_, err := archive.Index(tx, 100)
		return err
	})
}

func (v *vault) reads(seq record.Seq, r record.Received) {
	v.Helper()
	r.Group = official
	v.write(func(tx *sqlite.Tx) error {
		ds, err := archive.DeliveredSome(tx, []record.Seq{seq})
		if err != nil {
			return err
		}
		_, err = v.archive.Reread(tx, v.now, journal.Daemon, "", "v2", []archive.Reading{{Of: ds[0], Received: r}})
		if r.File != nil && err == nil {
			err = mvault.Want(tx, v.now, seq, r.Type, *r.File)
		}
		return err
	})
}

// Whatever is done by hand to what was read later, or to what could not be read, is told
// with the record's number.
func TestTamperingWithReadings(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	const (
		unknownTo = " is shown as if it had been read later than it was captured, but the journal knows nothing of that: its reading was inserted"
		removed   = " was read later than it was captured, as the journal says, but is shown as it was: its reading was removed"
		otherwise = " does not say what was read in it later than it was captured: it was altered"
	)
	for _, tt := range []struct {
		name   string
		tamper []string
		want   []string
	}{
		{"nothing", nil, nil},
		{"the text", []string{"UPDATE record SET text = 'The culvert is clear.' WHERE seq = 2"}, []string{"record 2" + otherwise}},
		{"the vote", []string{`UPDATE record SET details = '{"chosen":["Tuesday"]}' WHERE seq = 1`}, []string{"record 1" + otherwise}},
		{"the kind", []string{"UPDATE record SET kind = 'response', type = 'going' WHERE seq = 1"}, []string{"record 1" + otherwise}},
		{"an emoji", []string{"UPDATE record SET emoji = '👍' WHERE seq = 2"}, []string{"record 2" + otherwise}},
		{"who is mentioned", []string{"UPDATE record SET mentions = 'null' WHERE seq = 2"}, []string{"record 2" + otherwise}},
		{"the file", []string{"UPDATE record SET file_sealed = NULL, file_name = '' WHERE seq = 2", "DELETE FROM media"}, []string{"record 2" + otherwise}},
		{"what it answers", []string{"UPDATE record SET target = NULL WHERE seq = 2"}, []string{"record 2" + otherwise}},
		{"what it was", []string{"UPDATE reread SET type = 'pastMessage' WHERE seq = 2"}, []string{altered(2)}},
		{"what it was for", []string{"UPDATE reread SET target = NULL WHERE seq = 1"}, []string{altered(1)}},
		{"the salt", []string{"UPDATE reread SET salt = zeroblob(32) WHERE seq = 2"}, []string{"record 2" + otherwise}},
		{"the protobuf", []string{"UPDATE record SET protobuf = x'00' WHERE seq = 2"}, []string{altered(2)}},
		{"the reading undone", []string{"UPDATE record SET type = 'sealed', text = '', details = '' WHERE seq = 1", "DELETE FROM reread WHERE seq = 1"},
			[]string{"record 1" + removed}},
		{"the reading undone, its row left", []string{"UPDATE record SET type = 'sealed', text = '', details = '' WHERE seq = 1"},
			[]string{"record 1" + otherwise}},
		{"the row gone", []string{"DELETE FROM reread WHERE seq = 1"}, []string{altered(1), "record 1" + removed}},
		{"a row inserted", []string{"INSERT INTO reread SELECT seq, kind, type, target, file_sealed IS NOT NULL, randomblob(32), captured FROM record WHERE seq = 5"},
			[]string{"record 5" + unknownTo}},
		{"a reading inserted", []string{
			"INSERT INTO reread SELECT seq, kind, type, target, file_sealed IS NOT NULL, randomblob(32), captured FROM record WHERE seq = 5",
			"UPDATE record SET kind = 'message', type = 'text', text = 'I resign.' WHERE seq = 5"}, []string{"record 5" + unknownTo}},
		{"a vote inserted", []string{
			"INSERT INTO reread SELECT seq, kind, type, target, file_sealed IS NOT NULL, randomblob(32), captured FROM record WHERE seq = 4",
			`UPDATE record SET type = 'cast', details = '{"chosen":["Monday"]}' WHERE seq = 4`}, []string{"record 4" + unknownTo}},
		{"a reading of a message inserted", []string{
			"INSERT INTO reread SELECT seq, kind, type, target, file_sealed IS NOT NULL, randomblob(32), captured FROM record WHERE seq = 3",
			"UPDATE record SET text = 'I resign.' WHERE seq = 3"}, []string{altered(3), "record 3" + unknownTo}},
		{"the journal's account", []string{"UPDATE journal SET about = replace(about, '\"1\"', '\"4\"') WHERE act = 'records read again'"},
			[]string{"record 1" + unknownTo, "journal entry 3 is not what was written: it was altered", "record 4" + removed}},
		{"the clock of what follows", []string{"UPDATE record SET due = '2040-01-01' WHERE seq = 1"}, []string{"record 1: " + undue}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVault(t)
			v.ballot()
			v.tampers(tt.tamper...)
			r := v.verifies()
			v.expectFaults(r, tt.want...)
			if len(tt.want) == 0 && r.Reread != 2 {
				t.Errorf("%d records were read later", r.Reread)
			}
		})
	}
}

// What this program would read in another way is told, and is no fault. Only what is in
// no leaf is asked for.
func TestWhatIsReadOtherwise(t *testing.T) {
	v := newVault(t)
	v.ballot()
	var asked []record.Seq
	v.differs = func(_ *sqlite.Tx, seq record.Seq) (bool, error) {
		asked = append(asked, seq)
		return seq == 2, nil
	}
	r := v.verifies()
	v.expectFaults(r)
	if !slices.Equal(r.Otherwise, []record.Seq{2}) || !slices.Equal(asked, []record.Seq{1, 2}) {
		t.Errorf("read otherwise: %v; asked of %v", r.Otherwise, asked)
	}
}

// It verifies for ever, whatever of it is destroyed.
func TestReadingsAcrossDestruction(t *testing.T) {
	v := newVault(t)
	v.ballot()
	v.signs(v.key)
	v.now = v.now.AddDate(7, 0, 0)
	v.destroys(1, 3)
	v.expectFaults(v.verifies())
	v.differs = func(*sqlite.Tx, record.Seq) (bool, error) { return false, errors.New("asked of what is gone") }
	v.destroys(2, 4, 5)
	v.write(func(tx *sqlite.Tx) error { _, err := mvault.Forget(tx, []record.Seq{2}); return err })
	v.expectFaults(v.verifies())
}
