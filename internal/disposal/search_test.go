package disposal

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"muniment/internal/archive"
)

// A sixth of 100,000 records is searched for in files as large as their archive.
func BenchmarkSearch(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1894, 12))
	var words []string // most of what is said is said in a few of them
	for range 20_000 {
		words = append(words, strings.ToLower(fmt.Sprintf("%c%x", 'a'+rnd.IntN(26), rnd.IntN(1<<(4*(1+rnd.IntN(7)))))))
	}
	common := rand.NewZipf(rnd, 1.1, 2, uint64(len(words)-1))
	sentence := func() string {
		var s strings.Builder
		for range 8 + rnd.IntN(40) {
			s.WriteString(words[common.Uint64()])
			s.WriteByte(' ')
		}
		return s.String()
	}
	f := new(fragments)
	for i := range 16_667 {
		salt := make([]byte, 32)
		for j := range salt {
			salt[j] = byte(rnd.Uint32())
		}
		f.add(archive.Destroyed{ID: fmt.Sprintf("3EB0AAAAAAAAAAAAA%05d", i), Salts: [][]byte{salt}, Content: [][]byte{[]byte(sentence())}})
	}
	dir := b.TempDir()
	var file bytes.Buffer
	for file.Len() < 118<<20 {
		file.WriteString(sentence())
		for range 40 {
			file.WriteByte(byte(rnd.Uint32()))
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "archive.db"), file.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(file.Len()))
	for b.Loop() {
		s, err := f.search(context.Background(), dir, func(string) bool { return false })
		if err != nil || s.bytes != int64(file.Len()) {
			b.Fatalf("searched %d bytes: %v", s.bytes, err)
		}
		b.ReportMetric(float64(len(s.residue)), "found")
	}
}

// Whatever is left of a text is found if it has as many bytes as a window, wherever it begins
// and wherever it lies in a file; and less is not.
func TestAnyRemainderIsFound(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(1 + rnd.IntN(255))
		}
		return b
	}
	for _, length := range []int{window, window + 1, 47, 48, 300} {
		text, id, short := random(length), random(20), random(9)
		f := new(fragments)
		f.add(archive.Destroyed{ID: string(id), PushName: string(short), Content: [][]byte{text}})
		finds := func(file []byte) (found [][]byte) {
			f.afresh()
			n, err := f.searchIn(context.Background(), iotest.OneByteReader(bytes.NewReader(file)), func(b []byte) { found = append(found, b) })
			if err != nil || n != int64(len(file)) {
				t.Fatalf("searched %d bytes of %d: %v", n, len(file), err)
			}
			return found
		}
		for from := 0; from+window <= length; from++ {
			left := text[from : from+window]
			for _, before := range []int{0, 1, rnd.IntN(100)} {
				file := slices.Concat(random(before), left, random(rnd.IntN(50)))
				if found := finds(file); !slices.ContainsFunc(found, func(b []byte) bool { return bytes.Equal(b, left) }) {
					t.Errorf("of %d bytes, those from %d on are not found after %d others", length, from, before)
				}
			}
			if found := finds(slices.Concat(random(30), []byte{0}, left[:window-1], []byte{0}, random(30))); len(found) > 0 {
				t.Errorf("one byte less than a window is found: %q", found)
			}
		}
		for _, whole := range [][]byte{id, short} {
			if found := finds(slices.Concat(random(60), whole, random(60))); len(found) != 1 || !bytes.Equal(found[0], whole) {
				t.Errorf("%q is not found: %q", whole, found)
			}
		}
	}
}

// Nothing is overlooked where one block that is read ends and the next begins.
func TestNothingIsOverlookedBetweenBlocks(t *testing.T) {
	if testing.Short() {
		t.Skip("megabytes, one thing after another")
	}
	text, long := []byte("the culvert at Mill Lane"), bytes.Repeat([]byte("0123456789abcdefg"), 60)
	f := new(fragments)
	f.add(archive.Destroyed{ID: string(long), Content: [][]byte{text}})
	for _, ends := range []int{block, block + 2*f.longest - f.longest, block + 2*f.longest, 2 * block} {
		for at := ends - len(long) - 30; at < ends+30; at += 7 {
			file := bytes.Repeat([]byte{'.'}, 2*block+5000)
			copy(file[at:], long)
			copy(file[at+len(long)+at%5:], text)
			var found []string
			f.afresh()
			if _, err := f.searchIn(context.Background(), bytes.NewReader(file), func(b []byte) { found = append(found, string(b)) }); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(found, []string{string(long), string(text)}) {
				t.Fatalf("at %d, %d pieces were found", at, len(found))
			}
		}
	}
}
