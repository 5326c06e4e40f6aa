package transcript

import (
	"archive/zip"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	london = zone("Europe/London")
	late   = time.Date(2027, 1, 15, 12, 0, 0, 0, time.UTC)
)

func zone(name string) *time.Location {
	l, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return l
}

func parse(t testing.TB, text string) *Export {
	t.Helper()
	e, err := Parse([]byte(text), Options{Zone: london, Now: late})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Each form of export under testdata is read into what the golden file beside it says.
func TestForms(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			got := describe(parse(t, sample(t, f)))
			golden := strings.TrimSuffix(f, ".txt") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// sample reads an export. Marks that show nothing are written in it so that they show.
func sample(t testing.TB, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("{LRM}", "\u200e", "{NNBSP}", "\u202f", "{NBSP}", "\u00a0", "{FSI}", "\u2068", "{PDI}", "\u2069",
		"{LRE}", "\u202a", "{PDF}", "\u202c", "{BOM}", "\ufeff", "{CR}", "\r").Replace(string(b))
}

// describe writes an export out for people.
func describe(e *Export) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s (sure: %t), to the %v, called %q, %d lines, %d back\n", e.Phone, e.Order, e.Sure, e.Unit, e.Names, e.Lines, e.Back)
	for _, n := range e.Entries {
		fmt.Fprintf(&b, "%d %s %s", n.Line, n.At.UTC().Format("2006-01-02T15:04:05Z"), n.Sort)
		if !n.Or.IsZero() {
			fmt.Fprintf(&b, " (or %s)", n.Or.UTC().Format("15:04:05Z"))
		}
		if n.Edited {
			b.WriteString(" edited")
		}
		fmt.Fprintf(&b, " %q %q", n.Author, n.Text)
		for _, m := range n.Mentions {
			fmt.Fprintf(&b, " mentions %q %s", n.Text[m.From:m.To], m.Number)
		}
		if n.File != "" {
			fmt.Fprintf(&b, " file %q", n.File)
		}
		if n.Name != "" {
			fmt.Fprintf(&b, " named %q", n.Name)
		}
		if n.Pages > 0 {
			fmt.Fprintf(&b, " of %d pages", n.Pages)
		}
		if n.Poll != nil {
			fmt.Fprintf(&b, " poll %q %v", n.Question, n.Poll)
		}
		if n.Place != nil {
			fmt.Fprintf(&b, " at %v", *n.Place)
		}
		b.WriteByte('\n')
	}
	for _, f := range e.Faults {
		fmt.Fprintf(&b, "fault: %s\n", f)
	}
	return b.String()
}

// What a member types is his, though it begins with the mark of an iPhone's own words.
func TestTypedMarks(t *testing.T) {
	e := parse(t, "\u200e[22/11/2026, 21:30:00] Cranford councillors: \u200eMessages and calls are end-to-end encrypted.\n"+
		"[22/11/2026, 21:31:00] Bo: \u200eend-to-end encrypted\n"+
		"[22/11/2026, 21:32:00] Bo: \u200eAnn Brook removed Cy\n"+
		"[22/11/2026, 21:33:00] Bo: \u200eWe sell the field\n")
	for _, n := range e.Entries[1:] {
		if n.Author != "Bo" {
			t.Errorf("line %d: a %s of %q: %q", n.Line, n.Sort, n.Author, n.Text)
		}
	}
	if !slices.Equal(e.Names, []string{"Cranford councillors"}) {
		t.Errorf("the chat is called %q", e.Names)
	}
}

// Every line is in exactly one entry, or is a fault.
func TestNothingIsDropped(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, f := range files {
		expectWhole(t, []byte(sample(t, f)))
	}
}

func expectWhole(t *testing.T, text []byte) {
	t.Helper()
	e, err := Parse(text, Options{Zone: london, Now: late})
	if err != nil {
		return
	}
	var all strings.Builder
	for i, n := range e.Entries {
		if i == 0 {
			for _, l := range splitLines(strings.TrimPrefix(string(text), "\ufeff"))[:n.Line-1] {
				all.WriteString(l)
			}
		}
		all.WriteString(n.Raw)
	}
	if all.String() != strings.TrimPrefix(string(text), "\ufeff") {
		t.Errorf("the entries do not make up the text")
	}
	faults := make(map[int]bool)
	for _, f := range e.Faults {
		faults[f.Line] = true
	}
	for i, l := range splitLines(strings.TrimPrefix(string(text), "\ufeff"))[:e.Entries[0].Line-1] {
		if strings.TrimSpace(l) != "" && !faults[i+1] {
			t.Errorf("line %d is in no entry, and is no fault", i+1)
		}
	}
}

func TestOrderOfDates(t *testing.T) {
	for _, tt := range []struct {
		name, dates string
		want        Order
		sure        bool
	}{
		{"a day after the twelfth", "05/06/2026 13/06/2026", DayFirst, true},
		{"in the second place", "06/05/26 6/13/26", MonthFirst, true},
		{"one that does not go back", "11/1/26 1/2/26 5/3/26", DayFirst, true},
		{"time goes on by days", "01/02/2026 02/02/2026 03/02/2026 01/03/2026", DayFirst, true},
		{"time goes on by months", "2/1/26 2/2/26 2/3/26 3/1/26", MonthFirst, true},
		{"nothing tells", "05/06/2026 05/06/2026", DayFirst, false},
		{"one would be in the future", "02/01/2027 03/01/2027", DayFirst, true},
		{"the other would be in the future", "01/02/2027 01/03/2027 01/03/2027 01/12/2027", MonthFirst, true},
		{"a typed date among many", "13/06/2026 14/06/2026 06/20/2026 15/06/2026", DayFirst, true},
		{"year first", "2026-06-05 2026-06-06", YearFirst, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			for d := range strings.FieldsSeq(tt.dates) {
				fmt.Fprintf(&b, "%s, 09:30 - Ann Brook: The culvert\n", d)
			}
			e := parse(t, b.String())
			if e.Order != tt.want || e.Sure != tt.sure {
				t.Errorf("%s, sure %t; want %s, %t", e.Order, e.Sure, tt.want, tt.sure)
			}
		})
	}
}

// The hour that clocks show twice in October goes by the order in the file; the one
// that they skip in March is a fault.
func TestSummerTime(t *testing.T) {
	for _, tt := range []struct {
		name, date, times, want string
		faults                  int
	}{
		{"summer", "01/07/2026", "09:00", "08:00", 0},
		{"winter", "01/12/2026", "09:00", "09:00", 0},
		{"before, in and after the hour", "25/10/2026", "00:50 01:10 01:50 02:10", "23:50 00:10 00:50 02:10", 0},
		{"twice", "25/10/2026", "01:10 01:50 01:05 01:50 02:00", "00:10 00:50 01:05 01:50 02:00", 0},
		{"one that came late", "25/10/2026", "01:10 01:09 01:11", "00:10 00:09 00:11", 0},
		{"only the second", "25/10/2026", "02:10 01:50 02:20", "02:10 01:50 02:20", 0},
		{"the skipped hour", "29/03/2026", "00:59 01:30 02:01", "00:59 01:30 01:01", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			for at := range strings.FieldsSeq(tt.times) {
				fmt.Fprintf(&b, "%s, %s - Ann Brook: x\n", tt.date, at)
			}
			e := parse(t, b.String())
			var got []string
			for _, n := range e.Entries {
				got = append(got, n.At.UTC().Format("15:04"))
			}
			if s := strings.Join(got, " "); s != tt.want || len(e.Faults) != tt.faults {
				t.Errorf("%s, %d faults; want %s, %d", s, len(e.Faults), tt.want, tt.faults)
			}
		})
	}
	e := parse(t, "25/10/2026, 01:10 - Ann Brook: x\n")
	if n := e.Entries[0]; !n.Or.Equal(n.At.Add(time.Hour)) {
		t.Errorf("in the repeated hour: %v or %v", n.At, n.Or)
	}
}

func TestWhatIsNoExport(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       error
	}{
		{"nothing", "", ErrNoExport},
		{"a letter", "Dear Ann,\n\n22 November: the culvert.\n", ErrNoExport},
		{"made on a computer", "Messages and calls are end-to-end encrypted. No one outside of this chat can read them.\n[11/22/26, 9:36:46 PM] You: Hello\n", ErrWeb},
		{"dates that are none", "99/99/2026, 10:00 - Ann Brook: x\n", ErrNoExport},
	} {
		if _, err := Parse([]byte(tt.text), Options{Zone: london, Now: late}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v; want %v", tt.name, err, tt.want)
		}
	}
}

// zipped makes a zip file of names and contents, in this order.
func zipped(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err == nil {
			_, err = f.Write([]byte(files[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readBytes(b []byte, name string) (*Export, error) {
	return Read(bytes.NewReader(b), int64(len(b)), name, Options{Zone: london, Now: late})
}

const (
	chatLine  = "22/11/2026, 21:36 - Ann Brook: \u200eIMG-20261122-WA0001.jpg (file attached)\nThe culvert\n"
	chatFile  = "WhatsApp Chat with Cranford councillors.txt"
	photoFile = "IMG-20261122-WA0001.jpg"
)

func TestFiles(t *testing.T) {
	for _, tt := range []struct {
		name    string
		files   []string
		missing int
		unnamed int
	}{
		{"text and photo", []string{chatFile, chatLine, photoFile, "JPEG"}, 0, 0},
		{"in a folder, as some pack it again", []string{"Export/" + chatFile, chatLine, "Export/" + photoFile, "JPEG", "__MACOSX/._x", "x", "Export/.DS_Store", "x"}, 0, 0},
		{"a member sent a text, too", []string{chatFile, chatLine, photoFile, "JPEG", "Minutes.txt", "x"}, 0, 1},
		{"no photo", []string{chatFile, chatLine}, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := readBytes(zipped(t, tt.files...), "WhatsApp Chat with Cranford councillors.zip")
			if err != nil {
				t.Fatal(err)
			}
			if e.Missing != tt.missing || len(e.Unnamed) != tt.unnamed || !slices.Equal(e.Names, []string{"Cranford councillors"}) {
				t.Errorf("missing %d, unnamed %q, called %q", e.Missing, e.Unnamed, e.Names)
			}
			if tt.missing == 0 && e.Entries[0].File != photoFile {
				t.Errorf("its file is %q", e.Entries[0].File)
			}
			if err := e.Check(nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTextAlone(t *testing.T) {
	e, err := readBytes([]byte(chatLine), chatFile)
	if err != nil {
		t.Fatal(err)
	}
	if n := e.Entries[0]; n.Sort != Image || n.File != "" || n.Text != "The culvert" || !slices.Equal(e.Names, []string{"Cranford councillors"}) {
		t.Errorf("%+v, called %q", n, e.Names)
	}
}

func TestZipFilesThatAreRefused(t *testing.T) {
	photo := zipped(t, chatFile, chatLine, photoFile, strings.Repeat("JPEG", 100))
	two := zipped(t, "WhatsApp Chat with A.txt", chatLine, "WhatsApp Chat with B.txt", chatLine)
	for _, tt := range []struct {
		name string
		zip  []byte
		want string
	}{
		{"no text", zipped(t, photoFile, "JPEG"), "no text"},
		{"two chats", two, "more than one text"},
		{"two texts of which neither is named so", zipped(t, "a.txt", chatLine, "b.txt", chatLine), "more than one text"},
		{"a path out of it", zipped(t, chatFile, chatLine, "../../etc/cron.d/x", "x"), "not made by a phone"},
		{"an absolute path", zipped(t, "/"+chatFile, chatLine), "not made by a phone"},
		{"a path for Windows", zipped(t, chatFile, chatLine, `..\x`, "x"), "not made by a phone"},
		{"the same name twice", zipped(t, chatFile, chatLine, photoFile, "1", photoFile, "2"), "same name"},
		{"cut short", photo[:len(photo)-40], "damaged or was cut short"},
		{"a symbolic link", linked(t), "not made by a phone"},
		{"a bomb", bomb(t), "fill a disk"},
		{"locked", flagged(zipped(t, chatFile, chatLine)), "password"},
		{"no text in it", []byte("\xff\xd8\xff\xe0 a photo"), "no text in UTF-8"},
		{"another encoding", []byte("\xff\xfe2\x002\x00/\x001\x001\x00"), "no text in UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := readBytes(tt.zip, "x.zip"); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v; want one about %q", err, tt.want)
			}
		})
	}
}

// A file that was damaged on the way is found before anything is done with it.
func TestDamagedFiles(t *testing.T) {
	content := strings.Repeat("JPEG", 5000)
	for _, tt := range []struct {
		name string
		zip  []byte
	}{
		{"another checksum", raw(t, content, crc32.ChecksumIEEE([]byte("other")), uint64(len(content)))},
		{"longer than it says", raw(t, content, crc32.ChecksumIEEE([]byte(content)), 100)},
		{"shorter than it says", raw(t, content, crc32.ChecksumIEEE([]byte(content)), uint64(len(content))+10)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := readBytes(tt.zip, "x.zip")
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Check(nil); err == nil || !strings.Contains(err.Error(), "damaged") {
				t.Errorf("the check says %v", err)
			}
		})
	}
	if _, err := readBytes(corrupt(zipped(t, chatFile, strings.Repeat(chatLine, 50))), "x.zip"); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged text gives %v", err)
	}
}

// raw makes an export whose photo has the given content, and says what it likes of it.
func raw(t *testing.T, content string, sum uint32, size uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create(chatFile)
	if err == nil {
		_, err = f.Write([]byte(chatLine))
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.CreateRaw(&zip.FileHeader{Name: photoFile, Method: zip.Store, CRC32: sum, CompressedSize64: uint64(len(content)), UncompressedSize64: size})
	if err == nil {
		_, err = p.Write([]byte(content))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bomb makes a zip file that says that it holds a hundred gigabytes.
func bomb(t *testing.T) []byte {
	t.Helper()
	return raw(t, "x", 0, 100<<30)
}

// linked makes a zip file with a symbolic link in it.
func linked(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: photoFile}
	h.SetMode(os.ModeSymlink | 0o777)
	f, err := w.CreateHeader(h)
	if err == nil {
		_, err = f.Write([]byte("/etc/passwd"))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// flagged says of the only file of a zip file that it is locked with a password.
func flagged(z []byte) []byte {
	at := bytes.LastIndex(z, []byte("PK\x01\x02"))
	z[at+8] |= 1
	return z
}

// corrupt changes a byte of the first file of a zip file.
func corrupt(z []byte) []byte {
	z[100] ^= 0x55
	return z
}

func TestContactCards(t *testing.T) {
	const card = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Dot Ellis\\, clerk\r\nORG:Cranford Parish Council;\r\n" +
		"item1.TEL;waid=447700900104:+44 7700 900104\r\nEMAIL;TYPE=work:clerk@cranford-pc.\r\n example\r\nEND:VCARD\r\n" +
		"BEGIN:VCARD\r\nFN:Ed Fox\r\nEND:VCARD\r\n"
	e, err := readBytes(zipped(t, chatFile, "22/11/2026, 21:36 - Ann Brook: Dot Ellis.vcf (file attached)\n", "Dot Ellis.vcf", card), "x.zip")
	if err != nil {
		t.Fatal(err)
	}
	n := e.Entries[0]
	want := []Card{
		{Name: "Dot Ellis, clerk", Organisation: "Cranford Parish Council", Numbers: []string{"+44 7700 900104"}, Emails: []string{"clerk@cranford-pc.example"}},
		{Name: "Ed Fox"},
	}
	if diff := cmp.Diff(want, n.Cards); diff != "" || n.Sort != Contact || n.VCard != card || n.File != "" {
		t.Errorf("%s %q %q (-want +got)\n%s", n.Sort, n.File, n.VCard, diff)
	}
}

// A file that many messages name fills neither the memory nor the disk.
func TestOneFileOfManyMessages(t *testing.T) {
	const n = 3000
	card := "BEGIN:VCARD\nFN:Dot Ellis\nPHOTO:" + strings.Repeat("A", 1<<19) + "\nEND:VCARD\n"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	e, err := readBytes(zipped(t, chatFile, strings.Repeat("22/11/2026, 21:36 - Ann Brook: Dot Ellis.vcf (file attached)\n", n), "Dot Ellis.vcf", card), "x.zip")
	if err == nil {
		t.Errorf("contacts of %d MB were taken", n*len(card)>>20)
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("it takes %d MB", grown>>20)
	}
	if _, err := readBytes(zipped(t, chatFile, strings.Repeat("22/11/2026, 21:36 - Ann Brook: "+photoFile+" (file attached)\n", n), photoFile, strings.Repeat("A", 1<<19)), "x.zip"); err == nil {
		t.Errorf("photos of %d MB were taken", n>>1)
	}
	if _, err := readBytes(zipped(t, chatFile, strings.Repeat("22/11/2026, 21:36 - Ann Brook: "+photoFile+" (file attached)\n", 20), photoFile, strings.Repeat("A", 1<<19)), "x.zip"); err != nil {
		t.Errorf("a photo that was passed on: %v", err)
	}
	runtime.KeepAlive(e)
}

// FuzzParse: whatever is given, nothing of it is dropped, and every entry says the
// same if it is read again.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		f.Add([]byte(sample(f, file)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		expectWhole(t, text)
		e, err := Parse(text, Options{Zone: london, Now: late})
		if err != nil {
			return
		}
		for _, n := range e.Entries {
			if n.At.IsZero() || n.Sort == "" || (n.Author == "") != (n.Sort == Notice) {
				t.Errorf("line %d: %+v", n.Line, n)
			}
			for _, m := range n.Mentions {
				if m.From < 0 || m.To > len(n.Text) || m.From >= m.To || n.Text[m.From] != '@' {
					t.Errorf("line %d: a mention at %d-%d of %q", n.Line, m.From, m.To, n.Text)
				}
			}
			for _, m := range numbers.FindAllStringIndex(n.Text, -1) {
				if n.Sort == Notice && len(Digits(n.Text[m[0]:m[1]])) >= 9 && (m[0] == 0 || n.Text[m[0]-1] != '@') {
					t.Errorf("line %d: a notice shows a number: %q", n.Line, n.Text)
				}
			}
		}
	})
}

// FuzzRead: no file does harm, and what can be opened can be read or is refused.
func FuzzRead(f *testing.F) {
	f.Add(zipped(f, chatFile, chatLine, photoFile, "JPEG"))
	f.Add(zipped(f, "_chat.txt", "[22/11/2026, 21:36:46] Ann Brook: \u200e<attached: 00000012-PHOTO-2026-11-22-21-36-46.jpg>\n", "00000012-PHOTO-2026-11-22-21-36-46.jpg", "JPEG"))
	f.Add([]byte(chatLine))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := readBytes(b, "x.zip")
		if err != nil {
			return
		}
		_ = e.Check(nil)
	})
}
