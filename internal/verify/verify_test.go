package verify_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
	"muniment/internal/verify"
)

const official = "120363000000000001@g.us"

var (
	ann    = record.Address{JID: "200000000000101@lid"}
	bo     = record.Address{JID: "200000000000102@lid"}
	monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
)

// vault is an archive with its key, whose file a tamperer can reach.
type vault struct {
	*testing.T
	db      *sqlite.DB
	key     *ledger.Key
	archive *archive.Archive
	now     time.Time
	differs func(*sqlite.Tx, record.Seq) (bool, error) // nil: nothing is read again
}

func newVault(t *testing.T) *vault {
	t.Helper()
	dir := t.TempDir()
	db, err := sqlitetest.Create(context.Background(), filepath.Join(dir, "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	v := &vault{T: t, db: db, key: newKey(t), now: monday}
	v.write(func(tx *sqlite.Tx) error {
		if err := archive.Lay(tx, v.now, "sysadmin"); err != nil {
			return err
		}
		v.archive, err = archive.Load(tx, retention.ForYears(6))
		return err
	})
	return v
}

func newKey(t *testing.T) *ledger.Key {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.key")
	if err := ledger.NewKey(path, "example.gov.uk"); err != nil {
		t.Fatal(err)
	}
	key, err := ledger.LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (v *vault) write(f func(tx *sqlite.Tx) error) {
	v.Helper()
	if err := v.db.Write(context.Background(), f); err != nil {
		v.Fatal(err)
	}
}

func (v *vault) captures(r record.Received) record.Seq {
	v.Helper()
	v.now = v.now.Add(time.Minute)
	r.Group, r.Sent = official, v.now
	var c archive.Captured
	v.write(func(tx *sqlite.Tx) (err error) { c, err = v.archive.Capture(tx, v.now, r); return err })
	return c.Seq
}

func says(who record.Address, id, text string) record.Received {
	return record.Received{Kind: record.Message, Type: record.Text, ID: id, Sender: who, Text: text, Protobuf: []byte(text)}
}

func (v *vault) signs(key *ledger.Key) (note string) {
	v.Helper()
	v.write(func(tx *sqlite.Tx) error {
		c, err := key.Sign(tx, v.now)
		note = c.Note
		return err
	})
	return note
}

// destroys destroys what is due as a disposal run does.
func (v *vault) destroys(seqs ...record.Seq) {
	v.Helper()
	v.write(func(tx *sqlite.Tx) error {
		gone, err := v.archive.Destroy(tx, archive.Destruction{Run: 1, On: retention.DateOf(v.now), Authority: "minute 12"}, seqs)
		if err != nil || len(gone) != len(seqs) {
			return fmt.Errorf("destroyed %d of %d: %w", len(gone), len(seqs), err)
		}
		return journal.Write(tx, journal.Entry{At: v.now, Who: journal.Daemon, Act: journal.RunStep,
			About: journal.About{"run": 1, "records": seqs}})
	})
}

// story: three messages, one of which answers another and quotes it, and a
// reaction; a checkpoint; one more message. Records 1 to 5.
func (v *vault) story() (checkpoint string) {
	v.Helper()
	v.captures(says(ann, "A1", "The culvert is blocked."))
	reply := says(bo, "B1", "Since when?")
	ref := record.Ref{ID: "A1", Sender: ann}
	reply.Target = &ref
	reply.Quotations = []record.Quotation{{Of: ref, Text: "The culvert is blocked.", Protobuf: []byte("context")}}
	v.captures(reply)
	v.captures(record.Received{Kind: record.Reaction, Type: record.ReactionAdded, ID: "B2", Sender: bo, Emoji: "📌", Target: &ref})
	v.captures(says(ann, "A2", "Since Tuesday."))
	checkpoint = v.signs(v.key)
	v.captures(says(bo, "B3", "I shall report it."))
	return checkpoint
}

// tampers is somebody with the file and a program of his own; what guards the
// tables in it is no obstacle to him.
func (v *vault) tampers(statements ...string) {
	v.Helper()
	raw, err := sql.Open("sqlite", v.db.Path()+"?_pragma=foreign_keys(0)&_pragma=busy_timeout(5000)")
	if err != nil {
		v.Fatal(err)
	}
	defer raw.Close()
	for _, s := range append([]string{
		"DROP TRIGGER IF EXISTS record_is_never_altered", "DROP TRIGGER IF EXISTS record_due_is_fixed",
		"DROP TRIGGER IF EXISTS journal_is_never_altered", "DROP TRIGGER IF EXISTS journal_leaves_a_stub", "DROP TRIGGER IF EXISTS record_is_read_once",
		"DROP TRIGGER IF EXISTS reread_is_as_captured", "DROP TRIGGER IF EXISTS reread_is_never_altered",
		"DROP TRIGGER IF EXISTS reread_goes_with_its_record", "DROP TRIGGER IF EXISTS record_form_is_fixed",
		"DROP TRIGGER IF EXISTS record_goes_by_the_destroying_statement",
		"DROP TRIGGER IF EXISTS quotation_goes_by_the_destroying_statement", "DROP TRIGGER IF EXISTS quotation_is_never_altered",
	}, statements...) {
		if _, err := raw.Exec(s); err != nil {
			v.Fatalf("%s: %v", s, err)
		}
	}
}

func (v *vault) verifies(others ...string) verify.Report {
	v.Helper()
	r, err := verify.Run(context.Background(), v.db, v.key, verify.With{Checkpoints: others, Differs: v.differs})
	if err != nil {
		v.Fatal(err)
	}
	return r
}

// refersTo returns the integrity reference of the ledger as it stands.
func (v *vault) refersTo() (ref ledger.Reference) {
	v.Helper()
	v.write(func(tx *sqlite.Tx) (err error) { ref, err = ledger.Refer(tx); return err })
	return ref
}

// An email, or its print, has no more than a reference. The archive agrees with it as long
// as nothing that it covers was altered, even if the ledger was made anew to hide that.
func TestAReferenceFromAnEmail(t *testing.T) {
	v, forged := newVault(t), newVault(t)
	v.story()
	ref := v.refersTo()
	v.captures(says(ann, "A7", "Later."))
	with := verify.With{References: []ledger.Reference{ref}}
	check := func(v *vault, want ...string) {
		t.Helper()
		r, err := verify.Run(context.Background(), v.db, v.key, with)
		if err != nil {
			t.Fatal(err)
		}
		v.expectFaults(r, want...)
	}
	check(v)
	forged.story() // with secrets of its own, as any other archive
	check(forged, fmt.Sprintf("the first 6 leaves are not those that the reference %s is of: the past was altered, or it was not wholly copied", ref))
	short := newVault(t)
	short.captures(says(ann, "A1", "The culvert is blocked."))
	check(short, fmt.Sprintf("the reference %s covers 6 leaves, but the ledger has only 2: it was cut short", ref))
}

func (v *vault) expectFaults(r verify.Report, want ...string) {
	v.Helper()
	if diff := cmp.Diff(want, r.Faults); diff != "" {
		v.Errorf("faults (-want +got)\n%s", diff)
	}
	if r.OK() != (len(want) == 0) {
		v.Errorf("OK = %v", r.OK())
	}
}

func TestACleanArchiveVerifies(t *testing.T) {
	v := newVault(t)
	v.expectFaults(v.verifies())
	checkpoint := v.story()
	r := v.verifies(checkpoint)
	v.expectFaults(r)
	if r.Records != 5 || r.Stubs != 0 || r.Entries != 1 || r.Leaves != 6 || r.Checkpoints != 2 {
		t.Errorf("report: %+v", r)
	}
	v.write(func(tx *sqlite.Tx) error {
		if root, err := ledger.Root(tx, 6); err != nil || root != r.Root {
			t.Errorf("head %v, err %v; verified %v", root, err, r.Root)
		}
		return nil
	})
}

func TestItVerifiesAcrossLawfulDestruction(t *testing.T) {
	v := newVault(t)
	checkpoint := v.story()
	v.now = v.now.AddDate(7, 0, 0)
	v.destroys(1, 3) // with the quotation of 1 in 2
	v.destroys(5)
	v.captures(says(ann, "A3", "New."))
	r := v.verifies(checkpoint)
	v.expectFaults(r)
	if r.Records != 3 || r.Stubs != 3 {
		t.Errorf("report: %+v", r)
	}
	v.destroys(2, 4)
	v.expectFaults(v.verifies(checkpoint))
}

func TestProgressAndCancel(t *testing.T) {
	v := newVault(t)
	v.story()
	var last, all int64
	if _, err := verify.Run(context.Background(), v.db, v.key, verify.With{Progress: func(d, a int64) { last, all = d, a }}); err != nil || last != 6 || all != 6 {
		t.Errorf("progress ended at %d of %d, err %v", last, all, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := verify.Run(ctx, v.db, v.key, verify.With{}); err == nil {
		t.Error("a cancelled verification reported")
	}
}

// altered tells what is expected of a record whose content no longer fits.
func altered(seq int) string {
	return fmt.Sprintf("record %d is not what was captured: it was altered", seq)
}

const (
	resigned = "the first 5 leaves are not those that were signed: the past was altered"
	readable = "record %d: it cannot be read: it was altered"
	undue    = "it is not kept for as long as it should be: its due date was altered"
)

func TestEveryTamperingIsTold(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	for _, tt := range []struct {
		name   string
		tamper []string
		want   []string
	}{
		{"a text altered", []string{"UPDATE record SET text = 'All is well.' WHERE seq = 1"}, []string{altered(1)}},
		{"a time altered", []string{"UPDATE record SET sent = '2026-03-02T10:00:00.000Z' WHERE seq = 2"}, []string{altered(2)}},
		{"a sender exchanged", []string{"UPDATE record SET sender = '" + bo.JID + "' WHERE seq = 1"}, []string{altered(1), "record 1 is not its sender's: who sent it was altered"}},
		{"a reaction turned", []string{"UPDATE record SET emoji = '👎' WHERE seq = 3"}, []string{altered(3)}},
		{"a reply moved to another message", []string{"UPDATE record SET target = (SELECT origin FROM record WHERE seq = 4) WHERE seq = 2"}, []string{altered(2)}},
		{"the name of a message altered, so that replies miss it", []string{"UPDATE record SET origin = randomblob(32) WHERE seq = 1"}, []string{altered(1), "record 3: " + undue}},
		{"the protobuf altered", []string{"UPDATE record SET protobuf = x'00' WHERE seq = 4"}, []string{altered(4)}},
		{"a salt exchanged", []string{"UPDATE record SET salt = randomblob(32) WHERE seq = 4"}, []string{altered(4)}},
		{"a leaf said to be of the form before seals", []string{"UPDATE record SET form = 1 WHERE seq = 4"}, []string{altered(4)}},
		{"a leaf said to be of no form", []string{"UPDATE record SET form = 3 WHERE seq = 4"}, []string{altered(4)}},
		{"a list made unreadable", []string{"UPDATE record SET mentions = 'x' WHERE seq = 1"}, []string{fmt.Sprintf(readable, 1)}},
		{"a time made unreadable", []string{"UPDATE record SET captured = 'noon' WHERE seq = 1"}, []string{altered(1), fmt.Sprintf(readable, 1)}},
		{"a record removed", []string{"DELETE FROM record WHERE seq = 4"}, []string{
			"nothing stands behind leaf 4: a record or journal entry was removed",
			"record 5 stands in the ledger where record 4 belongs"}},
		{"the last record removed", []string{"DELETE FROM record WHERE seq = 5"}, []string{
			"nothing stands behind leaf 5: a record or journal entry was removed"}},
		{"a record inserted after the last", []string{copyOf(1, "99", "99")}, []string{
			"record 99 claims a place in the ledger that is not its own: it was inserted"}},
		{"a record inserted in another's place", []string{"UPDATE record SET leaf = 77 WHERE seq = 2", copyOf(1, "99", "2")}, []string{
			altered(99), "record 99 stands in the ledger where record 2 belongs",
			"record 3 stands in the ledger where record 100 belongs",
			"record 2 claims a place in the ledger that is not its own: it was inserted"}},
		{"a record where a journal entry stands", []string{copyOf(1, "99", "0")}, []string{
			"leaf 0 is claimed by record 99 and by journal entry 1",
			"record 99 stands in the ledger where record 1 belongs",
			"record 1 stands in the ledger where record 100 belongs"}},
		{"two records swapped", []string{"UPDATE record SET leaf = 77 WHERE seq = 1", "UPDATE record SET leaf = 1 WHERE seq = 4",
			"UPDATE record SET leaf = 4 WHERE seq = 1"}, []string{
			altered(4), "record 4 stands in the ledger where record 1 belongs",
			"record 2 stands in the ledger where record 5 belongs", altered(1),
			"record 1 stands in the ledger where record 4 belongs", "record 5 stands in the ledger where record 2 belongs"}},
		{"a record removed under a forged stub", []string{stubOf(4), "DELETE FROM record WHERE seq = 4"}, []string{
			"record 4 is gone, but no disposal run destroyed it: it was removed"}},
		{"a quotation altered", []string{"UPDATE quotation SET text = 'The culvert is clear.'"}, []string{"record 2: quotation 1 in it was altered"}},
		{"a quotation tied to another message", []string{"UPDATE quotation SET origin = (SELECT origin FROM record WHERE seq = 4)"},
			[]string{"record 2: quotation 1 in it was altered"}},
		{"a quotation and its digest altered", []string{"UPDATE quotation SET digest = randomblob(32)"},
			[]string{altered(2), "record 2: quotation 1 in it was altered"}},
		{"a quotation's content removed", []string{"UPDATE quotation SET salt = NULL, text = NULL, id = NULL, sender = NULL, protobuf = NULL"},
			[]string{"record 2: quotation 1 in it was removed"}},
		{"a quotation removed", []string{"DELETE FROM quotation"}, []string{altered(2)}},
		{"a journal entry altered", []string{"UPDATE journal SET who = 'nobody' WHERE id = 1"}, []string{
			"journal entry 1 is not what was written: it was altered"}},
		{"a journal entry removed", []string{"DELETE FROM journal WHERE id = 1"}, []string{
			"nothing stands behind leaf 0: a record or journal entry was removed"}},
		{"a journal entry inserted", []string{"INSERT INTO journal SELECT 2, at, who, act, reason, about, salt, 50 FROM journal"}, []string{
			"journal entry 2 claims a place in the ledger that is not its own: it was inserted"}},
		{"a leaf altered", []string{"UPDATE tree_hash SET hash = zeroblob(32) WHERE idx = 1"}, []string{
			"the ledger's tree does not agree with itself above leaf 1", altered(1),
			"the ledger's tree does not agree with itself above leaf 3", resigned}},
		{"a hash within the tree altered", []string{"UPDATE tree_hash SET hash = zeroblob(32) WHERE idx = 2"}, []string{
			"the ledger's tree does not agree with itself above leaf 1"}},
		{"a hash missing", []string{"DELETE FROM tree_hash WHERE idx = 2"}, []string{
			"hash 2 of the ledger is missing; what comes after it cannot be checked"}},
		{"the tail cut off", []string{"DELETE FROM tree_hash WHERE idx >= 7", "DELETE FROM record WHERE seq >= 4"}, []string{
			"checkpoint 1 covers 5 leaves, but the ledger has only 4: it was cut short"}},
		{"a checkpoint altered", []string{"UPDATE checkpoint SET note = replace(note, char(10) || '5' || char(10), char(10) || '4' || char(10))"}, []string{
			"checkpoint 1 does not bear this archive's signature"}},
		{"all removed", []string{"DELETE FROM tree_hash", "DELETE FROM record", "DELETE FROM journal", "DELETE FROM quotation"}, []string{
			"the ledger is empty: the archive was emptied or replaced"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVault(t)
			v.story()
			v.tampers(tt.tamper...)
			v.expectFaults(v.verifies(), tt.want...)
		})
	}
}

// copyOf inserts a copy of a record under another number and leaf.
func copyOf(seq int, as, leaf string) string {
	const rest = `kind, type, group_jid, id, person, sender, sender_alt, push_name,
		own, sent, captured, text, emoji, target, mentions, participants, version, protobuf, class, due, due_from, years, salt,
		file_name, file_sealed, by_admin, text_at, details, import, supplied, form`
	return fmt.Sprintf("INSERT INTO record (seq, origin, leaf, %s) SELECT %s, randomblob(32), %s, %s FROM record WHERE seq = %d",
		rest, as, leaf, rest, seq)
}

func stubOf(seq int) string {
	return fmt.Sprintf(`INSERT INTO stub SELECT seq, origin, '2026-03-02', class, 'a rule', '2032-03-03', 1, 'minute 12', leaf
		FROM record WHERE seq = %d`, seq)
}

func TestAfterDestruction(t *testing.T) {
	for _, tt := range []struct {
		name   string
		tamper []string
		want   []string
	}{
		{"a stub removed", []string{"DELETE FROM stub WHERE seq = 1"}, []string{
			"nothing stands behind leaf 1: a record or journal entry was removed",
			"record 2 stands in the ledger where record 1 belongs",
			"record 2: quotation 1 in it was removed"}},
		{"the journal's account of it removed", []string{"DELETE FROM journal WHERE act = 'records destroyed'"}, []string{
			"record 1 is gone, but no disposal run destroyed it: it was removed",
			"record 3 is gone, but no disposal run destroyed it: it was removed",
			"nothing stands behind leaf 6: a record or journal entry was removed"}},
		{"another added to the journal's account", []string{
			"UPDATE journal SET about = '{\"records\":[1,3,4],\"run\":1}' WHERE act = 'records destroyed'",
			stubOf(4), "DELETE FROM record WHERE seq = 4"}, []string{
			"journal entry 2 is not what was written: it was altered"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVault(t)
			v.story()
			v.now = v.now.AddDate(7, 0, 0)
			v.destroys(1, 3)
			v.tampers(tt.tamper...)
			v.expectFaults(v.verifies(), tt.want...)
		})
	}
}

// What is due when is no part of the leaf, but follows from what is.
func TestEveryDueDateFollows(t *testing.T) {
	for _, tt := range []struct {
		name   string
		tamper []string
		want   []string
	}{
		{"a due date brought forward", []string{"UPDATE record SET due = '2026-03-03' WHERE seq = 4"}, []string{"record 4: " + undue}},
		{"a due date with its period", []string{"UPDATE record SET due = '2026-03-03', years = 0 WHERE seq = 4"}, []string{
			"record 4 is kept for 0 years, but those of its time for 6: it was altered"}},
		{"a message's due date, and its reaction's", []string{"UPDATE record SET due = '2026-03-03' WHERE seq IN (1, 3)"}, []string{"record 1: " + undue}},
		{"a reaction's due date", []string{"UPDATE record SET due = '2026-03-03' WHERE seq = 3"}, []string{"record 3: " + undue}},
		{"a reaction taken from its message's clock", []string{"UPDATE record SET due_from = 'own' WHERE seq = 3"}, []string{"record 3: " + undue}},
		{"a message on another's clock", []string{"UPDATE record SET due_from = 'parent' WHERE seq = 4"}, []string{"record 4: " + undue}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVault(t)
			v.story()
			v.tampers(tt.tamper...)
			v.expectFaults(v.verifies(), tt.want...)
		})
	}
}

// A hold suspends destruction for as long as the journal says, and no shorter.
func TestHoldsAgreeWithTheJournal(t *testing.T) {
	for _, tt := range []struct {
		name   string
		tamper []string
		want   []string
	}{
		{"as they are", nil, nil},
		{"one removed", []string{"DELETE FROM hold WHERE id = 2"}, []string{
			"hold 2 was placed, as the journal says, but is gone: it was removed"}},
		{"one released by nobody", []string{"UPDATE hold SET released_at = '2026-03-03T09:00:00.000Z' WHERE id = 2"}, []string{
			"hold 2 was ended, but the journal knows of no release: it was altered"}},
		{"one put in force again", []string{"UPDATE hold SET released_at = NULL WHERE id = 1"}, []string{
			"hold 1 was released, as the journal says, but is in force: it was altered"}},
		{"one inserted", []string{"INSERT INTO hold (scope, reason, placed_by, placed_at) VALUES ('all', 'x', 'nobody', '2026-03-03T09:00:00.000Z')"},
			[]string{"hold 3 is not in the journal: it was inserted"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVault(t)
			v.story()
			v.write(func(tx *sqlite.Tx) error {
				first, err := archive.PlaceHold(tx, v.now, "Jane Clerk", "flood inquiry", "", archive.Cover{Scope: archive.Everything})
				if err != nil {
					return err
				}
				if _, err := archive.PlaceHold(tx, v.now, "Jane Clerk", "audit", "", archive.Cover{Scope: archive.Everything}); err != nil {
					return err
				}
				return archive.ReleaseHold(tx, v.now, first, "Jane Clerk", "closed")
			})
			v.tampers(tt.tamper...)
			v.expectFaults(v.verifies(), tt.want...)
		})
	}
}

// Each record is kept for the period of its time, as the journal tells it; a
// reaction, for that of its message.
func TestItVerifiesAcrossAnotherPeriod(t *testing.T) {
	v := newVault(t)
	v.story()
	ref := record.Ref{ID: "A1", Sender: ann}
	for _, years := range []int{8, 3} {
		v.write(func(tx *sqlite.Tx) (err error) {
			schedule := retention.ForYears(years)
			schedule.Minute = fmt.Sprint("26/", years)
			if v.archive, err = archive.Load(tx, schedule); err != nil {
				return err
			}
			return v.archive.Adopt(tx, v.now)
		})
		v.captures(says(ann, fmt.Sprint("N", years), "New."))
		v.captures(record.Received{Kind: record.Reaction, Type: record.ReactionAdded, ID: fmt.Sprint("R", years), Sender: bo, Emoji: "👍", Target: &ref})
	}
	v.expectFaults(v.verifies())
	v.now = v.now.AddDate(7, 0, 0)
	v.destroys(1, 3, 7, 9) // and a reaction to what is destroyed
	v.captures(record.Received{Kind: record.Reaction, Type: record.ReactionAdded, ID: "R9", Sender: ann, Emoji: "🙏", Target: &ref})
	v.expectFaults(v.verifies())
	v.tampers("UPDATE record SET years = 3, due = '2029-03-03' WHERE seq = 6")
	v.expectFaults(v.verifies(), "record 6 is kept for 3 years, but those of its time for 8: it was altered")
}

// A record that was destroyed comes back from an old copy of the file: it agrees
// with its leaf, and is out of place all the same.
func TestADestroyedRecordBroughtBack(t *testing.T) {
	v := newVault(t)
	v.story()
	v.tampers("CREATE TABLE copy AS SELECT * FROM record WHERE seq = 4")
	v.now = v.now.AddDate(7, 0, 0)
	v.destroys(4)
	v.tampers("DELETE FROM stub WHERE seq = 4", "INSERT INTO record SELECT * FROM copy")
	v.expectFaults(v.verifies(), "record 4 is here, although a disposal run destroyed it")
}

func TestCheckpointsOfOthers(t *testing.T) {
	v := newVault(t)
	v.story()
	v.expectFaults(v.verifies("not a checkpoint"), "the checkpoint given does not bear the signature of this archive's key: it was altered or not wholly copied, it is of another archive, or this archive was made anew in place of its own")

	stranger := newVault(t)
	stranger.story()
	v.expectFaults(v.verifies(stranger.signs(stranger.key)), "the checkpoint given does not bear the signature of this archive's key: it was altered or not wholly copied, it is of another archive, or this archive was made anew in place of its own")
	v.signs(stranger.key)
	v.expectFaults(v.verifies(), "checkpoint 2 does not bear this archive's signature")
}

// Whoever has the file and the key can write the whole ledger anew, and it agrees
// with itself. The checkpoint in the clerk's mailbox tells.
func TestARewriteIsFoundByACheckpointFromOutside(t *testing.T) {
	v := newVault(t)
	emailed := v.story()
	forged := newVault(t)
	forged.key = v.key
	for i := range 6 {
		forged.captures(says(ann, fmt.Sprint("A", i), "All is well."))
	}
	forged.signs(forged.key)
	forged.expectFaults(forged.verifies())
	forged.expectFaults(forged.verifies(emailed), resigned)
}

// However much is wrong, the report stays readable.
func TestManyFaultsAreCounted(t *testing.T) {
	v := newVault(t)
	for i := range 80 {
		v.captures(says(ann, fmt.Sprint("A", i), "x"))
	}
	v.tampers("UPDATE record SET text = 'y'")
	if r := v.verifies(); len(r.Faults) != 50 || r.More != 30 || r.OK() {
		t.Errorf("%d faults told, %d more", len(r.Faults), r.More)
	}
	for _, f := range v.verifies().Faults {
		if strings.Contains(f, "%!") {
			t.Errorf("a fault is no sentence: %s", f)
		}
	}
}
