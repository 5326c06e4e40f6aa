package corpus

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"image/jpeg"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// busy is what benchmarks use: six years of it are 100,000 messages.
var busy = Options{PerDay: 46, Members: 400, Long: true, Mark: "📌"}

func count(o Options, n int) Options {
	o.Count = n
	return o
}

// script writes a message as one would tell it.
func script(m Message, people []Person) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%3d  %s  %s", m.N, london(m.Sent).Format("Mon 2 Jan 2006 15:04"), people[m.Sender].First)
	switch {
	case m.Kind == KindEdit:
		fmt.Fprintf(&b, ", editing %d", m.Target)
	case m.Kind == KindDeletion:
		fmt.Fprintf(&b, ", deleting %d", m.Target)
	case m.Target >= 0:
		fmt.Fprintf(&b, ", replying to %d", m.Target)
	}
	if m.Kind == KindPhoto || m.Kind == KindDocument {
		fmt.Fprintf(&b, " (%s%s)", map[Kind]string{KindPhoto: "photo"}[m.Kind], m.FileName)
	}
	b.WriteString(": " + strings.ReplaceAll(m.Text, "\n", `\n`))
	for _, r := range m.Reactions {
		fmt.Fprintf(&b, "  %s %s", r.Emoji, people[r.Sender].First)
	}
	return b.String()
}

func london(t time.Time) time.Time {
	if wall := t.Add(time.Hour); utc(wall).Equal(t) {
		return wall
	}
	return t
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name + ".golden"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got)\n%s", name, diff)
	}
}

// What a seed gives is the same everywhere and for ever: benchmarks are compared.
func TestChatIsTheSame(t *testing.T) {
	var first, sums strings.Builder
	for m := range Chat(1, Options{Count: 60}) {
		fmt.Fprintln(&first, script(m, People(0)))
	}
	golden(t, "chat", first.String())
	for _, o := range []Options{count(Options{}, 20_000), count(busy, 20_000)} {
		h := sha256.New()
		for m := range Chat(1, o) {
			fmt.Fprintf(h, "%+v\n", m)
		}
		fmt.Fprintf(&sums, "%x\n", h.Sum(nil))
	}
	golden(t, "sums", sums.String())
	if one, other := slices.Collect(Chat(1, Options{Count: 9})), slices.Collect(Chat(2, Options{Count: 9})); cmp.Equal(one, other) {
		t.Error("another seed gives the same chat")
	}
}

// untidy is what a template leaves behind when it is wrong.
var untidy = regexp.MustCompile(`[][{}|]|  |//[^/a-z]|^ | $|[a-z]\.\.|%!| [,.?!]`)

func TestChatHangsTogether(t *testing.T) {
	n := 30_000
	if testing.Short() {
		n = 5000
	}
	for name, o := range map[string]Options{"natural": count(Options{Mark: "📌"}, n), "busy": count(busy, n)} {
		t.Run(name, func(t *testing.T) {
			var all []Message
			gone, seen := make(map[int]bool), make(map[Kind]int)
			marks, replies := 0, 0
			people := People(o.Members)
			for m := range Chat(3, o) {
				told := script(m, people)
				if m.N != len(all) || m.Target >= m.N || m.N > 0 && m.Sent.Before(all[m.N-1].Sent) || m.Sent.Nanosecond() != 0 {
					t.Fatalf("out of order: %s", told)
				}
				switch hour := london(m.Sent).Hour(); {
				case hour >= 1 && hour < 6:
					t.Errorf("at night: %s", told)
				case !utf8.ValidString(m.Text) || untidy.MatchString(strings.ReplaceAll(m.Text, "://", "")):
					t.Errorf("untidy: %q", told)
				case (m.Text == "") != (m.Kind == KindDeletion) && m.Kind != KindPhoto:
					t.Errorf("nothing is said, or too much: %s", told)
				case strings.HasSuffix(m.FileName, ".pdf") != (m.Kind == KindDocument) || strings.Contains(m.FileName, "/"):
					t.Errorf("file name %q: %s", m.FileName, told)
				}
				if m.Target >= 0 {
					to := all[m.Target]
					amends := m.Kind == KindEdit || m.Kind == KindDeletion
					if gone[m.Target] || to.Kind == KindEdit || to.Kind == KindDeletion || amends != (m.Sender == to.Sender) {
						t.Errorf("to the wrong message: %s\nto %s", told, script(to, people))
					}
					if m.Kind == KindEdit && m.Sent.Sub(to.Sent) > 15*time.Minute {
						t.Errorf("too late an edit: %s", told)
					}
					gone[m.Target] = m.Kind == KindDeletion
					replies += map[bool]int{false: 1}[amends]
				}
				by := make(map[int]bool)
				for _, r := range m.Reactions {
					if r.Sender == m.Sender || by[r.Sender] || r.After <= 0 {
						t.Errorf("whose reaction is %v? %s", r, told)
					}
					by[r.Sender] = true
					marks += strings.Count(r.Emoji, "📌")
				}
				seen[m.Kind]++
				all = append(all, m)
			}
			if len(all) != n || len(seen) != 5 || marks == 0 || replies < n/6 {
				t.Errorf("%d messages of kinds %v, %d replies, %d marks", len(all), seen, replies, marks)
			}
		})
	}
}

func TestChatKeepsItsBounds(t *testing.T) {
	begin, end := time.Date(2025, 12, 1, 12, 0, 0, 0, time.UTC), time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	all := slices.Collect(Chat(1, Options{Begin: begin, End: end, PerDay: 20}))
	first, last := all[0].Sent, all[len(all)-1].Sent
	if first.Before(begin) || first.Sub(begin) > 48*time.Hour || !last.Before(end) || end.Sub(last) > 48*time.Hour {
		t.Errorf("from %s to %s", first, last)
	}
	if n := len(all) / 182; n < 18 || n > 22 {
		t.Errorf("%d a day, not 20", n)
	}
}

// figures are what matters to a search index.
func figures(o Options) (medianWords, meanBytes, terms int) {
	var words []int
	seen := make(map[string]bool)
	for m := range Chat(1, count(o, 100_000)) {
		words, meanBytes = append(words, len(strings.Fields(m.Text))), meanBytes+len(m.Text)
		for w := range strings.FieldsFuncSeq(strings.ToLower(m.Text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			seen[w] = true
		}
	}
	slices.Sort(words)
	return words[len(words)/2], meanBytes / len(words), len(seen)
}

func TestFigures(t *testing.T) {
	if testing.Short() {
		t.Skip("200,000 messages")
	}
	within := func(what string, n, lo, hi int) {
		t.Logf("%s: %d", what, n)
		if n < lo || n > hi {
			t.Errorf("%s: %d; want %d to %d", what, n, lo, hi)
		}
	}
	words, size, terms := figures(busy)
	within("words in the median", words, 25, 29)
	within("bytes on average", size, 185, 220)
	within("terms", terms, 45_000, 60_000)
	words, _, _ = figures(Options{})
	within("words in the median, as people write", words, 8, 12)
}

func TestPeople(t *testing.T) {
	all := People(2000)
	names, numbers := make(map[string]bool), make(map[string]bool)
	for i, p := range all {
		names[p.Name], numbers[p.Number] = true, true
		if !regexp.MustCompile(`^\+447700900\d{3}$`).MatchString(p.Number) {
			t.Errorf("%v", p)
		}
		if i < 20 && p != People(20)[i] {
			t.Errorf("%v is another where fewer speak", p)
		}
	}
	if len(all) != 899 || len(names) != 899 || len(numbers) != 899 {
		t.Errorf("%d people, %d names, %d numbers", len(all), len(names), len(numbers))
	}
	if jo := (Person{"Jo Marsh", "Jo", "clerk", "+447700900110"}); all[clerk] != jo || len(People(0)) != 10 {
		t.Errorf("the clerk is %v", all[clerk])
	}
}

func TestPhoto(t *testing.T) {
	one := Photo(1, 320, 240)
	img, err := jpeg.Decode(bytes.NewReader(one))
	if err != nil {
		t.Fatal(err)
	}
	sky, _, blue, _ := img.At(160, 4).RGBA()
	_, green, lane, _ := img.At(8, 230).RGBA()
	if img.Bounds().Dx() != 320 || img.Bounds().Dy() != 240 || blue <= sky || green <= lane {
		t.Errorf("%v: not a sky above grass", img.Bounds())
	}
	if !bytes.Equal(one, Photo(1, 320, 240)) || bytes.Equal(one, Photo(2, 320, 240)) {
		t.Error("the picture does not depend on the seed alone")
	}
}

func TestDocument(t *testing.T) {
	lines := append(Lines(1, 80), `Hire of the hall (small room) \ £12.50 – “off peak” 👍`)
	pdf := Document("Agenda – September", lines)
	text := string(pdf)
	if !bytes.Equal(pdf, Document("Agenda – September", lines)) {
		t.Error("not the same twice")
	}
	if n := strings.Count(text, "/Type /Page "); n < 3 || !strings.Contains(text, fmt.Sprintf("/Count %d", n)) {
		t.Errorf("%d pages", n)
	}
	if !strings.Contains(text, "(Hire of the hall \\(small room\\) \\\\ \xa312.50 \x96 \x93off peak\x94 ?) Tj") {
		t.Error("the last line is not as it should be")
	}
	at, err := strconv.Atoi(regexp.MustCompile(`startxref\n(\d+)\n%%EOF\n$`).FindStringSubmatch(text)[1])
	if err != nil || !strings.HasPrefix(text[at:], "xref\n0 ") {
		t.Fatal("startxref does not point to the cross-reference table")
	}
	offsets := regexp.MustCompile(`(?m)^(\d{10}) 00000 n $`).FindAllStringSubmatch(text[at:], -1)
	for i, o := range offsets {
		if n, _ := strconv.Atoi(o[1]); !strings.HasPrefix(text[n:], fmt.Sprintf("%d 0 obj\n", i+1)) {
			t.Errorf("object %d is not at %s", i+1, o[1])
		}
	}
	if want := fmt.Sprintf("/Size %d ", len(offsets)+1); len(offsets) != strings.Count(text, " 0 obj\n") || !strings.Contains(text, want) {
		t.Errorf("%d offsets", len(offsets))
	}
	for _, s := range regexp.MustCompile(`(?s)/Length (\d+) >>\nstream\n(.*?)\nendstream`).FindAllStringSubmatch(text, -1) {
		if s[1] != strconv.Itoa(len(s[2])) {
			t.Errorf("a stream of %d bytes says it has %s", len(s[2]), s[1])
		}
	}
}

func BenchmarkChat(b *testing.B) {
	for name, o := range map[string]Options{"natural": {}, "busy": busy} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range Chat(1, count(o, b.N)) {
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

func BenchmarkPhoto(b *testing.B) {
	for i := range b.N {
		Photo(uint64(i), 640, 480)
	}
}
