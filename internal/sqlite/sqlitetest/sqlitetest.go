// Package sqlitetest makes archive databases for tests. To lay out the tables takes as
// long as most tests do, several times so under the race detector; so it is done once
// in a process, and then copied.
package sqlitetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"muniment/internal/sqlite"
)

// Create is [sqlite.Create].
func Create(ctx context.Context, path string) (*sqlite.DB, error) {
	laid, err := template()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(laid); err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	return sqlite.Open(ctx, path)
}

// template returns a database with its tables and nothing in them.
var template = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "muniment-template-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "archive.db")
	db, err := sqlite.Create(context.Background(), path)
	if err != nil {
		return nil, fmt.Errorf("lay out the template: %w", err)
	}
	if err := db.Close(); err != nil { // which empties the log into the file
		return nil, fmt.Errorf("lay out the template: %w", err)
	}
	return os.ReadFile(path)
})
