package disposal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/sqlite"
)

// issue signs a certificate, has the journal commit to it, and owes it to the clerk. What
// the entry says besides is the caller's.
func (d *Disposal) issue(tx *sqlite.Tx, c Certificate, letter string, e journal.Entry) error {
	c.Issued, c.Status = d.Now().UTC(), Final
	if c.Backups.Left > 0 || c.Backups.Never {
		c.Status = Interim
	}
	var err error
	if c.Leaf, err = ledger.Size(tx); err != nil { // where the entry below will stand
		return err
	}
	if c.body, err = plainJSON(c); err != nil {
		return err
	}
	if c.Note, err = d.Key.SignText(c.statement()); err != nil {
		return err
	}
	e.At, e.Who = d.Now(), journal.Daemon
	e.About["certificate"], e.About["status"] = c.digest(), c.Status
	if err := journal.Write(tx, e); err != nil {
		return err
	}
	checkpoint, err := d.Key.Sign(tx, d.Now())
	if err != nil {
		return err
	}
	if _, err := tx.Exec("INSERT INTO certificate (run, status, issued_at, body, note, checkpoint) VALUES (?, ?, ?, ?, ?, ?)",
		c.Number, c.Status, sqlite.FormatTime(c.Issued), string(c.body), c.Note, checkpoint.Note); err != nil {
		return fmt.Errorf("certificate %d: %w", c.Number, err)
	}
	return d.queue(tx, letter, c.Number, d.Policy.To)
}

// plainJSON is JSON in one line that other programs write alike: characters are not
// escaped for web pages.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

func (c Certificate) digest() string {
	sum := sha256.Sum256(c.body)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// statement is what is signed of a certificate.
func (c Certificate) statement() string {
	return fmt.Sprintf("muniment certificate 1\nnumber %d\nstatus %s\nsha256 %s\n", c.Number, c.Status, c.digest())
}

// finals issues the final certificate of every run whose last backup has gone.
func (d *Disposal) finals(ctx context.Context) error {
	if d.Backups == nil {
		return nil // there are none configured any more; those that were may still be there
	}
	return d.DB.Write(ctx, func(tx *sqlite.Tx) error {
		runs, err := interims(tx)
		if err != nil {
			return err
		}
		for _, run := range runs {
			c, err := LoadCertificate(tx, run)
			if err != nil {
				return err
			}
			if c.Backups, err = d.backedUp(tx, c.SearchedAt); err != nil {
				return err
			}
			if c.Backups.Left > 0 || c.Backups.Never {
				continue
			}
			if err := d.issue(tx, c, FinalLetter, journal.Entry{Act: journal.FinalCertificate, About: journal.About{"run": run}}); err != nil {
				return err
			}
			d.Log.Info("final certificate issued", "run", run)
		}
		return nil
	})
}

// interims returns the runs of which there is no final certificate yet.
func interims(tx *sqlite.Tx) (runs []int64, err error) {
	rows, err := tx.Query("SELECT run FROM certificate GROUP BY run HAVING max(status = ?) = 0 ORDER BY run", Final)
	if err != nil {
		return nil, fmt.Errorf("interim certificates: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var run int64
		if err := rows.Scan(&run); err != nil {
			return nil, fmt.Errorf("interim certificates: %w", err)
		}
		runs = append(runs, run)
	}
	return runs, rows.Err()
}

// ErrNoCertificate is returned where there is no finished run of that number.
var ErrNoCertificate = errors.New("there is no certificate of that number")

// LoadCertificate returns the certificate of a finished run: the final one, if it was issued.
func LoadCertificate(tx *sqlite.Tx, run int64) (Certificate, error) {
	return loadCertificate(tx, run, "DESC")
}

// FirstCertificate returns the certificate that was issued when the run had ended.
func FirstCertificate(tx *sqlite.Tx, run int64) (Certificate, error) {
	return loadCertificate(tx, run, "ASC")
}

func loadCertificate(tx *sqlite.Tx, run int64, order string) (c Certificate, err error) {
	var body, note, checkpoint string
	err = tx.QueryRow("SELECT body, note, checkpoint FROM certificate WHERE run = ? ORDER BY id "+order+" LIMIT 1", run).Scan(&body, &note, &checkpoint)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNoCertificate
	}
	if err == nil {
		err = json.Unmarshal([]byte(body), &c)
	}
	if err != nil {
		return c, fmt.Errorf("certificate %d: %w", run, err)
	}
	c.body, c.Note, c.Checkpoint = []byte(body), note, checkpoint
	return c, nil
}

// document is a certificate as it is given out. The digest that is signed is that of the
// first of these as JSON in one line, in the same order, and without spaces between.
type document struct {
	Certificate json.RawMessage `json:"certificate"`
	Note        string          `json:"note"`
	Checkpoint  string          `json:"checkpoint"`
}

// Document returns the certificate with its signature and checkpoint, as JSON in many lines.
func (c Certificate) Document() ([]byte, error) {
	if c.body == nil { // it was never issued, as those of tests are not
		var err error
		if c.body, err = plainJSON(c); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(document{c.body, c.Note, c.Checkpoint}); err != nil {
		return nil, fmt.Errorf("certificate %d: %w", c.Number, err)
	}
	return b.Bytes(), nil
}

// A Checked certificate is one that was given out, compared with the archive.
type Checked struct {
	Certificate
	Faults []string
}

// Check reads a certificate as it was given out, and compares it: what was signed with
// what it says, and that with the journal and the ledger. Whether these are whole is for
// the verification of the archive to say.
func Check(tx *sqlite.Tx, key *ledger.Key, given []byte) (c Checked, err error) {
	var of document
	var body bytes.Buffer
	if json.Unmarshal(given, &of) != nil || json.Compact(&body, of.Certificate) != nil || json.Unmarshal(body.Bytes(), &c.Certificate) != nil {
		return c, errors.New("this is no certificate as `muniment disposal certificate` prints it, or as it is attached to the email")
	}
	c.body, c.Note, c.Checkpoint = body.Bytes(), of.Note, of.Checkpoint
	fault := func(format string, args ...any) { c.Faults = append(c.Faults, fmt.Sprintf(format, args...)) }
	if text, err := key.OpenText(c.Note); err != nil {
		fault("its signature is not this archive's, or was altered")
	} else if text != c.statement() {
		fault("it was altered after it was signed")
	}
	if is, err := c.committed(tx); err != nil {
		return c, err
	} else if !is {
		fault("the journal does not commit to it")
	}
	if err := c.compare(tx, fault); err != nil {
		return c, err
	}
	if _, err := key.Open(c.Checkpoint); err != nil {
		fault("its checkpoint is not this archive's, or was altered")
	}
	return c, nil
}

// committed reports whether the journal commits to the certificate, where it says.
func (c Certificate) committed(tx *sqlite.Tx) (is bool, err error) {
	for _, act := range []journal.Act{journal.RunFinished, journal.FinalCertificate} {
		if err := journal.Of(tx, act, func(e journal.Entry, leaf int64) error {
			is = is || leaf == c.Leaf && e.About.Number("run") == c.Number && e.About["certificate"] == c.digest()
			return nil
		}); err != nil {
			return false, err
		}
	}
	return is, nil
}

// compare compares what it says of each record with the stubs and the ledger.
func (c Certificate) compare(tx *sqlite.Tx, fault func(format string, args ...any)) error {
	stubs, err := archive.StubsOf(tx, c.Number)
	if err != nil {
		return err
	}
	if len(stubs) != len(c.Destroyed) {
		fault("it names %d records, and the run destroyed %d", len(c.Destroyed), len(stubs))
		return nil
	}
	for i, s := range stubs {
		is := c.Destroyed[i]
		if is.Seq != s.Seq || is.SentOn != s.SentOn || is.Rule != s.Rule || is.Class != s.Class || is.DestroyedOn != s.DestroyedOn || is.Leaf != s.Leaf || !bytes.Equal(is.Commitment, s.Commitment) {
			fault("of record %d the archive says something else", s.Seq)
		}
	}
	entries, err := journal.StubsOf(tx, c.Number)
	if err != nil {
		return err
	}
	for i := range entries {
		entries[i].WrittenOn = "" // which it does not say
	}
	if !slices.Equal(entries, c.Log) {
		fault("of the entries of the access log that were destroyed the archive says something else")
	}
	again := Certificate{Destroyed: stubs, Log: entries}
	if again.sumUp(); !bytes.Equal(again.Commitments, c.Commitments) {
		fault("the head of its commitments is wrong")
	}
	return nil
}
