package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"
	"unicode/utf8"
)

// email is a letter as somebody reads it who sees plain text only.
type email struct {
	subject string
	lines   []string
}

// delivered has what is due delivered and returns what has arrived since last time.
// A conversation waits for its files: see fetched.
func (s *stage) delivered(ctx context.Context) ([]email, error) {
	if err := s.daemon.Deliver(ctx); err != nil {
		return nil, err
	}
	var letters []email
	emails := s.post.Emails()
	for _, raw := range emails[s.read:] {
		l, err := plainText(raw)
		if err != nil {
			return nil, err
		}
		letters = append(letters, l)
	}
	s.read = len(emails)
	return letters, nil
}

// deliver is delivered for emails that nobody is shown.
func (s *stage) deliver(ctx context.Context) error {
	_, err := s.delivered(ctx)
	return err
}

// showMail has what is due delivered, which must be one email, and shows it: all of
// it, or only the parts under some headings.
func (s *stage) showMail(ctx context.Context, n narrator, headings ...string) error {
	letters, err := s.delivered(ctx)
	if err != nil {
		return err
	}
	if len(letters) != 1 {
		return fmt.Errorf("%d emails have arrived, not one", len(letters))
	}
	return n.shows(letters[0], headings...)
}

// shows shows a letter: all of it, or only the parts under some headings.
func (n narrator) shows(l email, headings ...string) error {
	n.rest()
	n.says("")
	n.quotes("Subject: "+l.subject, "")
	if len(headings) == 0 {
		n.quotes(l.lines...)
		return nil
	}
	shown := 0
	for _, h := range headings {
		from, to, err := l.part(h)
		if err != nil {
			return err
		}
		if strings.Join(l.lines[shown:from], "") != "" {
			n.quotes("[…]", "")
		}
		n.quotes(append(slices.Clone(l.lines[from:to]), "")...)
		shown = to
	}
	n.quotes("[…]")
	return nil
}

// part returns which lines of the letter are the part under a heading.
func (l email) part(heading string) (from, to int, err error) {
	isHeading := func(at int) bool {
		return at+1 < len(l.lines) && l.lines[at] != "" && l.lines[at+1] == strings.Repeat("-", utf8.RuneCountInString(l.lines[at]))
	}
	from = slices.Index(l.lines, heading)
	if from < 0 || !isHeading(from) {
		return 0, 0, fmt.Errorf("the email %q has no part %q", l.subject, heading)
	}
	to = from + 2
	for to < len(l.lines) && !isHeading(to) && !strings.HasPrefix(l.lines[to], "____") {
		to++
	}
	for l.lines[to-1] == "" {
		to--
	}
	return from, to, nil
}

// quotes shows lines of an email as they stand, or folded where one is too long for
// a terminal: a subject, or a signature.
func (n narrator) quotes(lines ...string) {
	const bar = "  | "
	for _, line := range lines {
		if utf8.RuneCountInString(bar+line) <= emailColumns {
			n.line("%s", strings.TrimRight(bar+line, " "))
			continue
		}
		for _, l := range fold(bar, bar+"  ", line, emailColumns) {
			n.line("%s", l)
		}
	}
}

// plainText returns the subject and the text/plain part of an email, wherever in it
// that is.
func plainText(raw []byte) (l email, err error) {
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return email{}, err
	}
	if l.subject, err = new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject")); err != nil {
		return email{}, err
	}
	text, err := plainPart(msg.Header.Get("Content-Type"), msg.Header.Get("Content-Transfer-Encoding"), msg.Body)
	if err != nil {
		return email{}, fmt.Errorf("the email %q: %w", l.subject, err)
	}
	for line := range strings.Lines(text) {
		l.lines = append(l.lines, strings.TrimRight(line, "\r\n"))
	}
	return l, nil
}

// plainPart returns the text/plain part of what is of the given type.
func plainPart(contentType, encoding string, body io.Reader) (string, error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", err
	}
	if kind == "text/plain" {
		if encoding == "quoted-printable" {
			body = quotedprintable.NewReader(body)
		}
		b, err := io.ReadAll(body)
		return string(b), err
	}
	if !strings.HasPrefix(kind, "multipart/") {
		return "", io.EOF
	}
	parts := multipart.NewReader(body, params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err != nil {
			return "", fmt.Errorf("it has no plain text: %w", err)
		}
		text, err := plainPart(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p)
		if err == nil {
			return text, nil
		}
	}
}
