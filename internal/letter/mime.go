package letter

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	netmail "net/mail"
	"slices"
	"strings"
	"unicode/utf8"

	gomessage "github.com/emersion/go-message"
	"github.com/emersion/go-message/mail"

	"muniment/internal/retention"
)

// compose writes d out as an email: plain text and HTML, the same in both, with
// the pictures that it shows and the files that it says are attached. It fixes in
// d what these are called in the email h.
//
//	mixed( related( alternative( text, HTML ), pictures ), files )
//
// without the levels that have nothing to hold. It is how Outlook and Gmail nest
// their own, so every reader has met it; and who reads the text has the pictures too.
func compose(h Header, d document) ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	pictures, files := d.enclosed()
	for i, p := range pictures {
		p.cid = contentID(h.MessageID, i+1)
	}
	nameFiles(files)
	html, err := d.html()
	if err != nil {
		return nil, err
	}

	alternative := level{kind: "alternative", parts: []part{textPart("text/plain", d.text()), textPart("text/html", html)}}
	related := level{kind: "related"}
	for i, p := range pictures {
		related.parts = append(related.parts, inline(p, i+1))
	}
	mixed := level{kind: "mixed"}
	for _, f := range files {
		if f.attached() {
			mixed.parts = append(mixed.parts, attachment(f))
		}
	}
	levels := slices.DeleteFunc([]level{mixed, related, alternative}, func(l level) bool { return len(l.parts) == 0 })

	var b bytes.Buffer
	w, err := gomessage.CreateWriter(&b, fields(h, d, levels[0].header(h.MessageID)))
	if err != nil {
		return nil, err
	}
	if err := levels[0].write(w, h.MessageID, levels[1:]); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// level is a multipart: its parts stand after the level below it.
type level struct {
	kind  string
	parts []part
}

type part struct {
	header gomessage.Header
	body   []byte
}

func (l level) header(messageID string) (h gomessage.Header) {
	params := map[string]string{"boundary": boundary(l.kind, messageID)}
	if l.kind == "related" {
		params["type"] = "multipart/alternative"
	}
	h.SetContentType("multipart/"+l.kind, params)
	return h
}

// write writes the levels below and then the parts.
func (l level) write(w *gomessage.Writer, messageID string, below []level) error {
	if len(below) > 0 {
		first, err := w.CreatePart(below[0].header(messageID))
		if err != nil {
			return err
		}
		if err := below[0].write(first, messageID, below[1:]); err != nil {
			return err
		}
	}
	for _, p := range l.parts {
		if err := p.write(w); err != nil {
			return err
		}
	}
	return w.Close()
}

// fields returns the header fields, above those of top. The writer puts the last
// first, so they stand here from the bottom up.
func fields(h Header, d document, top gomessage.Header) gomessage.Header {
	f := mail.Header{Header: top}
	f.Set("MIME-Version", "1.0")
	f.Set("Content-Language", "en-GB")
	if d.DisposeAfter != "" && d.DisposeAfter != retention.Never {
		f.Set("X-Council-Dispose-After", string(d.DisposeAfter))
	}
	f.Set("List-Id", listID(d.Council, h.MessageID))
	// Exchange heeds only the first when it thinks of an out-of-office reply. Not "All":
	// that keeps it from saying that an email could not be delivered, too.
	f.Set("X-Auto-Response-Suppress", "DR, RN, NRN, OOF, AutoReply")
	f.Set("Auto-Submitted", "auto-generated")
	if thread := h.thread(); len(thread) > 0 {
		f.SetMsgIDList("References", thread)
		f.SetMsgIDList("In-Reply-To", thread[len(thread)-1:])
	}
	f.Set("Message-ID", "<"+h.MessageID+">")
	f.Set("Subject", encodeWords(d.Subject))
	f.SetDate(h.Date.In(retention.London))
	var to []*mail.Address
	for _, a := range h.To {
		to = append(to, &mail.Address{Address: a})
	}
	f.SetAddressList("To", to)
	f.Set("From", from(d.Council, h.From))
	return f.Header
}

// boundary returns what separates the parts of a level. It is the same at every
// attempt, and no part can contain it: neither quoted-printable nor base64 leaves
// "=_" in a body.
func boundary(kind, messageID string) string {
	if kind != "alternative" {
		messageID = kind + " " + messageID
	}
	return "=_muniment_" + fingerprint(messageID)
}

// contentID returns how the HTML names a picture, without angle brackets: no
// other email has the same.
func contentID(messageID string, number int) string {
	_, domain, _ := strings.Cut(messageID, "@")
	return fmt.Sprintf("picture-%d.%s@%s", number, fingerprint(messageID), domain)
}

func fingerprint(s string) string {
	sum := sha256.Sum256([]byte(s))
	return fmt.Sprintf("%x", sum[:12])
}

// listID names all emails of the program for one council, so that a mailbox can have
// a rule for them. It stays as long as the council's domain does.
func listID(council, messageID string) string {
	_, domain, _ := strings.Cut(messageID, "@")
	name := strings.TrimSpace(council + " WhatsApp record")
	if !plainHeader(name) || strings.ContainsAny(name, `"\\`) {
		return encodedWords(name) + " <record." + domain + ">"
	}
	return `"` + name + `" <record.` + domain + ">"
}

// from returns an address with the council's name. A name that needs more than
// quotation marks is encoded here, since net/mail makes words too long for a line.
func from(name, address string) string {
	if !plainHeader(name) || strings.ContainsAny(name, `"\`) {
		return encodedWords(name) + " <" + address + ">"
	}
	return (&netmail.Address{Name: name, Address: address}).String()
}

// encodeWords returns s as a header field may say it: as it is, or in words of
// RFC 2047 short enough to be folded between them. A character is never split.
func encodeWords(s string) string {
	if plainHeader(s) {
		return s
	}
	return encodedWords(s)
}

func encodedWords(s string) string {
	var words []string
	for most := 33; s != ""; most = 45 { // the name of the field stands before the first
		n := 0
		for n < len(s) {
			_, size := utf8.DecodeRuneInString(s[n:])
			if n+size > most {
				break
			}
			n += size
		}
		words = append(words, "=?utf-8?B?"+base64.StdEncoding.EncodeToString([]byte(s[:n]))+"?=")
		s = s[n:]
	}
	return strings.Join(words, " ")
}

// plainHeader reports whether s can stand in a header field as it is: no reader
// takes any of it for an encoded word, and it can be folded.
func plainHeader(s string) bool {
	if s == "" {
		return true
	}
	for _, word := range strings.Split(s, " ") {
		if word == "" || len(word) > 60 || strings.Contains(word, "=?") {
			return false
		}
	}
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

// textPart makes one alternative. Lines end in CRLF, as they do on the wire.
func textPart(mediaType, body string) part {
	var h gomessage.Header
	h.Set("Content-Transfer-Encoding", "quoted-printable")
	h.SetContentType(mediaType, map[string]string{"charset": "utf-8"})
	return part{h, []byte(body)}
}

// inline makes the part that holds a picture of the HTML.
func inline(p *picture, number int) part {
	var h gomessage.Header
	name := fmt.Sprintf("picture-%d.jpg", number)
	h.Set("Content-Transfer-Encoding", "base64")
	h.SetContentDisposition("inline", map[string]string{"filename": name})
	h.Set("Content-ID", "<"+p.cid+">")
	h.SetContentType("image/jpeg", map[string]string{"name": name})
	return part{h, p.JPEG}
}

func (p part) write(w *gomessage.Writer) error {
	b, err := w.CreatePart(p.header)
	if err != nil {
		return err
	}
	if _, err := b.Write(p.body); err != nil {
		return err
	}
	return b.Close()
}
