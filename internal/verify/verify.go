// Package verify derives everything anew that the archive claims of itself and
// compares: every record and journal entry with its leaf, the leaves with the
// tree, the tree with its signed checkpoints.
//
// It reads as a stream, in one consistent state, and needs little memory however
// large the archive is.
package verify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/flag"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// Report is what was found.
type Report struct {
	Records     int64 // kept, each agreeing with its leaf
	Stubs       int64 // destroyed; their leaves stand
	Entries     int64 // of the journal
	EntryStubs  int64 // likewise destroyed, of the access log
	Leaves      int64
	Checkpoints int
	Files       int // of records, read and agreeing with what was delivered
	Root        ledger.Hash
	Reread      int          // records that could not be read at capture, and were later
	Otherwise   []record.Seq // of these, what this program reads in another way than was read then; no fault
	Faults      []string     // sentences; empty if all is well
	More        int          // faults beyond those told
	Losses      []Loss       // of restores from a backup; no fault

	destroyed []span            // the records that runs destroyed, as the journal tells,
	entries   []span            // and its own entries
	schedules []archive.Adopted // as the journal tells them; the first is in force where the walk is
	last      record.Seq        // the number of the record or stub before
	names     *people.Names
	lost      map[int64]bool // the records of which the journal says that their file is lost
	reread    []record.Seq
	readings  map[record.Seq][]byte // the digests that the journal has of what was read in records later
}

// OK reports whether nothing was found wrong.
func (r Report) OK() bool { return len(r.Faults) == 0 }

// maxFaults bounds how many faults are told one by one.
const maxFaults = 50

func (r *Report) fault(format string, args ...any) {
	if len(r.Faults) == maxFaults {
		r.More++
		return
	}
	r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
}

// With is what an archive can be verified with, besides itself. The zero With will do.
type With struct {
	Files       *vault.Vault // reads the files through; else only what is known of them is checked
	Checkpoints []string     // from elsewhere, such as an email
	References  []ledger.Reference

	// Disposal compares certificates, lists and runs with the journal, and stubs with
	// certificates, and returns what is wrong, in sentences.
	Disposal func(tx *sqlite.Tx, key *ledger.Key) ([]string, error)

	// Differs reports whether this program reads a record in another way than is shown.
	// It is asked of those of which the reading is in no leaf.
	Differs func(tx *sqlite.Tx, seq record.Seq) (bool, error)

	// Gently has one thing done after the other, so that who captures meanwhile need not wait
	// for a processor.
	Gently bool

	Progress func(done, all int64) // is called now and then with the leaves done and all leaves
}

// Run verifies the archive in db.
func Run(ctx context.Context, db *sqlite.DB, key *ledger.Key, with With) (Report, error) {
	var r Report
	type soundness struct {
		faults []string
		err    error
	}
	sound := make(chan soundness, 1)
	check := func() {
		faults, err := db.Sound(ctx)
		sound <- soundness{faults, err}
	}
	if !with.Gently { // beside the rest, since it takes a third of the time
		go check()
	}
	err := db.Read(ctx, func(tx *sqlite.Tx) error { return r.readAll(ctx, tx, key, with) })
	if with.Gently {
		check()
	}
	file := <-sound
	for _, f := range file.faults {
		r.fault("the archive's file is damaged: %s", f)
	}
	err = errors.Join(err, file.err)
	if err == nil && with.Files != nil {
		err = r.readFiles(ctx, db, with.Files)
	}
	var d damage
	switch {
	case err == nil:
	case errors.As(err, &d):
		r.fault("%s", d)
	case sqlite.Damaged(err):
		r.fault("the archive's file is damaged and cannot be read to the end: %v", err)
	default:
		return Report{}, fmt.Errorf("verify: %w", err)
	}
	return r, nil
}

// readAll reads the whole archive, in one state of it.
func (r *Report) readAll(ctx context.Context, tx *sqlite.Tx, key *ledger.Key, with With) error {
	size, err := ledger.Size(tx)
	if err != nil {
		return err
	}
	if size == 0 {
		return damage("the ledger is empty: the archive was emptied or replaced")
	}
	if err := r.compareRestored(tx); err != nil {
		return err
	}
	heads, err := r.openCheckpoints(tx, key, with.Checkpoints, with.References, size)
	if err != nil {
		return err
	}
	if r.destroyed, r.entries, err = destroyed(tx); err != nil {
		return err
	}
	if err := r.compareSchedule(tx); err != nil {
		return err
	}
	if r.names, err = people.LoadNames(tx); err != nil {
		return err
	}
	r.lost = make(map[int64]bool)
	if err := journal.Of(tx, journal.FileLost, func(e journal.Entry, _ int64) error {
		r.lost[e.About.Number("record")] = true
		return nil
	}); err != nil {
		return err
	}
	if err := r.compareFlags(tx); err != nil {
		return err
	}
	if err := r.compareHolds(tx); err != nil {
		return err
	}
	if err := r.compareRegister(tx); err != nil {
		return err
	}
	if err := r.compareGaps(tx); err != nil {
		return err
	}
	if err := r.compareImports(tx); err != nil {
		return err
	}
	if with.Disposal != nil {
		faults, err := with.Disposal(tx, key)
		if err != nil {
			return err
		}
		for _, f := range faults {
			r.fault("%s", f)
		}
	}
	if err := r.compareRows(tx); err != nil {
		return err
	}
	if err := r.compareIndex(tx); err != nil {
		return err
	}
	if r.readings, err = archive.Readings(tx); err != nil {
		return err
	}
	return r.walk(ctx, tx, size, heads, with)
}

// compareRows finds rows that belong to nothing: they were inserted, or what they belonged to
// was removed.
func (r *Report) compareRows(tx *sqlite.Tx) error {
	dangling, err := sqlite.Dangling(tx)
	if err != nil {
		return err
	}
	for _, table := range slices.Sorted(maps.Keys(dangling)) {
		r.fault("in the table %s, rows belong to what is not there: %d of them were inserted, or what they belonged to was removed", table, dangling[table])
	}
	stray, err := archive.StrayQuotations(tx)
	if err != nil {
		return err
	}
	if len(stray) > 0 {
		r.fault("there are quotations in records %s, and no such records: they were inserted, or the records were removed", record.Spans(stray))
	}
	return nil
}

// compareIndex finds records that no search would find.
func (r *Report) compareIndex(tx *sqlite.Tx) error {
	lacking, orphans, err := archive.Unsearchable(tx)
	if err != nil {
		return err
	}
	if len(lacking) > 0 {
		r.fault("the search index lacks records %s: they were taken out of it", record.Spans(lacking))
	}
	if orphans > 0 {
		r.fault("the search index holds %d entries that belong to no record", orphans)
	}
	return nil
}

// openCheckpoints returns the heads that were signed, by size of the tree.
func (r *Report) openCheckpoints(tx *sqlite.Tx, key *ledger.Key, others []string, references []ledger.Reference, size int64) (map[int64][]head, error) {
	notes, err := ledger.Checkpoints(tx)
	if err != nil {
		return nil, err
	}
	heads := make(map[int64][]head)
	for i, note := range slices.Concat(notes, others) {
		what := fmt.Sprintf("checkpoint %d", i+1)
		if i >= len(notes) {
			what = "the checkpoint given"
		}
		c, err := key.Open(note)
		switch {
		case err != nil && i >= len(notes):
			r.fault("the checkpoint given does not bear the signature of this archive's key: it was altered or not wholly copied, it is of another archive, or this archive was made anew in place of its own")
		case err != nil:
			r.fault("%s does not bear this archive's signature", what)
		default:
			h := head{Hash: c.Root, size: c.Size}
			if i >= len(notes) {
				h.loss = r.lossOf(c)
			}
			switch {
			case c.Size > size:
				r.notHere(h, "%s covers %d leaves, but the ledger has only %d: it was cut short", what, c.Size, size)
			case h.loss == nil && c.Restored != r.restoredBefore(c.Size):
				r.fault("%s was made when the archive had been restored %d times, and not %d: the journal's account of that was altered", what, c.Restored, r.restoredBefore(c.Size))
			case !slices.Contains(heads[c.Size], h):
				heads[c.Size] = append(heads[c.Size], h)
			}
		}
		r.Checkpoints++
	}
	for _, ref := range references {
		if ref.Size > size {
			r.fault("the reference %s covers %d leaves, but the ledger has only %d: it was cut short%s", ref, ref.Size, size, r.orLost(ref.Size))
		}
	}
	return heads, ledger.Stamps(tx, func(n int, note string, token []byte) error {
		if _, err := ledger.CheckStamp(token, note, nil); err != nil {
			r.fault("the time stamp of checkpoint %d is not of it: %v", n, err)
		}
		return nil
	})
}

// compareReferences compares the tree of the first n leaves with the references to it.
func (r *Report) compareReferences(n int64, t *tree, all []ledger.Reference) {
	for _, ref := range all {
		if ref.Size == n && !ref.Agrees(t.root()) {
			r.fault("the first %d leaves are not those that the reference %s is of: the past was altered, or it was not wholly copied%s", n, ref, r.orLost(n))
		}
	}
}

// walk goes through the ledger leaf by leaf, beside it through records, stubs
// and entries, and rebuilds the tree from what they say.
func (r *Report) walk(ctx context.Context, tx *sqlite.Tx, size int64, heads map[int64][]head, with With) error {
	stored, stopStored := pull(func(yield func(storedHash) error) error {
		return ledger.Hashes(tx, func(idx int64, h ledger.Hash) error { return yield(storedHash{idx, h}) })
	})
	defer stopStored()
	records, stopRecords := pull(func(yield func(archive.Leaf) error) error { return archive.Leaves(tx, yield) })
	defer stopRecords()
	entries, stopEntries := pull(func(yield func(journal.Leaf) error) error {
		return journal.Leaves(tx, yield)
	})
	defer stopEntries()
	files, stopFiles := pull(func(yield func(vault.Media) error) error { return vault.Each(tx, yield) })
	defer stopFiles()

	var t tree
	for n := range size {
		for len(r.schedules) > 1 && r.schedules[1].Leaf <= n {
			r.schedules = r.schedules[1:]
		}
		if n%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if with.Progress != nil {
				with.Progress(n, size)
			}
		}
		h, err := r.readLeaf(n, stored, &t)
		if err != nil {
			return err
		}
		if err := r.answerFor(n, h, records, entries, files); err != nil {
			return err
		}
		for _, head := range heads[n+1] {
			if head.Hash != t.root() {
				r.notHere(head, "the first %d leaves are not those that were signed: the past was altered", n+1)
			}
		}
		r.compareReferences(n+1, &t, with.References)
	}
	r.Leaves, r.Root = size, t.root()
	if err := r.misplaced(size, true, records, entries); err != nil {
		return err
	}
	if err := r.strayFiles(math.MaxInt64, files); err != nil {
		return err
	}
	if with.Progress != nil {
		with.Progress(size, size)
	}
	return r.compareReadings(tx, with.Differs)
}

type storedHash struct {
	idx int64
	h   ledger.Hash
}

// readLeaf takes leaf n from the stored hashes, adds it to the tree rebuilt, and
// compares the inner hashes that are stored after it.
func (r *Report) readLeaf(n int64, stored *source[storedHash], t *tree) (leaf ledger.Hash, err error) {
	next := ledger.StoredIndex(n)
	read := func() (ledger.Hash, error) {
		s, err := stored.next()
		if err == nil && (s == nil || s.idx != next) {
			err = damage(fmt.Sprintf("hash %d of the ledger is missing; what comes after it cannot be checked", next))
		}
		if err != nil {
			return ledger.Hash{}, err
		}
		next++
		return s.h, nil
	}
	if leaf, err = read(); err != nil {
		return leaf, err
	}
	for _, inner := range t.add(leaf) {
		h, err := read()
		if err != nil {
			return leaf, err
		}
		if h != inner {
			r.fault("the ledger's tree does not agree with itself above leaf %d", n)
		}
	}
	return leaf, nil
}

// damage is a fault after which the walk cannot go on.
type damage string

func (d damage) Error() string { return string(d) }

// misplaced tells of records and entries whose place lies before leaf n, where
// another stands already; or, with beyond, of all that are left over.
func (r *Report) misplaced(n int64, beyond bool, records *source[archive.Leaf], entries *source[journal.Leaf]) error {
	for {
		l, err := records.peek()
		if err != nil {
			return err
		}
		if l == nil || l.Leaf >= n && !beyond {
			break
		}
		r.fault("record %d claims a place in the ledger that is not its own: it was inserted", l.Seq)
		if _, err := records.next(); err != nil {
			return err
		}
	}
	for {
		e, err := entries.peek()
		if err != nil {
			return err
		}
		if e == nil || e.Leaf >= n && !beyond {
			return nil
		}
		r.fault("journal entry %d claims a place in the ledger that is not its own: it was inserted", e.ID)
		if _, err := entries.next(); err != nil {
			return err
		}
	}
}

// answerFor finds what stands behind leaf n and compares it.
func (r *Report) answerFor(n int64, h ledger.Hash, records *source[archive.Leaf], entries *source[journal.Leaf], files *source[vault.Media]) error {
	if err := r.misplaced(n, false, records, entries); err != nil {
		return err
	}
	rec, err := records.peek()
	if err != nil {
		return err
	}
	e, err := entries.peek()
	if err != nil {
		return err
	}
	isRecord, isEntry := rec != nil && rec.Leaf == n, e != nil && e.Leaf == n
	switch {
	case isRecord && isEntry:
		r.fault("leaf %d is claimed by record %d and by journal entry %d", n, rec.Seq, e.ID)
	case !isRecord && !isEntry:
		r.fault("nothing stands behind leaf %d: a record or journal entry was removed", n)
	case isRecord && rec.Stub:
		if r.Stubs++; !r.wasDestroyed(rec.Seq) {
			r.fault("record %d is gone, but no disposal run destroyed it: it was removed", rec.Seq)
		}
	case isRecord && rec.Hash != h:
		r.fault("record %d is not what was captured: it was altered", rec.Seq)
	case isRecord:
		r.Records++
	case e.Stub:
		if r.EntryStubs++; !within(r.entries, e.ID) {
			r.fault("journal entry %d is gone, but no disposal run destroyed it: it was removed", e.ID)
		}
	case within(r.entries, e.ID):
		r.fault("journal entry %d is here, although a disposal run destroyed it", e.ID)
	case e.Hash != h:
		r.fault("journal entry %d is not what was written: it was altered", e.ID)
	default:
		r.Entries++
	}
	if isRecord {
		if rec.Seq != r.last+1 {
			r.fault("record %d stands in the ledger where record %d belongs", rec.Seq, r.last+1)
		}
		r.last = rec.Seq
		if !rec.Stub && r.wasDestroyed(rec.Seq) {
			r.fault("record %d is here, although a disposal run destroyed it", rec.Seq)
		}
		r.comparePeriod(rec)
		for _, f := range rec.Faults {
			r.fault("record %d: %s", rec.Seq, f)
		}
		r.compareSender(rec)
		r.compareReading(rec)
		if err := r.compareFile(rec, files); err != nil {
			return err
		}
		_, err = records.next()
	}
	if isEntry {
		if _, entryErr := entries.next(); entryErr != nil {
			err = entryErr
		}
	}
	return err
}

// compareSender compares whose a record is with whose address it bears. Only a LID is
// one person's for good.
func (r *Report) compareSender(rec *archive.Leaf) {
	lid := rec.Sender
	if !strings.HasSuffix(lid.JID, "@lid") {
		lid.JID = lid.Alt
	}
	if rec.Stub || !strings.HasSuffix(lid.JID, "@lid") {
		return
	}
	switch r.names.Behind(record.Address{JID: lid.JID}) {
	case r.names.Is(rec.Person):
	case 0:
		r.fault("of record %d it is not known any more whose its sender's address is: that was removed", rec.Seq)
	default:
		r.fault("record %d is not its sender's: who sent it was altered", rec.Seq)
	}
}

// compareReading compares what is read in a record that could not be read at capture with
// what was read then, as the journal has it.
func (r *Report) compareReading(rec *archive.Leaf) {
	was, read := r.readings[rec.Seq]
	switch {
	case rec.Stub || !read && !rec.Reread:
		return
	case !read:
		r.fault("record %d is shown as if it had been read later than it was captured, but the journal knows nothing of that: its reading was inserted", rec.Seq)
	case !rec.Reread:
		r.fault("record %d was read later than it was captured, as the journal says, but is shown as it was: its reading was removed", rec.Seq)
	case !bytes.Equal(was, rec.Reading):
		r.fault("record %d does not say what was read in it later than it was captured: it was altered", rec.Seq)
	default:
		r.reread = append(r.reread, rec.Seq)
	}
}

// compareReadings finds what this program would read in another way. That alone is no
// fault: another version has read it, or an option has been added to a poll since.
func (r *Report) compareReadings(tx *sqlite.Tx, differs func(*sqlite.Tx, record.Seq) (bool, error)) error {
	r.Reread = len(r.reread)
	if differs == nil {
		return nil
	}
	for _, seq := range r.reread {
		is, err := differs(tx, seq)
		if err != nil {
			return err
		}
		if is {
			r.Otherwise = append(r.Otherwise, seq)
		}
	}
	return nil
}

// compareFile compares the file that a record brought with what is known of it.
func (r *Report) compareFile(rec *archive.Leaf, files *source[vault.Media]) error {
	if err := r.strayFiles(rec.Seq, files); err != nil {
		return err
	}
	m, err := files.peek()
	if err != nil {
		return err
	}
	isKnown := m != nil && m.Seq == rec.Seq
	switch {
	case !isKnown && rec.HasFile && !rec.Stub:
		r.fault("record %d brought a file, of which nothing is known any more: it was removed", rec.Seq)
	case isKnown && (rec.Stub || !rec.HasFile):
		r.fault("record %d brought no file, but one is kept for it: it was inserted", rec.Seq)
	case isKnown && !bytes.Equal(m.Sealed, rec.File):
		r.fault("record %d brought another file than is kept for it: it was exchanged", rec.Seq)
	case isKnown && m.Name != rec.FileName:
		r.fault("the file of record %d had another name: it was altered", rec.Seq)
	case isKnown && m.State == vault.Lost && !r.lost[int64(m.Seq)]:
		r.fault("the file of record %d is said to be lost, but the journal knows nothing of that: it was altered", rec.Seq)
	}
	if isKnown {
		_, err = files.next()
	}
	return err
}

// strayFiles tells of files of records that would come before seq and are not there.
func (r *Report) strayFiles(seq record.Seq, files *source[vault.Media]) error {
	for {
		m, err := files.peek()
		if err != nil || m == nil || m.Seq >= seq {
			return err
		}
		r.fault("a file is kept for record %d, which is not here: it was inserted", m.Seq)
		if _, err := files.next(); err != nil {
			return err
		}
	}
}

// readFiles reads every file that is kept and compares it with what was delivered.
func (r *Report) readFiles(ctx context.Context, db *sqlite.DB, files *vault.Vault) error {
	var kept []record.Seq // not the files: there may be many
	err := db.Read(ctx, func(tx *sqlite.Tx) error {
		return vault.Each(tx, func(m vault.Media) error {
			if m.State == vault.Kept {
				kept = append(kept, m.Seq)
			}
			return nil
		})
	})
	for _, seq := range kept {
		if err := r.readFile(ctx, db, files, seq); err != nil {
			return err
		}
	}
	return err
}

func (r *Report) readFile(ctx context.Context, db *sqlite.DB, files *vault.Vault, seq record.Seq) error {
	var of map[record.Seq]vault.Media
	if err := db.Read(ctx, func(tx *sqlite.Tx) (err error) {
		of, err = vault.Of(tx, []record.Seq{seq})
		return err
	}); err != nil {
		return err
	}
	m, still := of[seq]
	if !still {
		return nil // destroyed meanwhile
	}
	fault, err := files.Check(ctx, m)
	if err != nil {
		return err
	}
	if fault != "" {
		r.fault("%s", fault)
	} else {
		r.Files++
	}
	return nil
}

// A span is the numbers from first to last.
type span struct{ first, last int64 }

// destroyed returns the records and the journal's own entries that disposal runs
// destroyed, by what the journal says, whose entries are leaves themselves: a stub alone
// proves nothing.
func destroyed(tx *sqlite.Tx) (records, entries []span, err error) {
	var seqs, ids []int64
	err = journal.EachStep(tx, func(records, entries []int64) error {
		seqs, ids = append(seqs, records...), append(ids, entries...)
		return nil
	})
	return spans(seqs), spans(ids), err
}

func spans(numbers []int64) (all []span) {
	slices.Sort(numbers)
	for _, n := range numbers {
		if last := len(all) - 1; last >= 0 && n <= all[last].last+1 {
			all[last].last = n
		} else {
			all = append(all, span{n, n})
		}
	}
	return all
}

func within(all []span, n int64) bool {
	i, found := slices.BinarySearchFunc(all, n, func(s span, n int64) int { return cmp.Compare(s.first, n) })
	return found || i > 0 && n <= all[i-1].last
}

// compareFlags compares what was said to be no concern with the journal: what a digest
// repeats goes by it.
func (r *Report) compareFlags(tx *sqlite.Tx) error {
	said := make(map[flag.Dismissed]bool)
	if err := journal.Of(tx, journal.FlagDismissed, func(e journal.Entry, _ int64) error {
		for _, c := range flag.Concerns {
			seqs, _ := e.About[string(c)].([]any)
			for _, seq := range seqs {
				n, _ := seq.(float64) // as JSON reads numbers
				said[flag.Dismissed{Seq: record.Seq(n), Concern: c, At: e.At.UTC()}] = true
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if err := flag.Dismissals(tx, func(d flag.Dismissed) error {
		d.At = d.At.UTC()
		switch {
		case !said[d]:
			r.fault("that record %d is no concern is not in the journal: it was inserted", d.Seq)
		case r.wasDestroyed(d.Seq):
			r.fault("record %d was destroyed, but that it is no concern is kept", d.Seq)
		}
		delete(said, d)
		return nil
	}); err != nil {
		return err
	}
	for _, seq := range slices.Sorted(maps.Keys(seqsOf(said))) {
		if !r.wasDestroyed(seq) {
			r.fault("that record %d is no concern was said, as the journal has it, but is gone: it was removed", seq)
		}
	}
	return nil
}

func seqsOf(said map[flag.Dismissed]bool) map[record.Seq]bool {
	seqs := make(map[record.Seq]bool)
	for d := range said {
		seqs[d.Seq] = true
	}
	return seqs
}

// account is who did what, when and why, to be compared.
func account(who, why string, at time.Time, about journal.About) string {
	return fmt.Sprintf("%q %q %s %s", who, why, sqlite.FormatTime(at), about)
}

func (r *Report) wasDestroyed(s record.Seq) bool { return within(r.destroyed, int64(s)) }

// tree rebuilds the Merkle tree from its leaves, keeping only the complete
// subtrees that are not part of a larger one, the largest first.
type tree struct {
	size     int64
	subtrees []ledger.Hash
}

// add appends a leaf and returns the inner hashes that it completes, from the
// bottom up.
func (t *tree) add(leaf ledger.Hash) (inner []ledger.Hash) {
	h := leaf
	for level := 0; t.size>>level&1 == 1; level++ {
		last := len(t.subtrees) - 1
		h = ledger.NodeHash(t.subtrees[last], h)
		t.subtrees = t.subtrees[:last]
		inner = append(inner, h)
	}
	t.subtrees = append(t.subtrees, h)
	t.size++
	return inner
}

func (t *tree) root() (h ledger.Hash) {
	for i := len(t.subtrees) - 1; i >= 0; i-- {
		if i == len(t.subtrees)-1 {
			h = t.subtrees[i]
		} else {
			h = ledger.NodeHash(t.subtrees[i], h)
		}
	}
	return h
}

// source turns a function that calls back for each item into one that is asked
// for the next.
type source[T any] struct {
	nextItem func() (T, error, bool)
	ahead    *T
	err      error
}

var errStopped = errors.New("stopped")

func pull[T any](each func(yield func(T) error) error) (*source[T], func()) {
	next, stop := iter.Pull2(func(yield func(T, error) bool) {
		err := each(func(v T) error {
			if !yield(v, nil) {
				return errStopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			var none T
			yield(none, err)
		}
	})
	return &source[T]{nextItem: next}, stop
}

// peek returns the next item without taking it; nil at the end.
func (s *source[T]) peek() (*T, error) {
	if s.ahead == nil && s.err == nil {
		if v, err, ok := s.nextItem(); err != nil {
			s.err = err
		} else if ok {
			s.ahead = &v
		}
	}
	return s.ahead, s.err
}

// next takes the next item; nil at the end.
func (s *source[T]) next() (*T, error) {
	v, err := s.peek()
	s.ahead = nil
	return v, err
}
