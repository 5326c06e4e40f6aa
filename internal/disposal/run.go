package disposal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// atOnce is how many records are destroyed in one transaction: few enough that
// capture never waits long for its turn.
const atOnce = 50

// Nightly does what is due since last time: it closes lists that lapsed, draws up
// the next, and destroys those whose day has come. It may be called at any time
// and as often as one likes.
func (d *Disposal) Nightly(ctx context.Context) error {
	d.turn.Lock()
	defer d.turn.Unlock()
	open, err := d.drawUpAndLapse(ctx)
	if err != nil {
		return fmt.Errorf("disposal: %w", err)
	}
	var errs []error // one list that fails does not keep the others
	if err := d.finals(ctx); err != nil {
		errs = append(errs, err)
	}
	for _, l := range open {
		err := d.run(ctx, l)
		if doubt := Doubt(""); errors.As(err, &doubt) {
			d.Log.Debug("disposal list not destroyed today", "list", l.ID, "why", doubt)
		} else if err != nil {
			errs = append(errs, fmt.Errorf("disposal list %d: %w", l.ID, err))
		}
	}
	return errors.Join(errs...)
}

// drawUpAndLapse does what comes before the destruction, and returns the open lists. What
// takes long is read beforehand, so that nobody waits for it.
func (d *Disposal) drawUpAndLapse(ctx context.Context) (open []List, err error) {
	if err := d.DB.Write(ctx, func(tx *sqlite.Tx) error {
		if err := archive.TakeIn(tx, d.Now()); err != nil {
			return err
		}
		return CheckClock(tx, d.Now())
	}); err != nil {
		return nil, err
	}
	if err := d.lapse(ctx); err != nil {
		return nil, err
	}
	if err := d.drawUp(ctx); err != nil {
		return nil, err
	}
	return open, d.DB.Write(ctx, func(tx *sqlite.Tx) error {
		if err := d.remind(tx); err != nil {
			return err
		}
		open, err = scanLists(tx.Query(listColumns + " WHERE closed_at IS NULL ORDER BY id"))
		return err
	})
}

// run destroys the list l, if nothing speaks against it; else it returns the
// [Doubt]. A run that was interrupted is taken up again.
func (d *Disposal) run(ctx context.Context, l List) error {
	if err := d.DB.Read(ctx, func(tx *sqlite.Tx) error { return d.Doubts(tx, l) }); err != nil {
		return err
	}
	if err := d.Verify(ctx); err != nil {
		d.Log.Error("archive does not verify: nothing is destroyed", "list", l.ID, "err", err)
		return Doubt("the archive does not verify")
	}
	run, err := d.begin(ctx, l)
	if err != nil {
		return err
	}
	d.Log.Info("disposal run started", "run", run.id, "list", l.ID, "records", l.Records)
	f := d.searches[run.id]
	if f == nil {
		f = new(fragments)
	}
	if d.searches == nil {
		d.searches = make(map[int64]*fragments)
	}
	d.searches[run.id] = f // for the next attempt, if this one fails
	for seqs := range slices.Chunk(run.seqs, atOnce) {
		gone, err := d.step(ctx, l, run, seqs)
		if err != nil {
			return err
		}
		for _, g := range gone.records {
			f.add(g)
		}
		for _, m := range gone.files {
			f.addFile(m)
		}
		if err := d.searchIfFull(ctx, run, f); err != nil {
			return err
		}
	}
	if err := d.destroyEntries(ctx, l, run, f); err != nil {
		return err
	}
	if f.records+f.entries > 0 || run.searched.IsZero() { // else the files were clean already, and it was the rest that failed
		searched, err := d.prove(ctx, run, f)
		if err != nil {
			return err
		}
		if err := d.noteSearch(ctx, run, searched, d.Now()); err != nil {
			return err
		}
		delete(d.searches, run.id)
	}
	if err := d.publish(ctx, run.id); err != nil {
		return err
	}
	return d.finish(ctx, l, run)
}

// searchIfFull searches the files before the run is at its end, where it has destroyed so much
// that its fragments should not be kept any longer, and forgets them.
func (d *Disposal) searchIfFull(ctx context.Context, r running, f *fragments) error {
	if !f.full() {
		return nil
	}
	searched, err := d.prove(ctx, r, f)
	if err != nil {
		return err
	}
	if err := d.noteSearch(ctx, r, searched, time.Time{}); err != nil {
		return err
	}
	*f = fragments{}
	return nil
}

// publish tells the backups what the run destroyed. Killed after that, the run tells them
// the same again.
func (d *Disposal) publish(ctx context.Context, run int64) error {
	if d.Publish == nil {
		return nil
	}
	var text string
	if err := d.DB.Read(ctx, func(tx *sqlite.Tx) (err error) {
		if text, err = archive.Account(tx, run); err != nil {
			return err
		}
		entries, err := journal.Account(tx, run)
		text += entries
		return err
	}); err != nil {
		return err
	}
	account, err := d.Key.SignText(fmt.Sprintf("muniment destroyed 1\nrun %d\n%s", run, text))
	if err != nil {
		return fmt.Errorf("account of run %d: %w", run, err)
	}
	if err := d.Publish(ctx, run, account); err != nil {
		return fmt.Errorf("the backups could not be told what run %d destroyed: no certificate is given: %w", run, err)
	}
	return nil
}

// running is a disposal run under way.
type running struct {
	id        int64
	authority string
	residue   int       // what the last search found
	searched  time.Time // since when the files are known to be clean
	on        retention.Date
	seqs      []record.Seq
}

// begin opens the run, or takes up the one that was interrupted.
func (d *Disposal) begin(ctx context.Context, l List) (running, error) {
	r := running{on: retention.DateOf(d.Now())}
	err := d.DB.Write(ctx, func(tx *sqlite.Tx) error {
		// Once more, in the transaction that begins: the list may have been
		// closed, or its approval withdrawn, since the caller looked.
		l, err := OpenList(tx, l.ID)
		if err != nil {
			return err
		}
		if err := d.Doubts(tx, l); err != nil {
			return err
		}
		if err := archive.TakeIn(tx, d.Now()); err != nil {
			return err
		}
		if r.seqs, err = Items(tx, l.ID); err != nil {
			return err
		}
		if err := d.takeOff(tx, l.ID, r.seqs); err != nil {
			return err
		}
		if err := d.takeOffEntries(tx, l.ID); err != nil {
			return err
		}
		if r.seqs, err = Items(tx, l.ID); err != nil {
			return err
		}
		var searched string
		err = tx.QueryRow("SELECT id, authority, residue, coalesce(searched_at, '') FROM disposal_run WHERE list = ?", l.ID).
			Scan(&r.id, &r.authority, &r.residue, &searched)
		if err == nil {
			r.searched, err = sqlite.ParseTime(searched)
			return err
		} else if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if d.Backups != nil { // what is destroyed lives on in them: without knowing that, nothing is
			if _, err := d.Backups(tx, d.Now()); err != nil {
				return fmt.Errorf("nothing is destroyed while it is not known what backups there are: %w", err)
			}
		}
		r.authority = d.authority(l)
		if r.id, err = nextRun(tx); err != nil {
			return err
		}
		if _, err := tx.Exec("INSERT INTO disposal_run (id, list, started_at, authority) VALUES (?, ?, ?, ?)",
			r.id, l.ID, sqlite.FormatTime(d.Now()), r.authority); err != nil {
			return fmt.Errorf("begin run: %w", err)
		}
		return journal.Write(tx, journal.Entry{At: d.Now(), Who: journal.Daemon, Act: journal.RunStarted, Reason: r.authority,
			About: journal.About{"run": r.id, "list": l.ID, "records": len(r.seqs)}})
	})
	return r, err
}

// authority says what a run rests on. A stub keeps it for good, so it names a
// role and not a person.
func (d *Disposal) authority(l List) string {
	if l.Because != "" {
		return fmt.Sprintf("early disposal, %s: proposed by the %s, confirmed by the %s on %s", l.Because, l.Proposer, l.Approver, retention.DateOf(l.Approved).Long())
	}
	if d.Policy.Approval == Standing {
		return standingOn(d.Policy.Minute)
	}
	return fmt.Sprintf("approved by the %s on %s", l.Approver, retention.DateOf(l.Approved).Long())
}

func standingOn(minute string) string { return "standing approval, minute " + minute }

// destroyed is what a step destroyed.
type destroyed struct {
	records []archive.Destroyed
	files   []vault.Media
}

// step destroys some records, in one transaction with its account. Records are
// counted as unsearched until their fragments have been searched for: these live
// in memory only, and an interruption loses them. A hold released since the list
// was drawn up may have been on some of them: they are kept for the next.
func (d *Disposal) step(ctx context.Context, l List, r running, seqs []record.Seq) (gone destroyed, err error) {
	err = d.DB.Write(ctx, func(tx *sqlite.Tx) (err error) {
		gone, err = d.stepIn(tx, l, r, seqs)
		return err
	})
	return gone, err
}

func (d *Disposal) stepIn(tx *sqlite.Tx, l List, r running, seqs []record.Seq) (gone destroyed, err error) {
	if err := archive.TakeIn(tx, d.Now()); err != nil {
		return gone, err
	}
	if err := d.takeOff(tx, l.ID, seqs); err != nil {
		return gone, err
	}
	if seqs, err = d.stillOn(tx, l, seqs); err != nil {
		return gone, err
	}
	gone.records, err = d.Archive.Destroy(tx, archive.Destruction{Run: r.id, On: r.on, Authority: r.authority, Early: l.Because != ""}, seqs)
	if err != nil || len(gone.records) == 0 {
		return gone, err
	}
	went := seqsOf(gone.records)
	var copies Copies
	if gone.files, copies, err = d.forget(tx, went); err != nil {
		return gone, err
	}
	if err := d.noteGroups(tx, r.id, gone.records); err != nil {
		return gone, err
	}
	files, bytes, err := goneForGood(tx, gone.files)
	if err != nil {
		return gone, err
	}
	if _, err := tx.Exec("UPDATE disposal_run SET unsearched = unsearched + ?, media = media + ? WHERE id = ?",
		len(went), files, r.id); err != nil {
		return gone, fmt.Errorf("run %d: %w", r.id, err)
	}
	if err := countGone(tx, r.id, gone, copies, bytes); err != nil {
		return gone, err
	}
	return gone, journal.Write(tx, journal.Entry{At: d.Now(), Who: journal.Daemon, Act: journal.RunStep,
		About: journal.About{"run": r.id, "records": went, "files": files}})
}

// countGone adds to what a run has destroyed so far. The files that went have so many bytes.
func countGone(tx *sqlite.Tx, run int64, gone destroyed, copies Copies, bytes int64) error {
	var t tally
	var text string
	if err := tx.QueryRow("SELECT counts FROM disposal_run WHERE id = ?", run).Scan(&text); err != nil {
		return fmt.Errorf("counts of run %d: %w", run, err)
	}
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return fmt.Errorf("counts of run %d: %w", run, err)
	}
	for _, g := range gone.records {
		t.add(g)
	}
	for _, m := range gone.files {
		if len(m.Key) > 0 {
			t.Copies.Keys++
		}
	}
	t.Counts.FileBytes += bytes
	t.Copies.Letters += copies.Letters
	t.Copies.Marks += copies.Marks
	t.Copies.Flags += copies.Flags
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE disposal_run SET counts = ? WHERE id = ?", string(b), run); err != nil {
		return fmt.Errorf("counts of run %d: %w", run, err)
	}
	return nil
}

// noteGroups notes of which groups the destroyed records were, by the names of these:
// an address may hold a telephone number, and a stub does not tell.
func (d *Disposal) noteGroups(tx *sqlite.Tx, run int64, gone []archive.Destroyed) error {
	for _, g := range gone {
		if _, err := tx.Exec("INSERT INTO disposal_group (seq, run, name) VALUES (?, ?, ?)", g.Seq, run, d.Groups[g.Group]); err != nil {
			return fmt.Errorf("groups of run %d: %w", run, err)
		}
	}
	return nil
}

// groupsOf returns which records a run has destroyed so far, by the names of their groups.
func groupsOf(tx *sqlite.Tx, run int64) (map[string][]record.Seq, error) {
	rows, err := tx.Query("SELECT seq, name FROM disposal_group WHERE run = ? ORDER BY seq", run)
	if err != nil {
		return nil, fmt.Errorf("groups of run %d: %w", run, err)
	}
	defer rows.Close()
	groups := make(map[string][]record.Seq)
	for rows.Next() {
		var seq record.Seq
		var name string
		if err := rows.Scan(&seq, &name); err != nil {
			return nil, fmt.Errorf("groups of run %d: %w", run, err)
		}
		groups[name] = append(groups[name], seq)
	}
	return groups, rows.Err()
}

// goneForGood counts the files that were kept, of those forgotten, and that no record
// needs any more, and their bytes.
func goneForGood(tx *sqlite.Tx, forgotten []vault.Media) (n int, bytes int64, err error) {
	counted := make(map[string]bool)
	for _, m := range forgotten {
		if m.State != vault.Kept || counted[string(m.Sealed)] {
			continue
		}
		counted[string(m.Sealed)] = true
		needed, err := vault.Needed(tx, m.Sealed)
		if err != nil {
			return 0, 0, err
		}
		if !needed {
			n++
			bytes += m.Size
		}
	}
	return n, bytes, nil
}

func seqsOf(gone []archive.Destroyed) []record.Seq {
	seqs := make([]record.Seq, 0, len(gone))
	for _, g := range gone {
		seqs = append(seqs, g.Seq)
	}
	slices.Sort(seqs)
	return seqs
}

// scrubs is how often the files are scrubbed before residue is reported.
const scrubs = 2

// prove leaves nothing of what was deleted in any file and searches them all for
// it. The records' fragments are in memory only and go with the run.
func (d *Disposal) prove(ctx context.Context, r running, f *fragments) (search, error) {
	if err := d.DB.Write(ctx, func(tx *sqlite.Tx) error {
		needed, err := archive.Addresses(tx)
		if err != nil {
			return err
		}
		senders, err := archive.Senders(tx)
		if err != nil {
			return err
		}
		names, err := archive.PushNames(tx)
		if err != nil {
			return err
		}
		return people.ForgetStrangers(tx, needed, senders, names)
	}); err != nil {
		return search{}, err
	}
	if _, err := d.Vault.Sweep(ctx); err != nil {
		return search{}, err
	}
	var found int
	for range scrubs {
		if err := d.scrub(ctx); err != nil {
			return search{}, err
		}
		s, err := f.search(ctx, d.Directory, d.Vault.Holds)
		if err != nil {
			return search{}, err
		}
		if s.residue, err = d.notHeld(ctx, s.residue); err != nil {
			return search{}, err
		}
		if found = len(s.residue); found == 0 {
			return s, nil
		}
	}
	return search{}, errors.Join(
		fmt.Errorf("%d fragments of destroyed records are still in the files after %d attempts to remove them: no certificate is given", found, scrubs),
		d.noteResidue(ctx, r, found))
}

// scrub scrubs the search index, the archive and the session. Somebody who reads the archive, as a
// command does whose output nobody takes, keeps what was destroyed in its log: he is
// waited for, but not for ever. The next night tries again.
func (d *Disposal) scrub(ctx context.Context) error {
	if err := d.mergeSearch(ctx); err != nil {
		return err
	}
	err := patiently(ctx, d.DB.Scrub, d.DB.EmptyLog)
	if errors.Is(err, sqlite.ErrReader) {
		return fmt.Errorf("what was destroyed is not removed from the files yet, since somebody holds the archive open for reading (a muniment command that has not ended?): %w", err)
	} else if err != nil {
		return err
	}
	return patiently(ctx, d.ScrubSession, d.ScrubSession)
}

// mergeSearch takes the words of destroyed records out of the search index, in steps
// between which captures have their turn. Copying the file alone copies them.
func (d *Disposal) mergeSearch(ctx context.Context) error {
	for begin, done := true, false; !done; begin = false {
		err := d.DB.Write(ctx, func(tx *sqlite.Tx) (err error) {
			done, err = archive.MergeSearch(tx, begin)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// patience is how often a reader is waited for, pause how long others may write in
// between.
const patience = 3

var pause = 2 * time.Second

// patiently calls do, and again as long as a reader is in the way.
func patiently(ctx context.Context, do, again func(context.Context) error) error {
	err := do(ctx)
	for n := 1; n < patience && errors.Is(err, sqlite.ErrReader); n++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		err = again(ctx)
	}
	return err
}

// noteResidue remembers that a search found something: if muniment is started anew
// and no longer knows what to search for, the certificate has to say so.
func (d *Disposal) noteResidue(ctx context.Context, r running, found int) error {
	return d.DB.Write(ctx, func(tx *sqlite.Tx) error {
		if _, err := tx.Exec("UPDATE disposal_run SET residue = ? WHERE id = ?", found, r.id); err != nil {
			return fmt.Errorf("run %d: %w", r.id, err)
		}
		if found == r.residue {
			return nil // told already
		}
		return journal.Write(tx, journal.Entry{At: d.Now(), Who: journal.Daemon, Act: journal.ResidueFound,
			About: journal.About{"run": r.id, "fragments": found}})
	})
}

// notHeld drops the fragments that a surviving record or entry holds, or that
// stand in what the program and its configuration themselves say: a member may
// have written the very words. The records are read once, however many fragments
// were found: people often say the same.
func (d *Disposal) notHeld(ctx context.Context, residue [][]byte) (rest [][]byte, err error) {
	if len(residue) == 0 {
		return nil, nil
	}
	f, held := new(fragments), make(map[string]bool)
	for _, fragment := range residue {
		f.put(fragment)
	}
	by := f.edges()
	err = d.DB.Read(ctx, func(tx *sqlite.Tx) error {
		if err := archive.Contents(tx, func(content []byte) error {
			holds := func(fragment []byte) { held[string(fragment)] = true }
			f.each(content, holds)
			by.each(content, holds)
			return ctx.Err()
		}); err != nil {
			return err
		}
		for _, fragment := range residue {
			is := held[string(fragment)]
			for _, says := range []func(*sqlite.Tx, []byte) (bool, error){vault.Says, journal.Says, people.Says, sqlite.Says, d.says} {
				if is {
					break
				}
				if is, err = says(tx, fragment); err != nil {
					return err
				}
			}
			if !is {
				rest = append(rest, fragment)
			}
		}
		return nil
	})
	return rest, err
}

// says reports whether policy, issuer or an earlier certificate holds fragment.
func (d *Disposal) says(tx *sqlite.Tx, fragment []byte) (says bool, err error) {
	p, i := d.Policy, d.Issuer
	for _, s := range append([]string{p.Minute, p.From, p.To,
		i.Council, i.PolicyTitle, i.PolicyAdopted, i.PolicyMinute, i.PolicySection, i.Program, i.Host}, slices.Collect(maps.Values(d.Groups))...) {
		if strings.Contains(s, string(fragment)) {
			return true, nil
		}
	}
	if err := tx.QueryRow(`
		SELECT EXISTS (SELECT 1 FROM disposal_run WHERE instr(CAST(authority AS BLOB), ?1))
			OR EXISTS (SELECT 1 FROM certificate WHERE instr(CAST(body || note || checkpoint AS BLOB), ?1))`,
		fragment).Scan(&says); err != nil {
		return false, fmt.Errorf("search the certificates: %w", err)
	}
	return says, nil
}

// noteSearch remembers that the files were clean: what comes after it may fail, and the
// program be started anew, and that it was proved still counts. Where more is still to be
// destroyed, there is no time since when all is clean: zero.
func (d *Disposal) noteSearch(ctx context.Context, r running, s search, clean time.Time) error {
	var at any
	if !clean.IsZero() {
		at = sqlite.FormatTime(clean)
	}
	return d.DB.Write(ctx, func(tx *sqlite.Tx) error {
		if _, err := tx.Exec("UPDATE disposal_run SET searched_at = coalesce(?, searched_at), searched = searched + ?, entries_unsearched = entries_unsearched - ?, files = ?, bytes = ? WHERE id = ?",
			at, s.records, s.entries, s.files, s.bytes, r.id); err != nil {
			return fmt.Errorf("run %d: %w", r.id, err)
		}
		return nil
	})
}

// finish closes list and run and owes the certificate, all in one transaction.
// Where another process has finished the run meanwhile, it changes nothing.
func (d *Disposal) finish(ctx context.Context, l List, r running) error {
	var w went
	if err := d.DB.Read(ctx, func(tx *sqlite.Tx) (err error) {
		w, err = whatWent(tx, r.id)
		return err
	}); err != nil {
		return fmt.Errorf("certificate of run %d: %w", r.id, err)
	}
	return d.DB.Write(ctx, func(tx *sqlite.Tx) error {
		if _, err := OpenList(tx, l.ID); errors.Is(err, ErrNoList) {
			return nil
		} else if err != nil {
			return err
		}
		c, err := d.certify(tx, l, r, w)
		if err != nil {
			return err
		}
		if err := closeList(tx, d.Now(), l.ID); err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM disposal_group WHERE run = ?", r.id); err != nil {
			return fmt.Errorf("finish run %d: %w", r.id, err)
		}
		if _, err := tx.Exec("UPDATE disposal_run SET finished_at = ? WHERE id = ?", sqlite.FormatTime(d.Now()), r.id); err != nil {
			return fmt.Errorf("finish run %d: %w", r.id, err)
		}
		d.Log.Info("disposal run finished", "run", r.id, "list", l.ID)
		return d.issue(tx, c, CertificateLetter, journal.Entry{Act: journal.RunFinished, Reason: r.authority,
			About: journal.About{"run": r.id, "list": l.ID, "destroyed": len(c.Destroyed), "files": c.Media, "entries": c.Entries, "kept on hold": c.Kept,
				"searched for": c.Searched, "files searched": c.Files, "bytes searched": c.Bytes}})
	})
}
