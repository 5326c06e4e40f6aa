package letter

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	netmail "net/mail"
	"strings"
	"unicode/utf8"

	gomessage "github.com/emersion/go-message"
	"github.com/emersion/go-message/mail"

	"muniment/internal/retention"
)

// compose writes d out as an email: plain text and HTML, the same in both.
func compose(h Header, d document) ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	html, err := d.html()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w, err := gomessage.CreateWriter(&b, fields(h, d))
	if err != nil {
		return nil, err
	}
	if err := part(w, "text/plain", d.text()); err != nil {
		return nil, err
	}
	if err := part(w, "text/html", html); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// fields returns the header fields. The writer puts the last first, so they
// stand here from the bottom up.
func fields(h Header, d document) gomessage.Header {
	var f mail.Header
	f.SetContentType("multipart/alternative", map[string]string{"boundary": boundary(h.MessageID)})
	f.Set("MIME-Version", "1.0")
	f.Set("Content-Language", "en-GB")
	if d.DisposeAfter != "" {
		f.Set("X-Council-Dispose-After", string(d.DisposeAfter))
	}
	// Exchange heeds only the second when it thinks of an out-of-office reply.
	f.Set("X-Auto-Response-Suppress", "All")
	f.Set("Auto-Submitted", "auto-generated")
	if h.InReplyTo != "" {
		f.SetMsgIDList("References", []string{h.InReplyTo})
		f.SetMsgIDList("In-Reply-To", []string{h.InReplyTo})
	}
	f.Set("Message-ID", "<"+h.MessageID+">")
	f.Set("Subject", encodeWords(d.Subject))
	f.SetDate(h.Date.In(retention.London))
	f.SetAddressList("To", []*mail.Address{{Address: h.To}})
	f.Set("From", from(d.Council, h.From))
	return f.Header
}

// boundary returns what separates the parts. It is the same at every attempt,
// and no message can contain it: quoted-printable leaves "=_" in no body.
func boundary(messageID string) string {
	sum := sha256.Sum256([]byte(messageID))
	return fmt.Sprintf("=_muniment_%x", sum[:12])
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

// part writes one alternative. Lines end in CRLF, as they do on the wire.
func part(w *gomessage.Writer, mediaType, body string) error {
	var h gomessage.Header
	h.Set("Content-Transfer-Encoding", "quoted-printable")
	h.SetContentType(mediaType, map[string]string{"charset": "utf-8"})
	p, err := w.CreatePart(h)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(p, body); err != nil {
		return err
	}
	return p.Close()
}
