package vault

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"

	"muniment/internal/sqlite"
)

// Name is where the file of that digest lies below the media directory, and below that of
// a backup.
func Name(sealed []byte) string {
	return filepath.Join(fmt.Sprintf("%.1x", sealed), fmt.Sprintf("%x", sealed))
}

// SealedAs returns the digest of the file that lies under that name below the media
// directory; false if it is not the name of one.
func SealedAs(name string) (sealed []byte, is bool) {
	sealed, err := hex.DecodeString(filepath.Base(name))
	return sealed, err == nil && len(sealed) == sha256.Size && name == Name(sealed)
}

// Digests returns the digests of all files that are kept, each once.
func Digests(tx *sqlite.Tx) (all [][]byte, err error) {
	rows, err := tx.Query("SELECT DISTINCT sealed FROM media WHERE state = 'kept' ORDER BY sealed")
	if err != nil {
		return nil, fmt.Errorf("read files: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var sealed []byte
		if err := rows.Scan(&sealed); err != nil {
			return nil, fmt.Errorf("read files: %w", err)
		}
		all = append(all, sealed)
	}
	return all, rows.Err()
}
