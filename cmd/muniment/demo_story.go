package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"muniment/internal/daemon"
	"muniment/internal/disposal"
	"muniment/internal/people"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
	"muniment/internal/verify"
)

// storyBegins is the morning on which the council links.
var storyBegins = time.Date(2026, 9, 7, 9, 0, 0, 0, retention.London)

// cast are the people of the story and the places where they talk.
type cast struct {
	phone                                        *standin.Member // the council's own account
	ann, bo, cy, dee, ed, fay, gus, ivy, kit, jo *standin.Member
	official, ringers                            *standin.Group
}

// register is the council's member register. The numbers are of the range that
// is kept free for drama.
var register = []struct{ name, role, number string }{
	{"Cllr Ann Brook", "chair", "+447700900101"},
	{"Cllr Bo Carter", "councillor", "+447700900102"},
	{"Cllr Cy Dean", "councillor", "+447700900103"},
	{"Cllr Dee Evans", "councillor", "+447700900104"},
	{"Cllr Ed Frost", "councillor", "+447700900105"},
	{"Cllr Fay Green", "councillor", "+447700900106"},
	{"Cllr Gus Hale", "councillor", "+447700900107"},
	{"Cllr Ivy Jones", "councillor", "+447700900108"},
	{"Cllr Kit Lowe", "councillor", "+447700900109"},
	{"Jo Marsh", "clerk", "+447700900110"},
	{"Parish office phone", "officer", "+447700900000"}, // the linked account itself, as the README says
}

func newCast(server *standin.Server) cast {
	c := cast{phone: server.Phone()}
	members := []**standin.Member{&c.ann, &c.bo, &c.cy, &c.dee, &c.ed, &c.fay, &c.gus, &c.ivy, &c.kit, &c.jo}
	for i, m := range members {
		first := strings.Fields(strings.TrimPrefix(register[i].name, "Cllr "))[0]
		*m = server.Member(first, register[i].number)
	}
	c.official = server.Group("Cranford PC", c.phone, c.jo, c.ann, c.bo, c.cy, c.dee, c.ed, c.fay, c.gus, c.ivy)
	c.ringers = server.Group("Bell ringers", c.phone, c.bo, c.kit)
	return c
}

// at sets the clock to an hour and minute, London time, of a day of the story.
func (s *stage) at(day, hour, minute int) {
	s.clock.set(time.Date(2026, 9, 6+day, hour, minute, 0, 0, retention.London))
}

// said tells what was said, and waits until it is captured.
func (s *stage) said(ctx context.Context, n narrator, m *standin.Message, who string) error {
	n.chats(s.clock.Now(), who, m.Text())
	return s.captured(ctx)
}

func (s *stage) welcome(_ context.Context, n narrator) error {
	n.says("DEMONSTRATION: people, messages and clock are not real; the program is.")
	if n.pause > 0 {
		n.says("It takes half a minute; Ctrl-C stops it. The emails are longer than a screen: scroll back to read them.")
	}
	n.says("")
	n.says("Cranford Parish Council has nine councillors, Ann (who is in the chair), " +
		"Bo, Cy, Dee, Ed, Fay, Gus, Ivy and Kit, and a clerk, Jo.")
	return nil
}

func (s *stage) setUp(ctx context.Context, n narrator) error {
	n.scene("Monday 7 September 2026: the council links")
	n.says("The sysadmin ran `muniment init` and now runs `muniment link`. A QR code appears; the clerk " +
		"scans it with the council's phone, which lists the machine as \"Council record\".")
	link, err := daemon.OpenLink(ctx, s.options())
	if err != nil {
		return err
	}
	if err := link.Pair(ctx, func(code string) { _ = s.cast.phone.ScanQR(code) }); err != nil {
		return errors.Join(err, link.Close())
	}
	groups, err := link.Groups(ctx)
	if err := errors.Join(err, link.Close()); err != nil {
		return err
	}
	n.says("The account is in %d groups. Only one is put into the configuration: the official one.", len(groups))
	if err := s.open(ctx, s.fillRegister); err != nil {
		return err
	}
	n.says("All %d people, and the council's own phone, are put on the member register: emails will show names, never numbers.", len(register)-1)
	if err := s.start(ctx); err != nil {
		return err
	}
	n.says("The daemon runs. Everyone in the group was given the privacy notice beforehand: it refuses to start otherwise.")
	return s.captured(ctx)
}

func (s *stage) fillRegister(db *sqlite.DB) error {
	return db.Write(context.Background(), func(tx *sqlite.Tx) error {
		for _, r := range register {
			address, err := people.ParseNumber(r.number)
			if err != nil {
				return err
			}
			if err := people.AddMember(tx, s.clock.Now(), "the demonstration", "first entries",
				people.Member{Name: r.name, Role: r.role}, address); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *stage) firstDay(ctx context.Context, n narrator) error {
	n.scene("The first day: ordinary chat")
	c := s.cast
	s.at(1, 9, 12)
	key := c.ann.Says("Good morning all. The hall key is back in the safe at the library.")
	if err := s.said(ctx, n, key, "Ann"); err != nil {
		return err
	}
	s.at(1, 9, 14)
	if err := s.said(ctx, n, c.bo.Replies(key, "Thanks Ann. I had borrowed it for Saturday's flower rota."), "Bo, replying"); err != nil {
		return err
	}
	s.at(1, 9, 31)
	if err := s.said(ctx, n, c.jo.Says("The noticeboard by the pond still wants its September poster."), "Jo"); err != nil {
		return err
	}
	c.cy.Reacts(key, "👍")
	n.chats(s.clock.Now(), "Cy", "reacts 👍 to Ann's message")
	if err := s.captured(ctx); err != nil {
		return err
	}
	n.says("")
	n.says("Each message is safe on disk, and entered in a ledger that would show any later change, before " +
		"WhatsApp is told that it was received. Were the machine to lose power at any moment, nothing would be lost.")
	return nil
}

// The words that must leave no trace.
const (
	ringersSecret = "Treble practice moves to Thursday, tell nobody about the surprise for Walter."
	directSecret  = "Between us: my knee operation is on the fourteenth."
)

func (s *stage) secondDay(ctx context.Context, n narrator) error {
	n.scene("The second day: what is none of the council's business")
	c := s.cast
	s.at(2, 19, 3)
	c.kit.In(c.ringers).Says(ringersSecret)
	n.line("  19:03  Kit writes in another group that the council's phone happens to be in.")
	c.gus.Tells(c.phone, directSecret)
	n.line("  19:03  Gus writes to the council's phone directly.")
	if err := s.captured(ctx); err != nil {
		return err
	}
	s.at(2, 19, 20)
	c.kit.Joins(c.official)
	n.line("  19:20  Kit joins the official group.")
	if err := s.captured(ctx); err != nil {
		return err
	}
	files, err := s.absent(ringersSecret, directSecret)
	if err != nil {
		return err
	}
	n.says("")
	n.says("The other two messages reached this machine, for WhatsApp delivers all that the phone gets. "+
		"They were counted, and nothing of them was kept: all %d files here were searched for their words just now, and hold none.", files)
	return nil
}

func (s *stage) thirdDay(ctx context.Context, n narrator) error {
	n.scene("The third day: something important")
	c := s.cast
	s.at(3, 17, 2)
	rail := c.dee.Says("The handrail on the Mill Lane footbridge has come away on the river side.")
	if err := s.said(ctx, n, rail, "Dee"); err != nil {
		return err
	}
	s.at(3, 17, 5)
	loose := c.gus.Replies(rail, "I walked past at four and it was loose already.")
	if err := s.said(ctx, n, loose, "Gus, replying"); err != nil {
		return err
	}
	s.at(3, 17, 9)
	if err := s.said(ctx, n, c.fay.Says("I have tied a red scarf round the post so that nobody leans on it."), "Fay"); err != nil {
		return err
	}
	s.at(3, 17, 11)
	ask := c.ivy.Replies(rail, "Jo, could you tell the county's highways desk?")
	if err := s.said(ctx, n, ask, "Ivy, replying"); err != nil {
		return err
	}
	s.at(3, 17, 18)
	if err := s.said(ctx, n, c.jo.Replies(ask, "Logged with them just now, and I asked for a barrier."), "Jo, replying"); err != nil {
		return err
	}
	s.at(3, 17, 20)
	c.ann.Reacts(rail, "📌")
	n.chats(s.clock.Now(), "Ann", "reacts 📌 to Dee's message")
	if err := s.captured(ctx); err != nil {
		return err
	}
	n.says("")
	n.says("That is all that Ann has to do. For three minutes she could take it back; then the whole " +
		"conversation goes to the council's mailbox, encrypted on its way. This is the email:")
	s.at(3, 17, 23)
	return s.showMail(ctx, n, 1)
}

// showMail has what is due delivered and shows the latest of want emails.
func (s *stage) showMail(ctx context.Context, n narrator, want int) error {
	if err := s.daemon.Deliver(ctx); err != nil {
		return err
	}
	emails := s.post.Emails()
	if len(emails) != want {
		return fmt.Errorf("%d emails have arrived, not %d", len(emails), want)
	}
	subject, text, err := plainText(emails[want-1])
	if err != nil {
		return err
	}
	n.rest()
	n.says("")
	n.quotes("Subject: " + subject)
	n.quotes("")
	for line := range strings.Lines(text) {
		n.quotes(strings.TrimRight(line, "\r\n"))
	}
	return nil
}

// quotes shows a line of an email as it stands, or folded where it is too long
// for a terminal: a subject, or a signature.
func (n narrator) quotes(line string) {
	const bar = "  | "
	if utf8.RuneCountInString(bar+line) <= emailColumns {
		n.line("%s", strings.TrimRight(bar+line, " "))
		return
	}
	for _, l := range fold(bar, bar+"  ", line, emailColumns) {
		n.line("%s", l)
	}
}

// plainText returns the subject and the text/plain part of an email.
func plainText(raw []byte) (subject, text string, err error) {
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return "", "", err
	}
	if subject, err = new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject")); err != nil {
		return "", "", err
	}
	_, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil {
		return "", "", err
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err != nil {
			return "", "", fmt.Errorf("it has no plain text: %w", err)
		}
		if kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type")); kind == "text/plain" {
			b, err := io.ReadAll(quotedprintable.NewReader(p))
			return subject, string(b), err
		}
	}
}

func (s *stage) lookAfter(ctx context.Context, n narrator) error {
	n.scene("Can it be trusted?")
	n.says("`muniment verify` computes every record anew and compares it with the signed ledger:")
	n.says("")
	return s.verify(ctx, n)
}

func (s *stage) verify(ctx context.Context, n narrator) error {
	key, err := daemon.Home(s.config.StateDirectory).OpenKey()
	if err != nil {
		return err
	}
	return s.open(ctx, func(db *sqlite.DB) error {
		r, err := verify.Run(ctx, db, key, daemon.Home(s.config.StateDirectory).Vault(db), nil, nil)
		if err != nil {
			return err
		}
		return printReport(n, r)
	})
}

// The nights of the story: the notice of what was said on the first day comes
// thirty days before it falls due, six years and a day after it was said.
const (
	noticeNight      = retention.Date("2032-08-09")
	destructionNight = retention.Date("2032-09-08")
)

func (s *stage) sixYears(ctx context.Context, n narrator) error {
	n.scene("Six years pass")
	n.says("Every night the daemon looks for what falls due in thirty days. The demonstration steps " +
		"the clock from night to night; each night's work is really done.")
	n.says("")
	day := retention.DateOf(s.clock.Now()).AddDays(1)
	for ; day < noticeNight; day = day.AddDays(1) {
		if err := s.night(ctx, day); err != nil {
			return err
		}
		if strings.HasSuffix(string(day), "-01-01") {
			n.line("  %s: nothing is due", day.Long())
		}
	}
	if err := s.night(ctx, noticeNight); err != nil {
		return err
	}
	n.line("  %s: the first day's messages will be due in thirty days.", noticeNight.Long())
	n.says("")
	n.says("The clerk gets notice:")
	return s.showMail(ctx, n, 2)
}

// night does the work of the night before the given day breaks.
func (s *stage) night(ctx context.Context, day retention.Date) error {
	s.clock.set(day.Start().Add(2*time.Hour + 30*time.Minute))
	return s.daemon.Nightly(ctx)
}

func (s *stage) destruction(ctx context.Context, n narrator) error {
	n.scene("The day comes")
	for day := noticeNight.AddDays(1); day < destructionNight; day = day.AddDays(1) {
		if err := s.night(ctx, day); err != nil {
			return err
		}
		if err := s.daemon.Deliver(ctx); err != nil {
			return err
		}
	}
	before := len(s.post.Emails())
	n.says("The clerk knows of nothing that speaks against it. (If she did: `muniment hold place --all`, " +
		"and nothing at all would be destroyed.) The council approved in advance, by its minute.")
	if err := s.night(ctx, destructionNight); err != nil {
		return err
	}
	n.says("")
	n.line("  %s: what was said on the first day is destroyed.", destructionNight.Long())
	n.says("")
	n.says("The clerk gets a certificate. It is long, because it is evidence: years later it must show by itself " +
		"what was destroyed, on whose authority, how, and how that was checked.")
	return s.showMail(ctx, n, before+1)
}

func (s *stage) farewell(ctx context.Context, n narrator) error {
	n.scene("Nothing is left, and everything still verifies")
	files, err := s.absent("The hall key is back in the safe", "borrowed it for Saturday's flower rota",
		"still wants its September poster", ringersSecret, directSecret)
	if err != nil {
		return err
	}
	n.says("All %d files of the demonstration were searched once more for the words of the first day "+
		"and of the private messages. There are none.", files)
	n.says("")
	if err := s.end(); err != nil {
		return err
	}
	if err := s.verify(ctx, n); err != nil {
		return err
	}
	certificate := filepath.Join(s.dir, demoCertificate)
	if err := s.open(ctx, func(db *sqlite.DB) error { return saveCertificate(ctx, db, certificate) }); err != nil {
		return err
	}
	program := "muniment"
	if strings.Contains(os.Args[0], "go-build") {
		program = "go run ./cmd/muniment"
	}
	n.says("")
	n.line("The emails      %s", filepath.Join(s.post.Dir(), "*.eml"))
	n.line("The archive     %s", s.config.StateDirectory)
	n.line("The certificate %s", certificate)
	n.says("")
	n.says("Try next:")
	n.says("")
	for _, command := range []string{"records", "status", "verify", "disposal list"} {
		n.line("  %s %s --config %s", program, command, s.config.File)
	}
	n.says("")
	n.says("Nothing of this was real. The README says how to begin in earnest.")
	return nil
}

func saveCertificate(ctx context.Context, db *sqlite.DB, path string) error {
	return db.Read(ctx, func(tx *sqlite.Tx) error {
		c, err := disposal.LoadCertificate(tx, 1)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := printCertificate(&b, c); err != nil {
			return err
		}
		return os.WriteFile(path, b.Bytes(), 0o600)
	})
}

// absent searches every file of the demonstration for words and returns how many
// files there are; finding one is an error.
func (s *stage) absent(words ...string) (files int, err error) {
	err = filepath.WalkDir(s.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		files++
		for _, w := range words {
			if bytes.Contains(b, []byte(w)) {
				return fmt.Errorf("%s holds what must not be there", path)
			}
		}
		return nil
	})
	return files, err
}
