package disposal

import (
	"cmp"
	"fmt"

	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/sqlite"
)

// Faults compares certificates, lists and runs with what the journal says of them, and the
// stubs with the certificates: why records are gone is told by these, and only the
// journal's entries are leaves. What is kept of a list or run for the program's own use
// alone is not compared. Key is the ledger's.
func Faults(tx *sqlite.Tx, key *ledger.Key) (faults []string, err error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if err := certificateFaults(tx, key, fault); err != nil {
		return nil, err
	}
	return faults, listFaults(tx, fault)
}

func certificateFaults(tx *sqlite.Tx, key *ledger.Key, fault func(string, ...any)) error {
	rows, err := tx.Query("SELECT run, status, issued_at, body, note, checkpoint FROM certificate ORDER BY run, id")
	if err != nil {
		return fmt.Errorf("read the certificates: %w", err)
	}
	defer rows.Close()
	type row struct {
		run              int64
		status           Status
		issued           string
		body             []byte
		note, checkpoint string
	}
	var all []row
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.run, &r.status, &r.issued, &r.body, &r.note, &r.checkpoint); err != nil {
			return fmt.Errorf("read the certificates: %w", err)
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the certificates: %w", err)
	}
	certified := make(map[int64]bool)
	for _, r := range all {
		certified[r.run] = true
		if r.note == "" {
			continue // it was issued before they were signed
		}
		given, err := Certificate{body: r.body, Note: r.note, Checkpoint: r.checkpoint}.Document()
		if err != nil {
			fault("the certificate of destruction %d cannot be read: it was altered", r.run)
			continue
		}
		c, err := Check(tx, key, given)
		if err != nil {
			fault("the certificate of destruction %d cannot be read: it was altered", r.run)
			continue
		}
		for _, f := range c.Faults {
			fault("the certificate of destruction %d: %s", r.run, f)
		}
		if c.Number != r.run || c.Status != r.status || sqlite.FormatTime(c.Issued) != r.issued {
			fault("the certificate of destruction %d stands where another belongs: it was altered", r.run)
		}
	}
	return journal.Of(tx, journal.RunFinished, func(e journal.Entry, _ int64) error {
		if run := e.About.Number("run"); !certified[run] {
			fault("the certificate of destruction %d, which was issued, is gone: it was removed", run)
		}
		return nil
	})
}

// drawn is what the journal says of a list.
type drawn struct {
	at, on                    string
	because, by, role         string
	approved, approver, who   string
	digest                    string
	isDrawn, isLapsed, hasRun bool
}

func listFaults(tx *sqlite.Tx, fault func(string, ...any)) error {
	was, err := drawnUp(tx)
	if err != nil {
		return err
	}
	lists, err := Lists(tx)
	if err != nil {
		return err
	}
	for _, l := range lists {
		w := was[l.ID]
		delete(was, l.ID)
		if w == nil || !w.isDrawn {
			fault("disposal list %d is not in the journal: it was inserted or altered", l.ID)
			continue
		}
		is := drawn{at: sqlite.FormatTime(l.DrawnUp), on: string(l.DestroyOn), because: string(l.Because), by: l.ProposedBy, role: l.Proposer,
			who: l.ApprovedBy, approver: l.Approver, digest: l.Digest}
		if !l.Approved.IsZero() {
			is.approved = sqlite.FormatTime(l.Approved)
		}
		is.isDrawn, is.isLapsed, is.hasRun = true, w.isLapsed, w.hasRun
		is.digest, w.digest = cmp.Or(is.digest, w.digest), cmp.Or(w.digest, is.digest) // it was not kept always
		if is != *w {
			fault("disposal list %d is not what the journal says: it was altered", l.ID)
		}
		if closed := w.isLapsed || w.hasRun; closed == l.Closed.IsZero() {
			fault("disposal list %d is open or closed, and the journal says otherwise: it was altered", l.ID)
		}
	}
	for id := range was {
		fault("disposal list %d, which was drawn up, is gone: it was removed", id)
	}
	return runFaults(tx, fault)
}

func drawnUp(tx *sqlite.Tx) (map[int64]*drawn, error) {
	was := make(map[int64]*drawn)
	of := func(e journal.Entry) *drawn {
		id := e.About.Number("list")
		if was[id] == nil {
			was[id] = new(drawn)
		}
		return was[id]
	}
	text := func(e journal.Entry, name string) string {
		s, _ := e.About[name].(string)
		return s
	}
	for _, act := range []journal.Act{journal.ListDrawnUp, journal.EarlyProposed, journal.ListApproved, journal.EarlyConfirmed, journal.ListLapsed, journal.RunFinished} {
		if err := journal.Of(tx, act, func(e journal.Entry, _ int64) error {
			w, at := of(e), sqlite.FormatTime(e.At)
			switch act {
			case journal.ListDrawnUp:
				w.isDrawn, w.at, w.on = true, at, text(e, "destroy on")
			case journal.EarlyProposed:
				w.isDrawn, w.at, w.on = true, at, text(e, "destroy on")
				w.because, w.by, w.role = text(e, "because"), e.Who, text(e, "role")
			case journal.ListApproved, journal.EarlyConfirmed:
				w.approved, w.who, w.approver, w.digest = at, e.Who, text(e, "role"), text(e, "digest")
			case journal.ListLapsed:
				w.isLapsed = true
			case journal.RunFinished:
				w.hasRun = true
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return was, nil
}

// runFaults compares the runs with the journal's entries of their beginning and end.
func runFaults(tx *sqlite.Tx, fault func(string, ...any)) error {
	type run struct {
		list               int64
		started, authority string
		finished           string
	}
	was := make(map[int64]run)
	if err := journal.Of(tx, journal.RunStarted, func(e journal.Entry, _ int64) error {
		was[e.About.Number("run")] = run{list: e.About.Number("list"), started: sqlite.FormatTime(e.At), authority: e.Reason}
		return nil
	}); err != nil {
		return err
	}
	if err := journal.Of(tx, journal.RunFinished, func(e journal.Entry, _ int64) error {
		r := was[e.About.Number("run")]
		r.finished = sqlite.FormatTime(e.At)
		was[e.About.Number("run")] = r
		return nil
	}); err != nil {
		return err
	}
	rows, err := tx.Query("SELECT id, list, started_at, authority, coalesce(finished_at, '') FROM disposal_run ORDER BY id")
	if err != nil {
		return fmt.Errorf("read the runs: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var r run
		if err := rows.Scan(&id, &r.list, &r.started, &r.authority, &r.finished); err != nil {
			return fmt.Errorf("read the runs: %w", err)
		}
		if w, known := was[id]; !known || w != r {
			fault("disposal run %d is not what the journal says: it was altered or inserted", id)
		}
		delete(was, id)
	}
	for id := range was {
		fault("disposal run %d, which was begun, is gone: it was removed", id)
	}
	return rows.Err()
}
