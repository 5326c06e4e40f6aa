package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// chat ARCHIVE FILE captures a chat as the daemon does, and tells nothing. Each line
// of FILE is somebody, or what somebody did (times are UTC; @name mentions):
//
//	person NAME LID NUMBER PUSHNAME      - for a number, or a push name, that is not known
//	author NAME AUTHOR                   in an imported chat
//	TIME NAME says|supplied|edits|replies|sends|deletes|reacts ID [OF] [TYPE FILENAME] TEXT
//	TIME NAME present|adds|removes|joins|leaves|promotes|demotes NAME…    *: an admin
//	TIME NAME names|describes|timer TEXT
//	TIME NAME makes KIND TYPE ID OF DETAILS TEXT                          - for none; in DETAILS, which is JSON, _ for a space
//
// NAME is nobody where WhatsApp does not say who. After a line "group NUMBER" it is in
// another group than 120363000000000001.
func chat() {
	err := func() error {
		b, err := os.ReadFile(os.Args[2])
		if err != nil {
			return err
		}
		db, err := sqlite.Open(context.Background(), os.Args[1])
		if err != nil {
			return err
		}
		c := &chatter{people: map[string]chatPerson{}, sender: map[string]string{}}
		c.in("120363000000000001")
		err = db.Write(context.Background(), func(tx *sqlite.Tx) error {
			a, err := archive.Load(tx, retention.ForYears(6))
			if err != nil {
				return err
			}
			for line := range strings.Lines(string(b)) {
				if err := c.line(tx, a, strings.TrimSpace(line)); err != nil {
					return fmt.Errorf("%s: %w", line, err)
				}
			}
			for day := c.first; !day.After(time.Now()); day = day.AddDate(0, 0, 1) { // as if the daemon had been there all the time
				if err := archive.Alive(tx, day, 1); err != nil {
					return err
				}
			}
			return archive.Alive(tx, time.Now(), 1)
		})
		return errors.Join(err, db.Close())
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type chatPerson struct {
	record.Address
	pushName string
}

type chatter struct {
	group  string // JID
	people map[string]chatPerson
	sender map[string]string // of the message with that ID
	first  time.Time         // what was done
}

// in lets what follows be in that group.
func (c *chatter) in(group string) {
	c.group = group + "@g.us"
	c.people["nobody"] = chatPerson{Address: record.Address{JID: c.group}}
}

func (c *chatter) line(tx *sqlite.Tx, a *archive.Archive, line string) error {
	words := strings.Fields(line)
	if len(words) == 0 {
		return nil
	}
	if words[0] == "group" {
		c.in(words[1])
		return nil
	}
	if words[0] == "person" {
		p := chatPerson{Address: record.Address{JID: words[2] + "@lid"}}
		if words[3] != "-" {
			p.Alt = words[3] + "@s.whatsapp.net"
		}
		if words[4] != "-" {
			p.pushName = strings.Join(words[4:], " ")
		}
		c.people[words[1]] = p
		return nil
	}
	if words[0] == "author" {
		c.people[words[1]] = chatPerson{Address: people.Exported(strings.Join(words[2:], " "))}
		return nil
	}
	at, err := time.Parse("2006-01-02T15:04", words[0])
	if err != nil {
		return err
	}
	if c.first.IsZero() {
		c.first = at
	}
	who, ok := c.people[words[1]]
	if !ok {
		return errors.New("somebody unknown")
	}
	r := record.Received{Group: c.group, Sender: who.Address, PushName: who.pushName, Sent: at, Protobuf: []byte("x")}
	if err := c.read(&r, words[1], words[2], words[3:]); err != nil {
		return err
	}
	now := at.Add(2 * time.Second)
	got, err := a.Capture(tx, now, r)
	if err == nil && r.Kind == record.Participants {
		err = people.Changed(tx, now, r)
	}
	if err == nil && r.File != nil {
		err = vault.Want(tx, now, got.Seq, r.Type, *r.File)
	}
	return err
}

// read reads what somebody did.
func (c *chatter) read(r *record.Received, who, did string, rest []string) error {
	moved := map[string]record.Type{"present": record.Present, "adds": record.Added, "removes": record.Removed, "joins": record.Joined,
		"leaves": record.Left, "promotes": record.Promoted, "demotes": record.Demoted}
	set := map[string]record.Type{"names": record.Subject, "describes": record.Description, "timer": record.Timer}
	if t := moved[did]; t != "" {
		r.Kind, r.Type = record.Participants, t
		if len(rest) == 0 {
			rest = []string{who}
		}
		for _, name := range rest {
			name, admin := strings.CutSuffix(name, "*")
			r.Participants = append(r.Participants, record.Participant{Address: c.people[name].Address, Admin: admin})
		}
		return nil
	}
	if t := set[did]; t != "" {
		r.Kind, r.Type, r.ID = record.Group, t, "group:"+r.Sent.String()
		r.Text = strings.Join(rest, " ")
		return nil
	}
	if did == "makes" {
		r.Kind, r.Type, r.ID, r.Text = record.Kind(rest[0]), record.Type(rest[1]), rest[2], strings.ReplaceAll(strings.Join(rest[5:], " "), `\n`, "\n")
		if rest[3] != "-" {
			r.Target = &record.Ref{ID: rest[3], Sender: c.people[c.sender[rest[3]]].Address}
		}
		if rest[4] != "-" {
			d, err := record.ParseDetails(strings.ReplaceAll(rest[4], "_", " "))
			if err != nil {
				return err
			}
			r.Details = d.Encode()
		}
		c.sender[r.ID] = who
		return nil
	}
	r.Kind, r.Type, r.ID = record.Message, record.Text, rest[0]
	rest = rest[1:]
	r.Supplied = did == "supplied" // by the council's phone
	if did == "replies" || did == "edits" || did == "deletes" || did == "reacts" {
		of := c.people[c.sender[rest[0]]].Address
		r.Target = &record.Ref{ID: rest[0], Sender: of}
		switch did {
		case "edits":
			r.Kind = record.Edit
		case "deletes":
			r.Kind, r.Type = record.Deletion, record.ByAuthor
			if of != r.Sender {
				r.Type = record.ByAdmin
			}
		case "reacts":
			r.Kind, r.Type, r.Emoji = record.Reaction, record.ReactionAdded, rest[1]
			return nil
		}
		rest = rest[1:]
	}
	if did == "sends" {
		r.Type = record.Type(rest[0])
		r.File = &record.File{Name: strings.ReplaceAll(strings.TrimPrefix(rest[1], "-"), "_", " "), MIME: "application/octet-stream",
			Size: 48213, Path: "/v/" + r.ID, Key: bytes.Repeat([]byte("k"), 32), Digest: digest32("d" + r.ID), Sealed: digest32("s" + r.ID)}
		if rest[2] == "LOST" {
			r.File.Path = ""
		}
		rest = rest[3:]
	}
	c.sender[r.ID] = who
	r.Text = regexp.MustCompile(`@[a-z]+`).ReplaceAllStringFunc(strings.ReplaceAll(strings.Join(rest, " "), `\n`, "\n"), func(name string) string {
		p, ok := c.people[name[1:]]
		if !ok {
			return name
		}
		jid := p.JID
		if p.Alt != "" {
			jid = p.Alt
		}
		r.Mentions = append(r.Mentions, jid)
		number, _, _ := strings.Cut(jid, "@")
		return "@" + number
	})
	return nil
}

func digest32(s string) []byte { return append(bytes.Repeat([]byte("."), 32-len(s)), s...) }

// journalOf ARCHIVE ACT tells what the journal says of an act.
func journalOf() {
	db, err := sqlite.Open(context.Background(), os.Args[1])
	if err == nil {
		err = db.Read(context.Background(), func(tx *sqlite.Tx) error {
			return journal.Of(tx, journal.Act(os.Args[2]), func(e journal.Entry, _ int64) error {
				who := strings.TrimSuffix(e.Who, systemUser)
				fmt.Printf("%s, %q: %s\n", cmp.Or(who, "(system user)"), e.Reason, e.About)
				return nil
			})
		})
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// gap FILE FROM TO notes that there was no link from then on till then, as the daemon does.
func gap() {
	err := func() error {
		from, err := time.Parse(time.RFC3339, os.Args[2])
		if err != nil {
			return err
		}
		to, err := time.Parse(time.RFC3339, os.Args[3])
		if err != nil {
			return err
		}
		db, err := sqlite.Open(context.Background(), os.Args[1])
		if err != nil {
			return err
		}
		err = db.Write(context.Background(), func(tx *sqlite.Tx) error {
			return errors.Join(archive.OpenGap(tx, from, from, archive.NotLinked, "x"), archive.CloseGap(tx, to))
		})
		return errors.Join(err, db.Close())
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
