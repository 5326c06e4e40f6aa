package letter

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"muniment/internal/record"
	"muniment/internal/saying"
	"muniment/internal/vault"
)

// keepsFile is a message with a file that is kept, in a vault in dir.
func (c *council) keepsFile(dir string, p person, when time.Time, what record.Type, name, mimeType string, data []byte) said {
	c.t.Helper()
	c.ids++
	key := bytes.Repeat([]byte{byte(c.ids), byte(c.ids >> 8)}, 16)
	purpose := map[record.Type]string{record.Image: "WhatsApp Image Keys", record.Document: "WhatsApp Document Keys"}[what]
	k, err := hkdf.Key(sha256.New, key, nil, purpose, 112)
	if err != nil {
		c.t.Fatal(err)
	}
	pad := aes.BlockSize - len(data)%aes.BlockSize
	sealed := append(bytes.Clone(data), bytes.Repeat([]byte{byte(pad)}, pad)...)
	b, _ := aes.NewCipher(k[16:48])
	cipher.NewCBCEncrypter(b, k[:16]).CryptBlocks(sealed, sealed)
	mac := hmac.New(sha256.New, k[48:80])
	mac.Write(k[:16])
	mac.Write(sealed)
	sealed = append(sealed, mac.Sum(nil)[:10]...)
	sum, plain := sha256.Sum256(sealed), sha256.Sum256(data)
	s := c.did(p, when, record.Received{Kind: record.Message, Type: what,
		File: &record.File{Name: name, MIME: mimeType, Size: int64(len(data)), Path: "/v/x", Key: key, Digest: plain[:], Sealed: sum[:]}})
	place := c.place(dir, sum[:])
	if err := os.MkdirAll(filepath.Dir(place), 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(place, sealed, 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.fetched(s, when.Add(2*time.Second), vault.Kept, "", int64(len(data)))
	return s
}

func (c *council) place(dir string, sealed []byte) string {
	name := hex.EncodeToString(sealed)
	return filepath.Join(dir, name[:2], name)
}

// withFiles is a writer that has files from a vault in dir.
func (c *council) withFiles(dir string) *Writer {
	w := writer()
	w.Files = Files{Vault: &vault.Vault{Directory: dir, DB: c.db}, Most: 10 << 20}
	return w
}

// noise is a photo that can hardly be made smaller.
func noise(side int) []byte {
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range m.Pix {
		m.Pix[i] = byte(r.Uint32())
	}
	for i := 3; i < len(m.Pix); i += 4 {
		m.Pix[i] = 255
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 80}); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// A file that is missing from the disk, or damaged, is no reason for there to be no letter.
func TestALetterWithoutAMissingFile(t *testing.T) {
	c, dir := newCouncil(t), t.TempDir()
	m := c.says(bo, at("2026-11-17 10:00"), "The stile is loose.")
	c.keepsFile(dir, dee, at("2026-11-17 10:01"), record.Image, "", "image/jpeg", noise(64))
	c.keepsFile(dir, dee, at("2026-11-17 10:01"), record.Document, "a.pdf", "application/pdf", []byte("%PDF"))
	whole := c.keepsFile(dir, dee, at("2026-11-17 10:01"), record.Document, "b.pdf", "application/pdf", []byte("%PDF-1.4"))
	c.reacts(ann, at("2026-11-17 10:02"), m, "📌")
	if whole.seq != 4 {
		t.Fatalf("record %d", whole.seq)
	}
	conversation := c.settled(1)
	letter := func() parsed {
		return parse(t, c.letter(c.withFiles(dir), header("conversation.1", at("2026-11-17 10:10")), conversation))
	}
	if all := letter(); len(all.enclosed) != 4 {
		t.Fatalf("it has %d parts: %s", len(all.enclosed), all.structure)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if err := os.Truncate(name, 40); err != nil {
			t.Fatal(err)
		}
	}
	damaged := letter()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for state, p := range map[string]parsed{"damaged": damaged, "missing": letter()} {
		text := strings.Join(strings.Fields(p.text), " ")
		for seq := 2; seq <= 4; seq++ {
			if want := fmt.Sprintf("the file kept as record %d is missing or damaged; the system administrator should run a check.", seq); !strings.Contains(text, want) {
				t.Errorf("%s: it does not say that %s\n%s", state, want, text)
			}
		}
		if len(p.enclosed) > 0 {
			t.Errorf("%s: it has %s", state, p.structure)
		}
	}
}

// What mail servers refuse is not attached, whatever its name is made to look like
// before it is made safe.
func TestRefusedFilesUnderAnotherName(t *testing.T) {
	for _, name := range []string{"minutes.exe", "MINUTES.EXE", "minutes.exe.", "minutes.exe ", "minutes.ex\u200be", "minutes.exe\u202c", "minutes.exe\u200d", "minutes.exe..", "minutes.e\u00adxe"} {
		m := vault.Media{Seq: 1, Type: record.Document, State: vault.Kept}
		m.Name, m.Size = name, 100
		if kind := kindOf(m); !strings.EqualFold(kind, "exe") {
			t.Errorf("%q is of the kind %q", name, kind)
		}
		f := &file{Name: nameOf(m), Why: whyNot(m, 1<<20)}
		nameFiles([]*file{f})
		if f.attached() && strings.HasSuffix(strings.ToLower(f.as), ".exe") {
			t.Errorf("%q is attached as %q", name, f.as)
		}
	}
}

// A letter of many photos holds as many as it has room for and names them all, even if
// the conversation is not divided.
func TestALetterOfManyPhotosIsNotTooLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	c, dir := newCouncil(t), t.TempDir()
	m := c.says(bo, at("2026-11-17 10:00"), "The stile is loose.")
	photo := noise(1120)
	const n = 40
	for i := range n {
		c.keepsFile(dir, sam, at("2026-11-17 10:01").Add(time.Duration(i)*time.Second), record.Image, "", "image/jpeg", append(bytes.Clone(photo), byte(i)))
	}
	c.reacts(ann, at("2026-11-17 10:02"), m, "📌")
	msg := c.letter(c.withFiles(dir), header("conversation.1", at("2026-11-17 10:10")), c.settled(1))
	t.Logf("%d photos of %d bytes: %d bytes", n, len(photo), len(msg))
	if len(msg) > 18_000_000 {
		t.Errorf("the email has %d bytes", len(msg))
	}
	p := parse(t, msg)
	if attached, not := strings.Count(p.text, "  Attached: "), strings.Count(p.text, "  Not attached: "); attached < 5 || attached+not != n {
		t.Errorf("%d files are attached, and %d are not", attached, not)
	}
	if len(p.enclosed) < 12 {
		t.Errorf("it holds too little: %s", p.structure)
	}
}

// A letter has no more words than it has room for. Whose words it leaves out it names,
// and the marked message has its words in any case.
func TestALetterOfLongMessagesIsNotTooLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	c := newCouncil(t)
	for i := range 150 {
		c.says(sam, at("2026-11-17 10:01").Add(time.Duration(i)*time.Second), strings.Repeat("😅", 65536))
	}
	m := c.says(bo, at("2026-11-17 10:05"), strings.Repeat("<😅", 10_001))
	c.says(dee, at("2026-11-17 10:06"), "Quite.")
	c.reacts(ann, at("2026-11-17 10:06"), m, "📌")
	msg := c.letter(writer(), header("conversation.1", at("2026-11-17 10:10")), c.settled(1))
	t.Logf("%d bytes", len(msg))
	if most := 4_000_000; len(msg) > most {
		t.Errorf("the email has %d bytes", len(msg))
	}
	text := parse(t, msg).text
	for want, n := range map[string]int{
		"[This email has no room for it. It is kept as record 150]": 1,
		"| … the rest is in record 1\n":                             1,
		"| … the rest is in record 151\n":                           1,
		"| Quite.\n":                                                1,
		strings.Repeat("<😅", 5_000) + "\n":                          1,
	} {
		if got := strings.Count(text, want); got != n {
			t.Errorf("%d times it says %.100q; want %d", got, want, n)
		}
	}
}

// What weight says is no less than what the words take.
func TestWeight(t *testing.T) {
	for _, s := range []string{"a", "a word and another. ", "é", "😅", "<", "\"'", "=", "&+", "\t", "x\n", "\n", "\u200d", "      indented words of some length \n"} {
		v := &message{Lines: saying.Lines("." + strings.Repeat(s, 5_000) + ".")}
		with, err := compose(header("a", at("2026-11-17 10:00")), document{Blocks: []block{{Message: v}}})
		if err != nil {
			t.Fatal(err)
		}
		without, err := compose(header("a", at("2026-11-17 10:00")), document{})
		if err != nil {
			t.Fatal(err)
		}
		if took := int64(len(with) - len(without)); took > v.weight() {
			t.Errorf("%q takes %d bytes; said to take %d", s, took, v.weight())
		}
	}
}

// A name is short enough for a sentence, and still says that it is not verified.
func TestCalled(t *testing.T) {
	for name, want := range map[string]string{
		"Jo Hall":                   "Jo Hall",
		"Sam W (name not verified)": "Sam W (name not verified)",
		strings.Repeat("x", 61) + saying.NotVerified: strings.Repeat("x", 60) + "…" + saying.NotVerified,
		"Jo\u202e Hall": "Jo Hall",
	} {
		if got := saying.Called(name); got != want {
			t.Errorf("%q is %q; want %q", name, got, want)
		}
	}
}

// Of a message that was edited often, a letter shows the first version and the last.
func TestALetterOfManyVersions(t *testing.T) {
	c := newCouncil(t)
	m := c.says(sam, at("2026-11-17 10:00"), "Version one.")
	for i := range 40 {
		c.edits(sam, at("2026-11-17 10:01").Add(time.Duration(i)*time.Second), m, fmt.Sprintf("Edit %d.", i+1))
		c.edits(pat, at("2026-11-17 10:01").Add(time.Duration(i)*time.Second), m, "Mine.")
	}
	c.reacts(ann, at("2026-11-17 10:02"), m, "📌")
	text := strings.Join(strings.Fields(parse(t, c.letter(writer(), header("conversation.1", at("2026-11-17 10:10")), c.settled(1))).text), " ")
	for _, want := range []string{"| Version one. It had 36 other versions after that", "| Edit 37.", "| Edit 38.", "| Edit 39.", "| Edit 40.", "There were 35 attempts more of that kind."} {
		if strings.Count(text, want) != 1 {
			t.Errorf("it does not say %q\n%s", want, text)
		}
	}
	if strings.Contains(text, "Edit 36.") {
		t.Error("it shows too much")
	}
}

// What is edited after it was deleted says nothing since.
func TestAnEditAfterADeletion(t *testing.T) {
	d := newDigested(t)
	m := d.says(bo, at("2026-11-17 10:00"), "The stile is loose.")
	d.edits(bo, at("2026-11-17 10:01"), m, "The stile is very loose.")
	d.deletes(bo, at("2026-11-17 10:02"), m, record.ByAuthor)
	d.edits(bo, at("2026-11-17 10:03"), m, "The stile is mended.")
	d.reacts(ann, at("2026-11-17 10:04"), m, "📌")
	conversation := d.letter(writer(), header("conversation.1", at("2026-11-17 10:10")), d.settled(1))
	for name, msg := range map[string][]byte{"conversation": conversation, "digest": d.sent()} {
		text := strings.Join(strings.Fields(parse(t, msg).text), " ")
		if strings.Contains(text, "The stile is mended.") || !strings.Contains(text, "| The stile is very loose.") ||
			!strings.Contains(text, "after it was deleted. That has no effect here.") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

// A digest has no more words than it has room for, however often a member edits his
// message, and however many he edits.
func TestADigestIsNotTooLarge(t *testing.T) {
	d := newDigested(t)
	d.g.Content = Full
	m := d.says(sam, at("2026-11-17 10:00"), "x")
	for i := range 10 {
		d.edits(sam, at("2026-11-17 10:01").Add(time.Duration(i)*time.Second), m, strings.Repeat("😅", 65536))
	}
	for i := range 30 {
		when := at("2026-11-17 11:00").Add(time.Duration(i) * time.Minute)
		d.edits(sam, when, d.says(sam, when, "x"), strings.Repeat("😅", 10_000))
	}
	msg := d.sent()
	t.Logf("%d bytes", len(msg))
	if len(msg) > 4_000_000 {
		t.Errorf("the digest has %d bytes", len(msg))
	}
	if text := parse(t, msg).text; !strings.Contains(text, "more, which this email has no room for.") {
		t.Error("it does not say that there is more")
	}
}

func TestADigestOfManyChanges(t *testing.T) {
	d := newDigested(t)
	gone := said{Ref: record.Ref{ID: "3EB0AAAA", Sender: ann.Address}}
	for i := range mostEntries + 3 {
		d.deletes(sam, at("2026-11-17 10:01").Add(time.Duration(i)*time.Second), gone, record.ByAuthor)
	}
	text := strings.Join(strings.Fields(parse(t, d.sent()).text), " ")
	if n := strings.Count(text, "Asked to delete a message that is not in the record"); n != mostEntries || !strings.Contains(text, "There are 3 more, which this email has no room for.") {
		t.Errorf("it shows %d of them\n%s", n, text)
	}
}

// Nobody's deletion of another's message counts because that message is not here.
func TestForgedChangesOfWhatIsNotHere(t *testing.T) {
	d := newDigested(t)
	d.moves(jo, at("2026-11-10 09:00"), record.Present, jo, ann, bo, dee, sam)
	gone := said{Ref: record.Ref{ID: "3EB0AAAA", Sender: ann.Address}}
	d.deletes(sam, at("2026-11-17 10:00"), gone, record.ByAdmin)
	d.edits(sam, at("2026-11-17 10:01"), gone, "I resign.")
	text := strings.Join(strings.Fields(parse(t, d.sent()).text), " ")
	for _, want := range []string{"Asked to delete a message that is not in the record; whether they had the right to is not known.",
		"Asked to change a message that is not in the record; whether they had the right to is not known.", "Changed or deleted: 2 attempted"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	for _, bad := range []string{"Deleted a message that is not in the record", "Changed a message that is not in the record", "1 changed, 1 deleted"} {
		if strings.Contains(text, bad) {
			t.Errorf("a forged change of Ann's message, by Sam, who is no admin, is told as: %q", bad)
		}
	}
}

// padded is a picture within every limit: 40 megapixels, and 32 MB in the file.
func padded(n byte) []byte {
	m := image.NewNRGBA(image.Rect(0, 0, 6320, 6320))
	m.Pix[0] = n
	m.Pix[3] = 1
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, m); err != nil {
		panic(err)
	}
	out := b.Bytes()
	at := bytes.Index(out, []byte("IDAT")) - 4
	junk := bytes.Repeat([]byte{'x', n}, 16_600_000)
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(junk)))
	typed := append([]byte("zzZz"), junk...)
	chunk = append(chunk, typed...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc(typed))
	return append(append(bytes.Clone(out[:at]), chunk...), out[at:]...)
}

// peak returns how much memory the program has taken at most, in MB.
func peak(t *testing.T) (mb int) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	for l := range strings.Lines(string(b)) {
		if strings.HasPrefix(l, "VmHWM:") {
			if _, err := fmt.Sscanf(strings.TrimPrefix(l, "VmHWM:"), "%d", &mb); err != nil {
				t.Fatal(err)
			}
		}
	}
	return mb >> 10
}

// Pictures within every limit do not take what the service may use in all.
func TestMemoryOfALetter(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	c, dir := newCouncil(t), t.TempDir()
	m := c.says(bo, at("2026-11-17 10:00"), "The stile is loose.")
	for i := range 14 {
		c.keepsFile(dir, sam, at("2026-11-17 10:01").Add(time.Duration(i)*time.Second), record.Image, "", "image/png", padded(byte(i)))
	}
	c.reacts(ann, at("2026-11-17 10:02"), m, "📌")
	conversation := c.settled(1)
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // the peak begins anew
		t.Skip(err)
	}
	before := peak(t)
	start := time.Now()
	msg := c.letter(c.withFiles(dir), header("conversation.1", at("2026-11-17 10:10")), conversation)
	t.Logf("before %d MB; letter of %d MB; peak %d MB; %v; %d pictures", before, len(msg)>>20, peak(t), time.Since(start), bytes.Count(msg, []byte("Content-Disposition: inline")))
	if p := peak(t); p > 400 {
		t.Errorf("%d MB; the service may use 512 in all", p)
	}
}
