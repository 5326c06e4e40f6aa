package ledger

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/digitorus/timestamp"

	"muniment/internal/sqlite"
)

// Authority is a time-stamping authority, RFC 3161. It is told a digest of a checkpoint,
// and answers with a signed token of when it was told: so a checkpoint, which bears no
// time of its own, cannot have been made later.
type Authority struct {
	URL    string
	Roots  *x509.CertPool // whose tokens are taken; nil: any, since each can be checked later
	Client *http.Client
}

// maxToken bounds what an authority may answer.
const maxToken = 64 << 10

// Stamp has the authority stamp a checkpoint's note.
func (a Authority) Stamp(ctx context.Context, note string) (token []byte, err error) {
	q, err := timestamp.CreateRequest(strings.NewReader(note), &timestamp.RequestOptions{Hash: crypto.SHA256, Certificates: true})
	if err != nil {
		return nil, fmt.Errorf("ask for a time stamp: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL, bytes.NewReader(q))
	if err != nil {
		return nil, fmt.Errorf("ask for a time stamp: %w", err)
	}
	req.Header.Set("Content-Type", "application/timestamp-query")
	resp, err := a.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask for a time stamp: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxToken))
	if err != nil {
		return nil, fmt.Errorf("ask for a time stamp: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask for a time stamp: the authority answered %s", resp.Status)
	}
	answer, err := timestamp.ParseResponse(b)
	if err != nil {
		return nil, fmt.Errorf("ask for a time stamp: the authority refused, or its answer cannot be read: %w", err)
	}
	_, err = CheckStamp(answer.RawToken, note, a.Roots)
	return answer.RawToken, err
}

// CheckStamp checks that a token is of that note, and signed, by whom roots vouches for
// unless it is nil. It returns when the authority says that it was told.
func CheckStamp(token []byte, note string, roots *x509.CertPool) (at time.Time, err error) {
	defer func() {
		if recover() != nil { // the library is made for tokens, not for what was made of one
			err = errors.New("the time stamp cannot be read")
		}
	}()
	t, err := timestamp.Parse(token) // which checks the signature, if there is a certificate
	if err != nil {
		return time.Time{}, fmt.Errorf("the time stamp cannot be read: %w", err)
	}
	digest := sha256.Sum256([]byte(note))
	if t.HashAlgorithm != crypto.SHA256 || !bytes.Equal(t.HashedMessage, digest[:]) {
		return time.Time{}, errors.New("the time stamp is of something else")
	}
	if len(t.Certificates) == 0 {
		return time.Time{}, errors.New("the time stamp is not signed by anybody known")
	}
	if roots == nil {
		return t.Time, nil
	}
	between := x509.NewCertPool()
	for _, c := range t.Certificates {
		between.AddCert(c)
	}
	vouched := false
	for _, c := range t.Certificates {
		_, err := c.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: t.Time,
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}})
		vouched = vouched || err == nil && !c.IsCA
	}
	if !vouched {
		return time.Time{}, errors.New("the time stamp is by another authority than the one configured")
	}
	return t.Time, nil
}

// Unstamped returns the latest checkpoint, unless it has a time stamp.
func Unstamped(tx *sqlite.Tx) (id int64, note string, is bool, err error) {
	var has bool
	err = tx.QueryRow("SELECT id, note, stamp IS NOT NULL FROM checkpoint ORDER BY id DESC LIMIT 1").Scan(&id, &note, &has)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, "", false, nil
	} else if err != nil {
		return 0, "", false, fmt.Errorf("ledger: last checkpoint: %w", err)
	}
	return id, note, !has, nil
}

// KeepStamp keeps the token of a checkpoint with it.
func KeepStamp(tx *sqlite.Tx, id int64, token []byte) error {
	if _, err := tx.Exec("UPDATE checkpoint SET stamp = ? WHERE id = ? AND stamp IS NULL", token, id); err != nil {
		return fmt.Errorf("ledger: keep the time stamp: %w", err)
	}
	return nil
}

// Stamps calls f for each checkpoint that has a time stamp, with its place among all.
func Stamps(tx *sqlite.Tx, f func(n int, note string, token []byte) error) error {
	rows, err := tx.Query("SELECT (SELECT count(*) FROM checkpoint o WHERE o.id <= c.id), note, stamp FROM checkpoint c WHERE stamp IS NOT NULL ORDER BY id")
	if err != nil {
		return fmt.Errorf("ledger: read time stamps: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		var note string
		var token []byte
		if err := rows.Scan(&n, &note, &token); err != nil {
			return fmt.Errorf("ledger: read time stamps: %w", err)
		}
		if err := f(n, note, token); err != nil {
			return err
		}
	}
	return rows.Err()
}

// LastStamped returns when the latest checkpoint with a time stamp was made; zero if none
// has one.
func LastStamped(tx *sqlite.Tx) (time.Time, error) {
	var s string
	if err := tx.QueryRow("SELECT made_at FROM checkpoint WHERE stamp IS NOT NULL ORDER BY id DESC LIMIT 1").Scan(&s); errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	} else if err != nil {
		return time.Time{}, fmt.Errorf("ledger: last time stamp: %w", err)
	}
	return sqlite.ParseTime(s)
}
