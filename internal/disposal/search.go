package disposal

import (
	"bytes"
	"context"
	"encoding/binary"
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

// window is the length in bytes of the pieces of text that are searched for, wherever in the
// text they begin: of a remainder of as many bytes, whichever they are, one is found.
const window = 24

// A text is searched for by its anchors: so many bytes, one at every ninth. Any window holds
// one whole. Where the files have an anchor, what stands around it is compared.
const (
	anchor = 16
	apart  = window - anchor + 1
)

// maxID bounds how much of a message ID or name is searched for: senders choose them.
const maxID = 1024

// shortest is the length of the shortest piece that can be told from chance.
const shortest = 8

// fragments are pieces of destroyed records: their message IDs, their salts, their
// senders' own names and windows of what they said. They are kept in memory only.
type fragments struct {
	records int
	entries int                 // of the journal
	byHead  map[uint64][]piece  // by the key of their first sixteen bytes, of an anchor by its key
	byShort map[uint64][][]byte // by their first eight, of those that have no sixteen
	likely  []uint64            // bits of the keys that there are: most bytes of a file need no more
	pieces  int
	longest int
}

// mostPieces is how many pieces are kept in memory until the files are searched for them:
// what they take, some 140 MB, fits into what the unit may have. Of a sixth of 100,000
// records there are half as many.
var mostPieces = 1 << 20

// full reports whether the files should be searched before more is destroyed.
func (f *fragments) full() bool { return f.pieces >= mostPieces }

// piece is what is searched for: all of what it holds; or, of an anchor, any window of it
// that has the anchor in it.
type piece struct {
	holds []byte
	at    int32  // where the anchor begins; -1: it is searched for as a whole
	found uint32 // its windows that this search has found, by where they begin: people say the same again and again
}

// windows returns a bit for each window of p, or one for all of it.
func (p *piece) windows() uint32 {
	if p.at < 0 {
		return 1
	}
	return 1<<(len(p.holds)-window+1) - 1
}

func (f *fragments) add(g archive.Destroyed) {
	f.records++
	for _, salt := range g.Salts {
		f.put(salt)
	}
	f.putText([]byte(g.ID[:min(len(g.ID), maxID)]))
	f.putText([]byte(g.PushName[:min(len(g.PushName), maxID)]))
	for _, text := range g.Content {
		f.putWindows(text)
	}
}

// putWindows adds a text of which any window shall be found. What has zero bytes in it is left
// out: unused pages are full of them.
func (f *fragments) putWindows(text []byte) {
	for part := range bytes.SplitSeq(text, []byte{0}) {
		for at := 0; len(part) >= window && at+anchor <= len(part); at += apart {
			from, to := max(at-(apart-1), 0), min(at+window, len(part))
			f.keep(key(part[at:]), piece{holds: part[from:to:to], at: int32(at - from)})
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
	switch {
	case len(fragment) >= anchor:
		f.keep(key(fragment), piece{holds: fragment, at: -1})
	case len(fragment) >= shortest:
		f.keepShort(fragment)
	}
}

func (f *fragments) keep(key uint64, p piece) {
	if f.byHead == nil {
		f.byHead = make(map[uint64][]piece)
	}
	if slices.ContainsFunc(f.byHead[key], func(have piece) bool { return have.at == p.at && bytes.Equal(have.holds, p.holds) }) {
		return
	}
	f.byHead[key] = append(f.byHead[key], p)
	f.expect(key, len(p.holds))
}

func (f *fragments) keepShort(fragment []byte) {
	if f.byShort == nil {
		f.byShort = make(map[uint64][][]byte)
	}
	head := binary.BigEndian.Uint64(fragment)
	if slices.ContainsFunc(f.byShort[head], func(have []byte) bool { return bytes.Equal(have, fragment) }) {
		return
	}
	f.byShort[head] = append(f.byShort[head], fragment)
	f.expect(mix(0, head), len(fragment))
}

// likelyBits is the binary logarithm of how many bits tell whether a key is worth looking up:
// two megabytes.
const likelyBits = 24

func (f *fragments) expect(key uint64, length int) {
	if f.likely == nil {
		f.likely = make([]uint64, 1<<(likelyBits-6))
	}
	bit := key >> (64 - likelyBits)
	f.likely[bit>>6] |= 1 << (bit & 63)
	f.pieces++
	f.longest = max(f.longest, length)
}

func (f *fragments) expects(key uint64) bool {
	bit := key >> (64 - likelyBits)
	return f.likely[bit>>6]&(1<<(bit&63)) != 0
}

// key is that of the first sixteen bytes of b.
func key(b []byte) uint64 {
	return mix(binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]))
}

func mix(high, low uint64) uint64 { return (high*0x9e3779b97f4a7c15 ^ low) * 0xd6e8feb86659fd93 }

// search is the account of a search.
type search struct {
	records int
	entries int
	files   int
	bytes   int64
	residue [][]byte // fragments found, each once
}

// search looks for every fragment in every file below directory, but not in those that
// are sealed: without its key, nothing of what one holds is in it.
func (f *fragments) search(ctx context.Context, directory string, sealed func(path string) bool) (search, error) {
	f.afresh()
	s := search{records: f.records, entries: f.entries}
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

// block is how much of a file is read at a time.
const block = 1 << 20

// searchIn calls found for every fragment in r that was not found before, and returns how many bytes r has.
// It reads r in blocks and remembers no more than the longest fragment.
func (f *fragments) searchIn(ctx context.Context, r io.Reader, found func([]byte)) (n int64, err error) {
	ahead, from := max(f.longest, window), 0
	b := make([]byte, 0, block+2*ahead)
	for end := false; !end; {
		if ctx.Err() != nil {
			return n, ctx.Err()
		}
		got, err := io.ReadFull(r, b[len(b):cap(b)])
		b, n = b[:len(b)+got], n+int64(got)
		if end = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); !end && err != nil {
			return n, err
		}
		to := len(b)
		if !end {
			to -= ahead
		}
		f.scan(b, from, to, found)
		kept := max(to-window, 0)
		from = to - kept
		b = b[:copy(b, b[kept:])]
	}
	return n, nil
}

// afresh forgets what was found.
func (f *fragments) afresh() {
	for _, pieces := range f.byHead {
		for i := range pieces {
			pieces[i].found = 0
		}
	}
}

// each calls found for every fragment that stands in b, and in nothing before it.
func (f *fragments) each(b []byte, found func([]byte)) { f.scan(b, 0, len(b), found) }

// scan calls found for every fragment that begins, or whose anchor does, in b from one place
// on and before another.
func (f *fragments) scan(b []byte, from, to int, found func([]byte)) {
	if f.likely == nil {
		return
	}
	var high, low uint64 // the last sixteen bytes
	for i := from; i < len(b) && i < to+anchor; i++ {
		high, low = high<<8|low>>56, low<<8|uint64(b[i])
		if at := i - shortest + 1; len(f.byShort) > 0 && at >= from && at < to && f.expects(mix(0, low)) {
			for _, fragment := range f.byShort[low] {
				if bytes.HasPrefix(b[at:], fragment) {
					found(fragment)
				}
			}
		}
		at := i - anchor + 1
		if at < from || at >= to {
			continue
		}
		if key := mix(high, low); f.expects(key) {
			pieces := f.byHead[key]
			for i := range pieces {
				pieces[i].compare(b, at, found)
			}
		}
	}
}

// compare calls found for what of p stands in b, where its first bytes or its anchor may
// stand at a place, and was not found before.
func (p *piece) compare(b []byte, place int, found func([]byte)) {
	if p.found == p.windows() {
		return
	}
	if p.at < 0 {
		if bytes.HasPrefix(b[place:], p.holds) {
			p.found = 1
			found(p.holds)
		}
		return
	}
	at := int(p.at)
	if !bytes.HasPrefix(b[place:], p.holds[at:at+anchor]) {
		return
	}
	from, to := at, at+anchor // of what agrees
	for from > 0 && place-(at-from) > 0 && p.holds[from-1] == b[place-(at-from)-1] {
		from--
	}
	for to < len(p.holds) && place+to-at < len(b) && p.holds[to] == b[place+to-at] {
		to++
	}
	for ; from+window <= to; from++ {
		if bit := uint32(1) << from; p.found&bit == 0 {
			p.found |= bit
			found(p.holds[from : from+window : from+window])
		}
	}
}

// chance is how many bytes beside what a record says may by chance go on as a destroyed
// one did: what a file has next to it is a number or a digest. One byte is likely enough,
// where two people have said the same but for its end, and would be found every night.
const chance = 4

// edges are windows without up to so many bytes at their end, or beginning.
type edges struct{ ends, begins map[string][][]byte }

// edges returns the edges of the fragments that are windows.
func (f *fragments) edges() edges {
	e := edges{make(map[string][][]byte), make(map[string][][]byte)}
	for _, pieces := range f.byHead {
		for _, p := range pieces {
			w := p.holds
			for n := window - chance; len(w) == window && n < window; n++ {
				e.ends[string(w[:n])] = append(e.ends[string(w[:n])], w)
				e.begins[string(w[window-n:])] = append(e.begins[string(w[window-n:])], w)
			}
		}
	}
	return e
}

// each calls found for every window that may stand in a file because b does, and
// something else next to it.
func (e edges) each(b []byte, found func([]byte)) {
	for n := window - chance; n < window && n <= len(b); n++ {
		for _, w := range e.ends[string(b[len(b)-n:])] {
			found(w)
		}
		for _, w := range e.begins[string(b[:n])] {
			found(w)
		}
	}
}
