package letter

import (
	"bytes"
	"fmt"
	"mime"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/saying"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// survey of the lane: pictures, files, and what was too large.
func illustrated(t testing.TB) document {
	d := document{Council: "Cranford Parish Council", Subject: "[Cranford Parish Council] Pictures and files",
		Title: "Pictures and files", Footer: []string{"The end."}, DisposeAfter: "2032-10-26"}
	d.section("The messages",
		block{Day: "Sunday 25 October 2026"},
		block{Message: &message{
			Time: "00:04", Name: "Cllr Bo Carter", Record: "record 12", Marked: true,
			Lines: []string{"The lane from both ends."},
			Pictures: []picture{
				{JPEG: fixture(t, "lane.jpg"), Width: 160, Height: 120, Alt: "Photo from Cllr Bo Carter, 00:04; no description supplied"},
				{JPEG: fixture(t, "ford.jpg"), Width: 90, Height: 120, Alt: `Photo from "Bo" <b>, 00:04; no description supplied`,
					Caption: "The first frame of a moving picture."},
			},
			Reactions: "👍 Jo Hall",
		}},
		block{Message: &message{
			Time: "00:09", Name: "Jo Hall", Record: "record 13",
			Files: []file{
				{Name: "Mill Lane survey.pdf", Kind: "PDF", Type: "application/pdf", Data: []byte("%PDF-1.4\nThe lane, measured.\n%%EOF\n")},
				{Name: "Cynllun llifogydd Llanfair – fersiwn terfynol Siân Ŵyn.docx", Kind: "Word document",
					Type: "application/vnd.openxmlformats-officedocument.wordprocessingml.document", Data: bytes.Repeat([]byte("PK\x03\x04"), 700)},
				{Name: "ford.mp4", Kind: "video", Size: 34_200_000, Why: "too large for this email. It is kept as record 13."},
			},
		}},
	)
	return d
}

func TestPicturesAndAttachments(t *testing.T) {
	h := header("conversation.1", at("2026-10-25 09:00"))
	d := illustrated(t)
	msg, err := compose(h, d)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "illustrated", msg)
	if again, _ := compose(h, d); !bytes.Equal(msg, again) {
		t.Error("two attempts differ")
	}

	p := parse(t, msg)
	const word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	if want := "mixed(related(alternative(text/plain text/html) image/jpeg image/jpeg) application/pdf " + word + ")"; p.structure != want {
		t.Errorf("structure %s; want %s", p.structure, want)
	}
	pictures, files := d.enclosed()
	for i, want := range pictures {
		e := p.enclosed[i]
		if !bytes.Equal(e.body, want.JPEG) {
			t.Errorf("picture %d is another", i+1)
		}
		cid := strings.Trim(e.header.Get("Content-Id"), "<>")
		if disposition, _, _ := mime.ParseMediaType(e.header.Get("Content-Disposition")); disposition != "inline" || !strings.Contains(p.html, `src="cid:`+cid+`"`) {
			t.Errorf("picture %d does not stand in the HTML: %v", i+1, e.header)
		}
	}
	for i, want := range files[:2] {
		e := p.enclosed[len(pictures)+i]
		if !bytes.Equal(e.body, want.Data) || e.mediaType != want.Type {
			t.Errorf("file %d is another, or of another type: %s", i+1, e.mediaType)
		}
		if disposition, name := fileNameOf(t, e.header); disposition != "attachment" || name != want.Name {
			t.Errorf("file %d is %s %q; want %q", i+1, disposition, name, want.Name)
		}
	}

	// Another email has none of its names.
	other, err := compose(header("conversation.2", h.Date), d)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range p.enclosed[:2] {
		if bytes.Contains(other, []byte(e.header.Get("Content-Id"))) {
			t.Errorf("two emails have a picture %s", e.header.Get("Content-Id"))
		}
	}
}

// fileNameOf returns what a part is called, and checks that it is not called otherwise as well.
func fileNameOf(t testing.TB, h textproto.MIMEHeader) (disposition, name string) {
	t.Helper()
	disposition, params, err := mime.ParseMediaType(h.Get("Content-Disposition"))
	if err != nil {
		t.Fatalf("%q: %v", h.Get("Content-Disposition"), err)
	}
	// An encoded word is what old readers took for a name in another script; strict ones
	// take it for a fault.
	if _, other, err := mime.ParseMediaType(h.Get("Content-Type")); err != nil || other["name"] != "" && other["name"] != params["filename"] {
		t.Errorf("type %q, %v", h.Get("Content-Type"), err)
	}
	return disposition, params["filename"]
}

// Levels that hold nothing are left out.
func TestStructure(t *testing.T) {
	lane := picture{JPEG: fixture(t, "lane.jpg"), Alt: "Photo"}
	note := file{Name: "a.pdf", Type: "application/pdf"}
	kept := file{Name: "b.mp4", Why: "too large for this email."}
	for _, tt := range []struct {
		block block
		want  string
	}{
		{block{Paragraph: "a"}, "alternative(text/plain text/html)"},
		{block{Message: &message{Files: []file{kept}}}, "alternative(text/plain text/html)"},
		{block{Picture: &lane}, "related(alternative(text/plain text/html) image/jpeg)"},
		{block{Message: &message{Pictures: []picture{lane, lane}}}, "related(alternative(text/plain text/html) image/jpeg image/jpeg)"},
		{block{Message: &message{Files: []file{kept, note}}}, "mixed(alternative(text/plain text/html) application/pdf)"},
		{block{Message: &message{Pictures: []picture{lane}, Files: []file{note}}},
			"mixed(related(alternative(text/plain text/html) image/jpeg) application/pdf)"},
	} {
		msg, err := compose(header("test.1", at("2026-11-24 14:05")), document{Subject: "a", Blocks: []block{tt.block}})
		if err != nil {
			t.Fatal(err)
		}
		if got := parse(t, msg).structure; got != tt.want {
			t.Errorf("structure %s; want %s", got, tt.want)
		}
	}
}

func TestFileName(t *testing.T) {
	long := strings.Repeat("survey ", 40)
	for _, tt := range []struct{ name, want string }{
		{"Mill Lane survey.pdf", "Mill Lane survey.pdf"},
		{"Cynllun Siân Ŵyn.docx", "Cynllun Siân Ŵyn.docx"},
		{"  two\t lines\r\nBcc: x@y.example .pdf ", "two lines Bcc_ x@y.example.pdf"},
		{"../../etc/passwd", "_.._etc_passwd"},
		{`C:\Users\ann\plan.pdf`, "C__Users_ann_plan.pdf"},
		{"invoice\u202efdp.exe", "invoicefdp.exe"},
		{"in\u200bvoice\u2066\ufeff.pdf", "invoice.pdf"},
		{"a\x00b\x1b[31m\u0085c.pdf", "ab[31m c.pdf"},
		{"a\u2028b\u00a0c.pdf", "a b c.pdf"},
		{"a\xff\xfeb.pdf", "a_b.pdf"},
		{`quo"ted;name*=x.pdf`, "quo_ted;name_=x.pdf"},
		{"=?utf-8?q?x?=.pdf", "=_utf-8_q_x_=.pdf"},
		{"", "file"},
		{"...", "file"},
		{".pdf", "file.pdf"},
		{"\u200d.pdf", "file.pdf"},
		{".htaccess", "file.htaccess"},
		{"plan.pdf...", "plan.pdf"},
		{"con.pdf", "_con.pdf"},
		{"LPT1", "_LPT1"},
		{"consent.pdf", "consent.pdf"},
		{"👨‍👩‍👧 day.jpg", "👨‍👩‍👧 day.jpg"},
		{long + ".pdf", strings.TrimSpace(long[:116]) + ".pdf"},
		{strings.Repeat("Ŵ", 100) + ".jpeg", strings.Repeat("Ŵ", 57) + ".jpeg"},
		{"a." + strings.Repeat("x", 200), "a." + strings.Repeat("x", 118)},
	} {
		if got := fileName(tt.name); got != tt.want {
			t.Errorf("%q becomes %q; want %q", tt.name, got, tt.want)
		}
	}
}

// No two attachments have the same name, and a file that is not attached takes none.
func TestFileNamesDiffer(t *testing.T) {
	long := strings.Repeat("x", 200)
	files := []*file{{Name: "plan.pdf"}, {Name: "Plan.PDF"}, {Name: "plan (2).pdf"}, {Name: "plan.pdf", Why: "lost."}, {Name: "pl/an.pdf"}, {Name: "plan.pdf"},
		{Name: ""}, {Name: "."}, {Name: long}, {Name: long + "y"}}
	nameFiles(files)
	var got []string
	for _, f := range files {
		got = append(got, f.as)
	}
	want := []string{"plan.pdf", "Plan (2).PDF", "plan (2) (2).pdf", "plan.pdf", "pl_an.pdf", "plan (3).pdf",
		"file", "file (2)", long[:120], long[:116] + " (2)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got)\n%s", diff)
	}
}

// A sender's word is taken for what no reader acts upon.
func TestAttachmentType(t *testing.T) {
	for given, want := range map[string]string{
		"application/pdf":        "application/pdf",
		"Application/PDF; q=1":   "application/pdf",
		"audio/ogg; codecs=opus": "audio/ogg",
		"video/mp4":              "video/mp4",
		"image/heic":             "image/heic",
		"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
		"application/vnd.oasis.opendocument.text":                           "application/vnd.oasis.opendocument.text",

		"":                                  anyFile,
		"pdf":                               anyFile,
		"application/":                      anyFile,
		"application/pdf\r\nX-Evil: 1":      anyFile,
		"application/pdf\u0131":             anyFile,
		"text/html":                         anyFile,
		"text/plain":                        anyFile, // some readers show it below the letter
		"text/calendar":                     anyFile,
		"image/svg+xml":                     anyFile,
		"application/xhtml+xml":             anyFile,
		"application/javascript":            anyFile,
		"application/x-msdownload":          anyFile,
		"application/x-sh":                  anyFile,
		"application/pkcs7-mime":            anyFile,
		"application/ms-tnef":               anyFile,
		"application/octet-stream":          anyFile,
		"message/rfc822":                    anyFile,
		"multipart/mixed; boundary=x":       anyFile,
		"video/" + strings.Repeat("x", 100): anyFile,
		"application/vnd.ms-word.document.macroEnabled.12": anyFile,
	} {
		if got := attachmentType(given); got != want {
			t.Errorf("%q is sent as %s; want %s", given, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1 KB", 1049: "1 KB", 1500: "1.5 KB", 9940: "9.9 KB", 9960: "10 KB",
		212_300: "212 KB", 999_499: "999 KB", 999_500: "1 MB", 3_400_000: "3.4 MB", 34_200_000: "34 MB", 2_147_483_648: "2.1 GB",
		5_000_000_000_000_000: "5000 TB",
	} {
		if got := size(n); got != want {
			t.Errorf("%d bytes are %q; want %q", n, got, want)
		}
	}
}

func TestFileSays(t *testing.T) {
	for _, tt := range []struct {
		file file
		want string
	}{
		{file{as: "Mill Lane survey.pdf", Kind: "PDF", Data: make([]byte, 212_000)}, "Attached: Mill Lane survey.pdf (PDF, 212 KB)"},
		{file{as: "notes", Data: []byte{}}, "Attached: notes (0 bytes)"},
		{file{as: "harvest.mp4", Kind: "video", Size: 34_200_000, Why: "too large for this email. It is kept as record 14."},
			"Not attached: harvest.mp4 (video, 34 MB): too large for this email. It is kept as record 14."},
		{file{as: "harvest.mp4", Kind: "video", Why: "it could not be had."}, "Not attached: harvest.mp4 (video): it could not be had."},
		{file{as: "harvest.mp4", Why: "it could not be had."}, "Not attached: harvest.mp4: it could not be had."},
	} {
		if got := tt.file.String(); got != tt.want {
			t.Errorf("%q; want %q", got, tt.want)
		}
	}
}

// Pictures are shown no larger than suits the letter, and never enlarged.
func TestPictureShown(t *testing.T) {
	for _, tt := range []struct{ w, h, x, y int }{{1280, 960, 560, 420}, {960, 1280, 420, 560}, {320, 240, 320, 240}, {5000, 1, 560, 1}} {
		if got := (picture{Width: tt.w, Height: tt.h}).Shown(); got.X != tt.x || got.Y != tt.y {
			t.Errorf("%d by %d is shown as %v", tt.w, tt.h, got)
		}
	}
}

// Whatever files are called and hold, the email is sound and they read back.
func FuzzAttachments(f *testing.F) {
	f.Add("Mill Lane survey.pdf", "application/pdf", "Photo from Jo Hall", []byte("%PDF"))
	f.Add("Cynllun – Siân Ŵyn 🏛.docx", "text/html", "\"><script>", []byte{})
	f.Add("a\r\nContent-Type: text/html\r\n\r\n<b>", "multipart/mixed; boundary=x", "' onerror='x", []byte("\r\n--=_muniment_"))
	f.Add(strings.Repeat("é", 300)+".pdf", "a/b; name*=utf-8''x", "", bytes.Repeat([]byte{0xff}, 200))
	f.Add(strings.Repeat("very ", 60)+"long.jpeg", "image/jpeg", "&amp;", bytes.Repeat([]byte{0}, 57))
	f.Add(strings.Repeat("y", 300), "video/"+strings.Repeat("y", 40), "x", []byte("y"))
	f.Fuzz(func(t *testing.T, name, mediaType, alt string, data []byte) {
		h := header("conversation.1", time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC))
		d := document{Council: "Cranford", Subject: "a", Title: "a"}
		d.add(block{Message: &message{
			Pictures: []picture{{JPEG: data, Width: 3, Height: 2, Alt: saying.OneLine(alt)}},
			Files:    []file{{Name: name, Type: mediaType, Data: data}, {Name: name, Type: mediaType, Why: "lost."}, {Name: name, Type: mediaType, Data: data}},
		}})
		msg, err := compose(h, d)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := compose(h, d); !bytes.Equal(msg, again) {
			t.Error("two attempts differ")
		}
		p := parse(t, msg)
		if p.text != d.text() {
			t.Errorf("text reads back as %q; want %q", p.text, d.text())
		}
		sent := attachmentType(mediaType)
		if want := fmt.Sprintf("mixed(related(alternative(text/plain text/html) image/jpeg) %s %[1]s)", sent); p.structure != want {
			t.Fatalf("structure %s; want %s", p.structure, want)
		}
		names := make(map[string]bool)
		for i, e := range p.enclosed {
			if !bytes.Equal(e.body, data) {
				t.Errorf("part %d reads back as %q; want %q", i, e.body, data)
			}
			if fields := len(e.header); i > 0 && fields != 3 || i == 0 && fields != 4 {
				t.Errorf("part %d has the fields %v", i, e.header)
			}
			if i == 0 {
				continue
			}
			disposition, is := fileNameOf(t, e.header)
			if disposition != "attachment" || names[is] || is != d.Blocks[0].Message.Files[2*(i-1)].as {
				t.Errorf("part %d is %s %q", i, disposition, is)
			}
			names[is] = true
			if is == "" || len(is) > longestName || !utf8.ValidString(is) || strings.ContainsAny(is, "/\\\x00\r\n\"") ||
				strings.ContainsFunc(is, func(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) || unicode.IsControl(r) }) {
				t.Errorf("part %d is called %q", i, is)
			}
		}
		if strings.Count(p.html, "<img ") != 1 || strings.Contains(p.html, "<script") || strings.Contains(p.html, "ZgotmplZ") {
			t.Errorf("HTML is broken: %s", p.html)
		}
	})
}
