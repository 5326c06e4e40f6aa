package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"muniment/internal/corpus"
	"muniment/internal/daemon"
	"muniment/internal/people"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
	"muniment/internal/whatsapp"
)

// storyBegins is the morning on which the council links.
var storyBegins = time.Date(2026, 8, 3, 9, 0, 0, 0, retention.London)

// cast are the people of the story and the places where they talk.
type cast struct {
	phone                                        *standin.Member // the council's own account
	ann, bo, cy, dee, ed, fay, gus, ivy, kit, jo *standin.Member
	all                                          []*standin.Member // these ten, in the order of the corpus
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
	for i, m := range []**standin.Member{&c.ann, &c.bo, &c.cy, &c.dee, &c.ed, &c.fay, &c.gus, &c.ivy, &c.kit, &c.jo} {
		first := strings.Fields(strings.TrimPrefix(register[i].name, "Cllr "))[0]
		*m = server.Member(first, register[i].number)
		c.all = append(c.all, *m)
	}
	c.official = server.Group("Cranford PC", c.phone, c.jo, c.ann, c.bo, c.cy, c.dee, c.ed, c.fay, c.gus, c.ivy)
	c.ringers = server.Group("Bell ringers", c.phone, c.bo, c.kit)
	return c
}

// at sets the clock to an hour and minute, London time, of a day of the story.
func (s *stage) at(day, hour, minute int) {
	s.clock.set(time.Date(2026, 8, 2+day, hour, minute, 0, 0, retention.London))
}

// said tells what was said, and waits until it is captured.
func (s *stage) said(ctx context.Context, n narrator, m *standin.Message, who string) error {
	return s.did(ctx, n, who, m.Text())
}

// did tells what somebody did, and waits until it is captured.
func (s *stage) did(ctx context.Context, n narrator, who, what string) error {
	n.chats(s.clock.Now(), who, what)
	return s.captured(ctx)
}

func (s *stage) welcome(_ context.Context, n narrator) error {
	n.says("DEMONSTRATION: people, messages and clock are not real; the program is.")
	if n.pause > 0 {
		n.says("It takes a minute; Ctrl-C stops it. The emails are longer than a screen: scroll back to read them.")
	}
	n.says("")
	n.says("Cranford Parish Council has nine councillors, Ann (who is in the chair), " +
		"Bo, Cy, Dee, Ed, Fay, Gus, Ivy and Kit, and a clerk, Jo.")
	return nil
}

func (s *stage) setUp(ctx context.Context, n narrator) error {
	n.scene("Monday 3 August 2026: the council links")
	n.says("The sysadmin ran `muniment init` and now runs `muniment link`. A QR code appears; the clerk " +
		"scans it with the council's phone, which lists the machine as \"Council record\".")
	link, err := daemon.OpenLink(ctx, s.options())
	if err != nil {
		return err
	}
	if err := link.Pair(ctx, whatsapp.Pairing{Show: func(code string) { _ = s.cast.phone.ScanQR(code) }}); err != nil {
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
	if err := s.said(ctx, n, c.jo.Says("The noticeboard by the pond still wants its August poster."), "Jo"); err != nil {
		return err
	}
	c.cy.Reacts(key, "👍")
	if err := s.did(ctx, n, "Cy", "reacts 👍 to Ann's message"); err != nil {
		return err
	}
	n.says("")
	n.says("Each message is safe on disk, and entered in a ledger that would show any later change, before " +
		"WhatsApp is told that it was received. Were the machine to lose power at any moment, nothing would be lost.")
	return nil
}

// The words that must leave no trace: at once what is not the council's, and what
// was said on the first day when its time has come.
const (
	ringersSecret = "Treble practice moves to Thursday, tell nobody about the surprise for Walter."
	directSecret  = "Between us: my knee operation is on the fourteenth."
)

var firstDayWords = []string{"The hall key is back in the safe", "borrowed it for Saturday's flower rota", "still wants its August poster"}

func (s *stage) secondDay(ctx context.Context, n narrator) error {
	n.scene("The second day: what is none of the council's business")
	c := s.cast
	if err := s.nights(ctx, "2026-08-04", nil); err != nil {
		return err
	}
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
	files, err := absent(s.dir, ringersSecret, directSecret)
	if err != nil {
		return err
	}
	n.says("")
	n.says("The other two messages reached this machine, for WhatsApp delivers all that the phone gets. "+
		"They were counted, and nothing of them was kept: all %d files here were searched for their words just now, and hold none.", files)
	return nil
}

// footbridge is what is said of the footbridge, and remembered.
type footbridge struct {
	photo, report, loose *standin.Message
	jpeg, pdf            []byte
}

// What is said of the footbridge. Gus has second thoughts about two of these.
const (
	railWords    = "The handrail on the Mill Lane footbridge, just past this puddle, has come away on the river side."
	looseWords   = "I walked past on Sunday and the handrail was loose already."
	looserWords  = "I walked past at four and the handrail was loose already."
	scarfWords   = "I have tied my red scarf to the handrail so that nobody leans on it."
	reportName   = "Footbridge fault report.pdf"
	sharpWords   = "The clerk was told about that handrail in June, and did nothing."
	binsWords    = "Bins this morning, not tomorrow: the lorry is at the church already."
	notHereWords = "Gus, not here, please. Ring Jo, or me."
)

func (s *stage) thirdDay(ctx context.Context, n narrator) error {
	n.scene("The third day: something important")
	c, b := s.cast, &s.bridge
	if err := s.nights(ctx, "2026-08-05", nil); err != nil {
		return err
	}
	s.at(3, 8, 12)
	if err := s.said(ctx, n, c.ed.Says(binsWords), "Ed"); err != nil {
		return err
	}
	s.at(3, 17, 2)
	b.jpeg = corpus.Photo(4, 800, 600)
	b.photo = c.dee.SendsImage(b.jpeg, railWords)
	if err := s.did(ctx, n, "Dee", "[photo] "+railWords); err != nil {
		return err
	}
	s.at(3, 17, 9)
	if err := s.said(ctx, n, c.fay.Says(scarfWords), "Fay"); err != nil {
		return err
	}
	s.at(3, 17, 11)
	if err := s.said(ctx, n, c.ivy.Replies(b.photo, "Jo, could you tell the county about the footbridge?"), "Ivy, replying"); err != nil {
		return err
	}
	s.at(3, 17, 14)
	b.loose = c.gus.Replies(b.photo, looseWords)
	if err := s.said(ctx, n, b.loose, "Gus, replying"); err != nil {
		return err
	}
	s.at(3, 17, 18)
	b.pdf = corpus.Document("County highways: fault 4417203", []string{"Reported by: Cranford Parish Council, the clerk.",
		"Where: footbridge, Mill Lane.", "What: handrail detached on the river side. A barrier is asked for."})
	b.report = c.jo.SendsDocument(reportName, "application/pdf", b.pdf, "Reported just now, and I asked for a barrier.")
	if err := s.did(ctx, n, "Jo", "["+reportName+"] Reported just now, and I asked for a barrier."); err != nil {
		return err
	}
	s.at(3, 17, 20)
	c.ann.Reacts(b.photo, "📌")
	if err := s.did(ctx, n, "Ann", "reacts 📌 to Dee's message"); err != nil {
		return err
	}
	if err := s.fetched(ctx); err != nil {
		return err
	}
	files, err := absent(s.config.StateDirectory, append(pieces(b.jpeg), pieces(b.pdf)...)...)
	if err != nil {
		return err
	}
	n.says("")
	n.says("That is all that Ann has to do. For three minutes she could take it back.")
	n.says("")
	n.says("Photo and report were fetched at once, and lie on disk as WhatsApp delivered them: encrypted. "+
		"All %d files of the archive were searched for pieces of either just now, and hold none.", files)
	n.says("")
	n.says("Then the whole conversation goes to the council's mailbox, encrypted on its way. This is the email:")
	s.at(3, 17, 23)
	return s.showMail(ctx, n)
}

// pieces returns some pieces of a file, as it would lie on disk if it lay there in
// the clear.
func pieces(file []byte) (ps []string) {
	const size = 48
	for at := range 8 {
		from := at * (len(file) - size) / 7
		ps = append(ps, string(file[from:from+size]))
	}
	return ps
}

func (s *stage) secondThoughts(ctx context.Context, n narrator) error {
	n.scene("Second thoughts")
	c := s.cast
	s.at(3, 17, 26)
	c.gus.Edits(s.bridge.loose, looserWords)
	if err := s.did(ctx, n, "Gus", "changes his message. Now it says: "+looserWords); err != nil {
		return err
	}
	s.at(3, 17, 27)
	sharp := c.gus.Says(sharpWords)
	if err := s.said(ctx, n, sharp, "Gus"); err != nil {
		return err
	}
	s.at(3, 17, 28)
	if err := s.said(ctx, n, c.ann.Says(notHereWords), "Ann"); err != nil {
		return err
	}
	n.says("")
	n.says("The mailbox has what Gus wrote first. So a correction follows, in the same thread. What matters in it is this:")
	s.at(3, 17, 29)
	if err := s.showMail(ctx, n, "What changed"); err != nil {
		return err
	}
	n.says("")
	s.at(3, 17, 31)
	c.gus.Deletes(sharp)
	if err := s.did(ctx, n, "Gus", "deletes what he wrote at 17:27."); err != nil {
		return err
	}
	n.says("")
	n.says("It is gone from every phone. But deleting removes a message from phones, not from the council's record: " +
		"that keeps what was said, and that it was deleted, when and by whom.")
	return nil
}

func (s *stage) mondayMorning(ctx context.Context, n narrator) error {
	n.scene("Monday morning: the week in one email")
	if err := s.nights(ctx, "2026-08-10", nil); err != nil {
		return err
	}
	s.at(8, 7, 0)
	if err := s.daemon.Digest(ctx); err != nil {
		return err
	}
	n.says("Each Monday at seven the clerk gets a digest: what needs her attention, what happened in the week, " +
		"and how the record stands. These are parts of it:")
	return s.showMail(ctx, n, "WhatsApp record: week ending Sunday 9 August 2026", "At a glance", "Needs your attention",
		"Changed or deleted after sending", "Gaps in the record")
}
