package disposal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"muniment/internal/archive"
	"muniment/internal/vault"
)

// window is the length in bytes of the pieces of text that are searched for. A
// remainder of twice this length holds a whole one, wherever it was cut.
const window = 24

// maxID bounds how much of a message ID or name is searched for: senders choose them.
const maxID = 1024

// fragments are pieces of destroyed records: their message IDs, their salts, their
// senders' own names and windows of what they said. They are kept in memory only.
type fragments struct {
	records int
	byHead  map[uint64][][]byte // by their first eight bytes
	tails   [1 << 16]bool       // the last two bytes of every head: most bytes of a file need no more
}

func (f *fragments) add(g archive.Destroyed) {
	f.records++
	for _, salt := range g.Salts {
		f.put(salt)
	}
	f.putText([]byte(g.ID[:min(len(g.ID), maxID)]))
	f.putText([]byte(g.PushName[:min(len(g.PushName), maxID)]))
	for _, text := range g.Content {
		for ; len(text) >= 2*window; text = text[window:] {
			f.putText(text[:window:window])
		}
		if len(text) >= window {
			f.putText(text[:window:window])
			f.putText(text[len(text)-window:])
		}
	}
}

// addFile adds what would open a file, and what it is kept under. Where WhatsApp has
// it tells of nobody and is searched for as a text.
func (f *fragments) addFile(m vault.Media) {
	for _, secret := range [][]byte{m.Key, m.Digest, m.Sealed} {
		f.put(secret)
	}
	f.putText([]byte(hex.EncodeToString(m.Sealed)))
	f.putText([]byte(m.Path[:min(len(m.Path), maxID)]))
}

// putText leaves out what has zero bytes in it: unused pages are full of them.
func (f *fragments) putText(fragment []byte) {
	if bytes.IndexByte(fragment, 0) < 0 {
		f.put(fragment)
	}
}

func (f *fragments) put(fragment []byte) {
	if len(fragment) < 8 {
		return // too short to tell from chance
	}
	if f.byHead == nil {
		f.byHead = make(map[uint64][][]byte)
	}
	head := head(fragment)
	if slices.ContainsFunc(f.byHead[head], func(have []byte) bool { return bytes.Equal(have, fragment) }) {
		return
	}
	f.tails[uint16(head)] = true
	f.byHead[head] = append(f.byHead[head], fragment)
}

func head(b []byte) (h uint64) {
	for _, c := range b[:8] {
		h = h<<8 | uint64(c)
	}
	return h
}

// search is the account of a search.
type search struct {
	records int
	files   int
	bytes   int64
	residue [][]byte // fragments found, each once
}

// search looks for every fragment in every file below directory, but not in those that
// are sealed: without its key, nothing of what one holds is in it.
func (f *fragments) search(ctx context.Context, directory string, sealed func(path string) bool) (search, error) {
	s := search{records: f.records}
	known := make(map[string]bool)
	found := func(fragment []byte) {
		if !known[string(fragment)] {
			known[string(fragment)] = true
			s.residue = append(s.residue, fragment)
		}
	}
	err := filepath.WalkDir(directory, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a file that came and went
		} else if err != nil {
			return err
		}
		if !e.Type().IsRegular() || sealed(path) {
			return nil
		}
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		defer file.Close()
		n, err := f.searchIn(ctx, file, found)
		s.files++
		s.bytes += n
		return err
	})
	if err != nil {
		return search{}, fmt.Errorf("search the files for what was destroyed: %w", err)
	}
	return s, nil
}

// searchIn calls found for every fragment in r and returns how many bytes r has.
// It reads r as a stream and remembers no more than the longest fragment.
func (f *fragments) searchIn(ctx context.Context, r io.Reader, found func([]byte)) (n int64, err error) {
	in := bufio.NewReaderSize(r, 1<<18)
	var h uint64
	for {
		if n%(1<<20) == 0 && ctx.Err() != nil {
			return n, ctx.Err()
		}
		c, err := in.ReadByte()
		if errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, err
		}
		n++
		if h = h<<8 | uint64(c); n < 8 || !f.tails[uint16(h)] {
			continue
		}
		for _, fragment := range f.byHead[h] {
			rest, err := in.Peek(len(fragment) - 8)
			if err != nil && !errors.Is(err, io.EOF) {
				return n, err
			}
			if string(rest) == string(fragment[8:]) {
				found(fragment)
			}
		}
	}
}
