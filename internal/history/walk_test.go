package history_test

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"muniment/internal/history"
)

const ours, theirs = "1@g.us", "2@g.us"

// A field of a protobuf that has a length.
func field(num protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), value)
}

func varint(num protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), v)
}

// chat is a conversation with messages, and with fields of all sorts around these.
func chat(id string, messages ...string) []byte {
	b := field(1, []byte(id))
	b = append(b, varint(5, 1_800_000_000)...)
	for _, m := range messages {
		b = append(b, field(2, slices.Concat(field(1, []byte(m)), varint(2, 7)))...)
		b = protowire.AppendFixed64(protowire.AppendTag(b, 90, protowire.Fixed64Type), 1)
		b = protowire.AppendFixed32(protowire.AppendTag(b, 91, protowire.Fixed32Type), 1)
	}
	return field(2, append(b, field(13, []byte("a name"))...))
}

func deflated(raw []byte) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write(raw)
	z.Close()
	return b.Bytes()
}

// walk returns what is found in a piece.
func walk(piece io.Reader) (found []string, err error) {
	err = history.Walk(piece, func(chat string) bool { return chat == ours }, func(chat string, m []byte) error {
		if m == nil {
			found = append(found, chat+": unreadable")
		} else {
			found = append(found, chat+": "+string(m))
		}
		return nil
	})
	return found, err
}

func TestWalk(t *testing.T) {
	large := strings.Repeat("x", 9<<20)
	piece := slices.Concat(varint(1, 3), chat(theirs, "not ours"), chat(ours, "one", "two"), field(3, []byte("status")), varint(5, 1),
		chat("", "of no chat"), chat(strings.Repeat("1", 300), "of a long name"), chat(ours, large, "three"), field(7, []byte("push name")))
	got, err := walk(bytes.NewReader(deflated(piece)))
	want := []string{"1@g.us: one", "1@g.us: two", ": unreadable", ": unreadable", "1@g.us: unreadable", "1@g.us: three"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v\ngot  %q\nwant %q", err, got, want)
	}
	// The address must come first: what comes before it is of nobody knows which chat.
	got, err = walk(bytes.NewReader(deflated(field(2, slices.Concat(field(2, field(1, []byte("before"))), field(1, []byte(ours)), field(2, field(1, []byte("after"))))))))
	if err != nil || !slices.Equal(got, []string{": unreadable", ": unreadable"}) {
		t.Errorf("the address comes late: %v, %q", err, got)
	}
	if got, err := walk(bytes.NewReader(deflated(nil))); err != nil || got != nil {
		t.Errorf("nothing: %v, %q", err, got)
	}
}

func TestWhatIsNoPiece(t *testing.T) {
	whole := deflated(slices.Concat(chat(ours, "one"), chat(theirs, "two")))
	long := protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.BytesType), 1<<40)
	for name, piece := range map[string][]byte{
		"nothing":                    nil,
		"not deflated":               []byte("not deflated at all"),
		"cut off":                    whole[:len(whole)-10],
		"damaged":                    append(slices.Clone(whole[:len(whole)-3]), 1, 2, 3),
		"cut off before":             deflated(chat(ours, "one")[:10]),
		"longer than there is":       deflated(long),
		"a field beyond its chat":    deflated(field(2, append(field(1, []byte(ours)), long...))),
		"a group":                    deflated(protowire.AppendTag(nil, 2, protowire.StartGroupType)),
		"a field without number":     deflated([]byte{0}),
		"a number that does not end": deflated(bytes.Repeat([]byte{0xff}, 20)),
	} {
		if _, err := walk(bytes.NewReader(piece)); !errors.Is(err, history.ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("the disk")
	if _, err := walk(io.MultiReader(bytes.NewReader(whole[:10]), failing{broken})); !errors.Is(err, broken) || errors.Is(err, history.ErrForm) {
		t.Errorf("what cannot be read for now: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// zeros are as many bytes as one asks for.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A piece that says it is larger than any history is refused before it is inflated; one of
// other chats takes no memory, however large.
func TestABombIsRefused(t *testing.T) {
	bomb := func(says, is int64) *io.PipeReader {
		r, w := io.Pipe()
		go func() {
			z, _ := zlib.NewWriterLevel(w, zlib.BestSpeed)
			z.Write(protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.BytesType), uint64(says)))
			z.Write(field(1, []byte(theirs)))
			z.Write(protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.BytesType), uint64(is)))
			_, err := io.CopyN(z, zeros{}, is)
			w.CloseWithError(errors.Join(err, z.Close()))
		}()
		return r
	}
	r := bomb(5<<30, 5<<30)
	if _, err := walk(r); !errors.Is(err, history.ErrForm) {
		t.Errorf("%v", err)
	}
	r.Close()
	const large = 256 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r = bomb(large+int64(len(field(1, []byte(theirs))))+6, large)
	if _, err := walk(r); err != nil {
		t.Errorf("%v", err)
	}
	r.Close()
	runtime.ReadMemStats(&after)
	if grown := int64(after.Sys) - int64(before.Sys); grown > 32<<20 {
		t.Errorf("it took %d MiB", grown>>20)
	}
}

func FuzzWalk(f *testing.F) {
	f.Add(slices.Concat(chat(ours, "one"), chat(theirs, "not ours")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		found, err := walk(bytes.NewReader(deflated(raw)))
		if err != nil && !errors.Is(err, history.ErrForm) {
			t.Errorf("%v", err)
		}
		for _, m := range found {
			if !strings.HasPrefix(m, ours) && !strings.HasSuffix(m, "unreadable") {
				t.Errorf("of another chat: %q", m)
			}
		}
	})
}
