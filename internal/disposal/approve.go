package disposal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"muniment/internal/journal"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// ErrOtherDigest is returned for an approval of something else than stands on the list.
var ErrOtherDigest = errors.New("the list is not what was approved: its digest is another")

// Digest returns the digest of what stands on the list now: SHA-256, in hexadecimal, of
// its number and day and of the numbers of its records and entries, a line each.
func Digest(tx *sqlite.Tx, l List) (string, error) {
	seqs, err := Items(tx, l.ID)
	if err != nil {
		return "", err
	}
	entries, err := Entries(tx, l.ID)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "muniment disposal list 1\nlist %d\ndestroy on %s\n", l.ID, l.DestroyOn)
	for _, seq := range seqs {
		fmt.Fprintf(h, "record %d\n", seq)
	}
	for _, id := range entries {
		fmt.Fprintf(h, "entry %d\n", id)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Approver is who approves a list, and what was seen of it.
type Approver struct {
	Who, Role, Reason string
	// Digest is the digest of the list that the person has seen, or its beginning; empty:
	// whatever stands on it.
	Digest string
}

// Approve records that a named person approves the destruction of a list: of what stands on
// it now, and of nothing else. It returns the list's digest.
func Approve(tx *sqlite.Tx, now time.Time, list int64, by Approver) (digest string, err error) {
	l, err := OpenList(tx, list)
	if err != nil {
		return "", err
	}
	switch {
	case l.Because != "":
		return "", fmt.Errorf("list %d is an early disposal: it is confirmed by `muniment disposal confirm %d`", list, list)
	case !l.Approved.IsZero():
		return "", fmt.Errorf("list %d was approved already, by %s on %s", list, l.ApprovedBy, retention.DateOf(l.Approved).Long())
	}
	if digest, err = approve(tx, now, l, by); err != nil {
		return "", err
	}
	return digest, journal.Write(tx, journal.Entry{At: now, Who: by.Who, Act: journal.ListApproved, Reason: by.Reason,
		About: journal.About{"list": list, "role": by.Role, "records": l.Records, "entries": l.Entries, "digest": digest}})
}

func approve(tx *sqlite.Tx, now time.Time, l List, by Approver) (digest string, err error) {
	if digest, err = Digest(tx, l); err != nil {
		return "", err
	}
	if !strings.HasPrefix(digest, strings.ToLower(strings.TrimSpace(by.Digest))) {
		return "", fmt.Errorf("list %d: %w (it begins with %s)", l.ID, ErrOtherDigest, digest[:12])
	}
	if _, err := tx.Exec("UPDATE disposal_list SET approved_by = ?, approver = ?, approved_at = ?, digest = ? WHERE id = ?",
		by.Who, by.Role, sqlite.FormatTime(now), digest, l.ID); err != nil {
		return "", fmt.Errorf("approve list %d: %w", l.ID, err)
	}
	for _, table := range []string{"disposal_item", "disposal_entry"} {
		if _, err := tx.Exec("UPDATE "+table+" SET approved = 1 WHERE list = ?", l.ID); err != nil {
			return "", fmt.Errorf("approve list %d: %w", l.ID, err)
		}
	}
	return digest, nil
}
