package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/robfig/cron/v3"
)

// A rule says what a text in the file must be. Its error tells the administrator
// what to write instead and does not quote what is written.
type rule func(text string) error

func absolutePath(text string) error {
	if !filepath.IsAbs(text) {
		return errors.New("write the whole path, beginning with /")
	}
	return nil
}

func oneOf(choices ...string) rule {
	return func(text string) error {
		if !slices.Contains(choices, text) {
			return fmt.Errorf("write one of %s", strings.Join(quoted(choices), ", "))
		}
		return nil
	}
}

func quoted(texts []string) []string {
	var q []string
	for _, text := range texts {
		q = append(q, strconv.Quote(text))
	}
	return q
}

var hostNames = regexp.MustCompile(`^(?i)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)

func hostName(text string) error {
	if !hostNames.MatchString(text) || len(text) > 253 {
		return errors.New("write the name of a machine, such as records.cranford-pc.example.gov.uk")
	}
	return nil
}

func mailDomain(text string) error {
	if hostName(text) != nil || !strings.Contains(text, ".") {
		return errors.New("write a mail domain of the council's own, what follows the @ in its addresses, such as cranford-pc.example.gov.uk")
	}
	return nil
}

func mailServer(text string) error {
	host, port, err := net.SplitHostPort(text)
	if err == nil && net.ParseIP(host) == nil {
		err = hostName(host)
	}
	if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 1 || n > 65535 {
		return errors.New("write the server's name, a colon and the port, such as smtp.example:587")
	}
	return nil
}

func httpsAddress(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return errors.New("write an address that begins with https://")
	}
	return nil
}

func emailAddress(text string) error {
	parsed, err := mail.ParseAddress(text)
	if err != nil || parsed.Address != text || strings.ContainsFunc(text, func(c rune) bool { return c > unicode.MaxASCII }) {
		return errors.New("write one bare email address, such as clerk@cranford-pc.example.gov.uk")
	}
	return nil
}

// ownAddress allows addresses at the council's own domains. While none is given
// it allows all, and the council is not ready to run.
func ownAddress(council Council) rule {
	return func(text string) error {
		if len(council.Domains) > 0 && !council.Owns(text) {
			return fmt.Errorf("emails go only to and from the council's own domains: write an address at %s, or correct domains under [council]",
				strings.Join(council.Domains, " or "))
		}
		return nil
	}
}

var ageRecipients = regexp.MustCompile(`^age1[02-9ac-hj-np-z]{58}$`)

// ageRecipient allows what has the form of a public key of age. Whether it is one, is known
// to who uses it.
func ageRecipient(text string) error {
	switch {
	case strings.HasPrefix(strings.ToUpper(text), "AGE-SECRET-KEY-"):
		return errors.New("this is the secret key, which must never be on this machine: whoever has it and a backup can read everything. Make a new pair elsewhere, and write its public key here")
	case !ageRecipients.MatchString(text):
		return errors.New("write the public key that age-keygen shows, 62 characters from age1 on")
	}
	return nil
}

func groupJID(text string) error {
	name, ok := strings.CutSuffix(text, "@g.us")
	if !ok || name == "" || strings.ContainsAny(name, "@ ") {
		return errors.New("write the group's jid as `muniment groups` shows it, ending in @g.us")
	}
	return nil
}

func emoji(text string) error {
	letter := func(c rune) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
	beyondASCII := func(c rune) bool { return c > unicode.MaxASCII }
	if strings.ContainsFunc(text, letter) || !strings.ContainsFunc(text, beyondASCII) {
		return errors.New("write the emoji itself, such as 📌, not its name")
	}
	return nil
}

// cronLine allows a cron line that comes at all, and never in the hour that is
// skipped when summer time begins and comes twice when it ends. Its errors show the
// example, which comes when it says.
func cronLine(example, when string) rule {
	return func(text string) error {
		fields := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
		// The parser would take a time zone first, and panics if no more follows.
		if strings.Contains(text, "=") {
			return fmt.Errorf("write the five fields alone, such as %q: the time zone is always Europe/London", example)
		}
		parsed, err := fields.Parse(text)
		if err != nil {
			return fmt.Errorf("write five fields, minute, hour, day, month and day of the week, such as %q %s", example, when)
		}
		if spec, ok := parsed.(*cron.SpecSchedule); !ok || spec.Hour&(1<<1) != 0 {
			return errors.New("choose an hour other than 1: from 01:00 to 01:59 is skipped when summer time begins and comes twice when it ends")
		}
		if parsed.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
			return fmt.Errorf("this day never comes: write a schedule that does, such as %q %s", example, when)
		}
		return nil
	}
}
