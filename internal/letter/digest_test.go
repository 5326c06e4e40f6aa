package letter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/archive"
	"muniment/internal/disposal"
	"muniment/internal/forward"
	"muniment/internal/ledger"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
	"muniment/internal/transcript"
	"muniment/internal/vault"
)

// takes captures as the daemon does.
func (c *council) takes(r record.Received, at time.Time) said {
	c.t.Helper()
	c.ids++
	if r.Group == "" {
		r.Group = cranford
	}
	if r.ID == "" && r.Kind != record.Participants {
		r.ID = fmt.Sprintf("3EB0%016X", c.ids)
	}
	s := said{Ref: record.Ref{ID: r.ID, Sender: r.Sender}}
	c.write(func(tx *sqlite.Tx) error {
		captured, err := c.a.Capture(tx, at, r)
		if err != nil {
			return err
		}
		s.seq = captured.Seq
		if r.File != nil {
			err = vault.Want(tx, at, captured.Seq, r.Type, *r.File)
		}
		switch r.Kind {
		case record.Reaction:
			err = c.rules.Reacted(tx, at, r, captured)
		case record.Participants:
			err = people.Changed(tx, at, r)
		}
		return err
	})
	return s
}

// did is takes of what p did, captured at once.
func (c *council) did(p person, when time.Time, r record.Received) said {
	c.t.Helper()
	r.Sender, r.PushName, r.Sent = p.Address, p.pushName, when
	return c.takes(r, when.Add(time.Second))
}

func (c *council) edits(p person, when time.Time, of said, text string) {
	c.t.Helper()
	c.did(p, when, record.Received{Kind: record.Edit, Type: record.Text, Target: &of.Ref, Text: text})
}

func (c *council) deletes(p person, when time.Time, of said, how record.Type) {
	c.t.Helper()
	c.did(p, when, record.Received{Kind: record.Deletion, Type: how, Target: &of.Ref})
}

// moves is a change of who is in the group, by p.
func (c *council) moves(p person, when time.Time, how record.Type, who ...person) {
	c.t.Helper()
	r := record.Received{Kind: record.Participants, Type: how}
	for i, q := range who {
		r.Participants = append(r.Participants, record.Participant{Address: q.Address, Admin: i == 0 && how == record.Present})
	}
	c.did(p, when, r)
}

// brings is a message with a file.
func (c *council) brings(p person, when time.Time, what record.Type, name, caption string, details ...record.Details) said {
	c.t.Helper()
	c.ids++
	some := func(b byte) []byte { return bytes.Repeat([]byte{b, byte(c.ids)}, 16) }
	var d record.Details
	if len(details) > 0 {
		d = details[0]
	}
	return c.did(p, when, record.Received{Kind: record.Message, Type: what, Text: caption, Details: d.Encode(),
		File: &record.File{Name: name, Path: "/v/x", Key: some(1), Digest: some(2), Sealed: some(3)}})
}

// fetched notes what became of a file.
func (c *council) fetched(s said, at time.Time, state vault.State, reason string, size int64) {
	c.t.Helper()
	c.write(func(tx *sqlite.Tx) error {
		_, err := tx.Exec("UPDATE media SET state = ?, reason = ?, size = ?, finished_at = ? WHERE seq = ?",
			state, reason, size, sqlite.FormatTime(at), s.seq)
		return err
	})
}

// sends attempts every email that is due, with that answer.
func (c *council) sendsEmails(at time.Time, answer error) {
	c.t.Helper()
	compose := func(ctx context.Context, it mail.Item) ([]byte, error) {
		err := c.db.Write(ctx, func(tx *sqlite.Tx) error {
			if it.Kind != forward.Letter {
				return nil
			}
			_, err := forward.Settle(tx, it.About)
			return err
		})
		return []byte("x"), err
	}
	send := func(context.Context, string, string, []byte) (string, error) { return "250 ok", answer }
	o := mail.New(c.db, slog.New(slog.DiscardHandler), func(string) bool { return true }, send, compose,
		func() time.Time { return at }, 0)
	if err := o.DeliverDue(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
}

// digested is a council whose clerk gets digests.
type digested struct {
	*council
	w *Writer
	g Digest
}

const week retention.Week = "2026-11-22"

func newDigested(t *testing.T) digested {
	d := digested{council: newCouncil(t), w: writer()}
	d.g = Digest{
		Edition: forward.Weekly(week), Began: at("2020-01-06 09:00"), Content: Extracts,
		LateFrom: at("2026-11-16 07:00"), LateBefore: at("2026-11-23 07:00"),
		Approval: disposal.Standing, Minute: "24/037",
		Review:         "2028-09-30",
		AbandonedAfter: 31 * 24 * time.Hour,
		PhoneSeen:      at("2026-11-22 18:31"),
		Backups:        Backups{Made: true, Last: at("2026-11-23 04:00"), Kept: 35, Directory: "/var/backups/muniment", Elsewhere: true, Copied: at("2026-11-23 04:02")},
		Program:        "muniment 0.1.0",
		Checkpoint: "muniment\n1204\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n" +
			"— muniment GHFmZhA2gK0mT8bKkq8kq3mMpw1kXv5mD7cVZQ0lRkqG0kqg2Jw2yCq7gJm4Vf0tqzqH8n1yqkqz4n7eQzqfXq0YJgA=\n",
		Key: "muniment+5d1f1b37+AaVBk1sUe4ZqzvBNjS1m8y9Gv0wVYk1cQ2Ee7h3pX4rT",
	}
	d.alive()
	return d
}

// alive notes that the daemon ran all the time in autumn.
func (c *council) alive() {
	c.t.Helper()
	c.write(func(tx *sqlite.Tx) error {
		const run = 1000
		for day := retention.Date("2026-10-01"); day <= "2026-11-23"; day = day.AddDays(1) {
			if err := archive.Alive(tx, day.Start().Add(6*time.Hour), run); err != nil {
				return err
			}
		}
		return nil
	})
}

// sent returns the digest as it is sent on the Monday.
func (d digested) sent() []byte {
	d.t.Helper()
	return d.sentAt(d.g.Period.End().Add(7 * time.Hour))
}

func (d digested) sentAt(date time.Time) (msg []byte) {
	d.t.Helper()
	err := d.db.Read(context.Background(), func(tx *sqlite.Tx) (err error) {
		if d.g.Account, err = d.a.Count(tx); err != nil {
			return err
		}
		h := header(fmt.Sprintf("digest.%d", d.g.About()), date)
		h.To = []string{"clerk@cranford-pc.example"}
		msg, err = d.w.Digest(tx, h, d.g)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return msg
}

// everything happens in one week.
func everything(t *testing.T) digested {
	d := newDigested(t)
	d.write(func(tx *sqlite.Tx) error { // who is not in the group, for whatever reason
		flo := people.Member{Name: "Cllr Flo Grant", Role: "chair", From: at("2026-05-05 00:00"),
			Absence: people.Absence{Reason: "does not use WhatsApp", Alternative: "weekly digest by email"}}
		soon := people.Member{Name: "Cllr Gus Hale", Role: "councillor", From: at("2026-12-01 00:00")}
		return errors.Join(people.AddMember(tx, at("2020-01-06 09:00"), "Jo Hall", "elected", flo, record.Address{}),
			people.AddMember(tx, at("2020-01-06 09:00"), "Jo Hall", "elected", soon, record.Address{}))
	})
	c := d.council
	kit := person{record.Address{JID: "100000000000107@lid"}, "Kit"}
	old := c.says(ann, at("2020-12-10 10:00"), "Could somebody look at the bus shelter?")
	c.says(dee, at("2020-12-10 11:05"), "The verges are to be cut on Friday.")
	c.moves(jo, at("2026-11-10 09:00"), record.Present, jo, ann, bo, dee, sam, pat)

	c.takes(record.Received{Kind: record.Message, Type: record.Text, Sender: sam.Address, PushName: sam.pushName,
		Sent: at("2026-11-15 23:40"), Text: "The tent is back in the store."}, at("2026-11-16 09:12"))
	c.says(ann, at("2026-11-16 10:00"), "Good morning. The notice board is mended.")
	litter := c.says(bo, at("2026-11-17 09:14"), "The litter pick is on Saturday at seven.")
	c.edits(bo, at("2026-11-17 09:16"), litter, "The litter pick is on Saturday at eight.")
	c.edits(bo, at("2026-11-17 09:20"), litter, "The litter pick is on Saturday at nine.")
	c.edits(sam, at("2026-11-17 09:31"), litter, "There is no litter pick.")
	wrong := c.says(sam, at("2026-11-17 19:02"), "Wrong group, sorry: @100000000000102 left his coat at ours.", bo)
	c.deletes(sam, at("2026-11-17 19:03"), wrong, record.ByAuthor)
	advert := c.says(pat, at("2026-11-18 08:00"), "Cheap logs! Best price in the county.\nAsk me.")
	c.deletes(jo, at("2026-11-18 08:10"), advert, record.ByAdmin)
	c.deletes(sam, at("2026-11-18 08:12"), litter, record.ByAdmin)
	c.did(bo, at("2026-11-18 08:20"), record.Received{Kind: record.Edit, Type: record.Text, Text: "It is mended.",
		Target: &record.Ref{ID: "3EB0FFFF", Sender: bo.Address}})

	rail := c.says(dee, at("2026-11-18 17:02"), "The handrail on the footbridge has come away on the river side. "+
		"It holds at the north end only, and children lean on it on the way to school. I have tied a ribbon across, but that will not "+
		"stop anybody. The county has been told twice and says that it is ours.")
	c.replies(bo, at("2026-11-18 17:05"), &rail, "I saw it too.")
	c.did(ann, at("2026-11-18 17:09"), record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Emoji: "📌", Target: &rail.Ref})
	c.did(jo, at("2026-11-18 17:10"), record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Emoji: "📌", Target: &rail.Ref})
	c.sendsEmails(at("2026-11-18 17:13"), nil)
	again := c.says(bo, at("2026-11-19 12:00"), "The gate of the allotments does not shut.")
	c.did(bo, at("2026-11-19 12:01"), record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Emoji: "📌", Target: &again.Ref})
	c.sendsEmails(at("2026-11-19 12:05"), errors.New("nobody answers"))

	photo := c.brings(dee, at("2026-11-18 17:03"), record.Image, "", "The handrail")
	c.fetched(photo, at("2026-11-18 17:03"), vault.Kept, "", 312_480)
	for _, minute := range []string{"30", "31", "31", "32"} {
		rail := c.brings(dee, at("2026-11-18 18:"+minute), record.Image, "", "")
		c.fetched(rail, at("2026-11-18 18:40"), vault.Kept, "", 288_000)
	}
	plan := c.brings(ann, at("2026-11-19 10:00"), record.Document, "Plan of the playing field.pdf", "")
	c.fetched(plan, at("2026-11-19 10:01"), vault.Kept, "", 1_482_752)
	c.brings(pat, at("2026-11-22 18:30"), record.Video, "", "")
	voice := c.brings(bo, at("2026-11-20 08:00"), record.Audio, "", "")
	c.fetched(voice, at("2026-11-20 08:01"), vault.Lost, "WhatsApp no longer has it", 0)
	c.did(sam, at("2026-11-20 08:02"), record.Received{Kind: record.Message, Type: record.ViewOnce})
	c.did(sam, at("2026-11-20 08:05"), record.Received{Kind: record.Message, Type: record.Poll,
		Details: record.Details{Poll: &record.Ballot{Question: "Who brings the urn?", Options: []string{"Bo", "Jo"}, Choose: 1}}.Encode()})
	c.did(sam, at("2026-11-20 08:06"), record.Received{Kind: record.Unsupported, Type: "holographicMessage"})

	c.moves(kit, at("2026-11-20 19:20"), record.Joined, kit)
	c.moves(jo, at("2026-11-20 19:25"), record.Removed, pat)
	c.moves(dee, at("2026-11-21 07:00"), record.Left, dee)
	c.moves(jo, at("2026-11-21 07:05"), record.Promoted, ann)
	c.did(bo, at("2026-11-21 08:00"), record.Received{Kind: record.Group, Type: record.Subject, Text: "Official chat"})
	c.did(bo, at("2026-11-21 08:01"), record.Received{Kind: record.Group, Type: record.Description, Text: "Short messages. The notice is on the website."})
	c.did(sam, at("2026-11-21 08:02"), record.Received{Kind: record.Group, Type: record.Timer, Text: "604800"})
	c.takes(record.Received{Kind: record.Unsupported, Type: "group_invite_link", Sender: record.Address{JID: cranford},
		Sent: at("2026-11-21 08:03")}, at("2026-11-21 08:03"))

	c.carelessly()
	c.gaps(t)
	c.write(func(tx *sqlite.Tx) error {
		id, err := archive.BeginIntake(tx, at("2026-11-16 08:00"))
		if err != nil {
			return err
		}
		for n, o := range []archive.Outcome{archive.WasCaptured, archive.WasDuplicate, archive.WasCaptured, archive.WasOutOfScope, archive.WasCaptured} {
			if err := archive.Count(tx, at("2026-11-16 08:00"), id, int64(n)+2, o); err != nil {
				return err
			}
		}
		return archive.Alive(tx, at("2026-11-23 06:59"), id)
	})
	c.holds(old, litter)
	c.write(func(tx *sqlite.Tx) error {
		drawn := at("2026-11-22 02:30")
		ds := &disposal.Disposal{DB: c.db, Archive: c.a, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return drawn },
			Policy: disposal.Policy{Approval: disposal.Each, NoticeDays: 30, From: "record@cranford-pc.example", To: "clerk@cranford-pc.example"}}
		if err := archive.TakeIn(tx, ds.Now()); err != nil {
			return err
		}
		due, err := ds.Falling(tx)
		if err != nil {
			return err
		}
		_, err = ds.DrawUp(tx, due)
		return err
	})
	c.sendsEmails(at("2026-11-22 02:31"), &mail.Failure{Stage: mail.NamingRecipient, Code: 550})
	d.g.Approval, d.g.Minute = disposal.Each, ""
	d.g.Review = "2026-09-30"
	d.g.ClockDoubted = true
	d.g.Restored = &archive.Restoration{MadeAt: at("2026-11-19 02:30"), At: at("2026-11-20 16:00")}
	d.g.Backups.Rehearsed, d.g.Backups.RehearsalDue = at("2026-08-03 10:00"), true
	return d
}

func (c *council) gaps(t *testing.T) {
	t.Helper()
	c.write(func(tx *sqlite.Tx) error {
		for _, g := range []struct {
			kind       archive.GapKind
			from, till string
		}{
			{archive.NotConnected, "2026-11-16 22:05", "2026-11-17 07:58"},
			{archive.NotConnected, "2026-11-18 12:00", "2026-11-18 12:01"},
			{archive.NotConnected, "2026-11-18 12:03", "2026-11-18 12:04"},
			{archive.NotLinked, "2026-11-19 13:00", "2026-11-19 15:30"},
			{archive.NotConnected, "2026-11-23 05:10", ""},
		} {
			if err := archive.OpenGap(tx, at(g.from), at(g.from), g.kind, "test"); err != nil {
				return err
			}
			if g.till == "" {
				continue
			}
			if err := archive.CloseGap(tx, at(g.till)); err != nil {
				return err
			}
		}
		for _, m := range []struct{ id, when string }{{"LOST1", "2026-09-01 10:00"}, {"LOST2", "2026-11-18 07:30"}, {"LATE1", "2026-11-18 07:31"}, {"EARLY1", "2026-11-18 07:32"}} {
			if err := c.a.MissMessage(tx, at(m.when), archive.Missed{Group: cranford, Ref: record.Ref{ID: m.id, Sender: bo.Address}, Cause: "no key"}); err != nil {
				return err
			}
		}
		for id, how := range map[string]archive.Ending{"LATE1": archive.FromPhone, "EARLY1": archive.Earlier} {
			if err := c.a.EndGap(tx, at("2026-11-18 08:00"), cranford, record.Ref{ID: id, Sender: bo.Address}, how); err != nil {
				return err
			}
		}
		return archive.OpenGap(tx, at("2026-11-20 02:30"), at("2026-10-20 02:30"), archive.Abandoned, "1 message")
	})
}

func (c *council) holds(old, litter said) {
	c.t.Helper()
	c.write(func(tx *sqlite.Tx) error {
		m, err := people.MemberNamed(tx, "Cllr Bo Carter")
		if err != nil {
			return err
		}
		for _, h := range []struct {
			when, reason string
			kind         archive.HoldKind
			forCase      string
			review       retention.Date
			cover        archive.Cover
		}{
			{"2026-05-04 10:00", "request for all of the spring.", archive.FOI, "FOI-2026-003", "2026-11-04", archive.Cover{Scope: archive.Dates, From: "2026-03-01", Through: "2026-04-30"}},
			{"2026-11-03 10:00", "complaint about the hall", archive.PolicyBreach, "", "2027-05-03", archive.Cover{Scope: archive.ByMember, Member: m.ID}},
			{"2026-11-20 10:00", "claim by the contractor", archive.Other, "", "",
				archive.Cover{Scope: archive.Records, Records: []record.Seq{old.seq, litter.seq}, Search: "shelter OR litter", Ahead: true}},
		} {
			if _, err := archive.Place(tx, at(h.when), "Jo Hall",
				archive.Hold{Kind: h.kind, Case: h.forCase, Reason: h.reason, Review: h.review, Cover: h.cover}); err != nil {
				return err
			}
		}
		id, err := archive.PlaceHold(tx, at("2026-06-01 10:00"), "Jo Hall", "over by now", "", archive.Cover{Scope: archive.Everything})
		if err != nil {
			return err
		}
		return archive.ReleaseHold(tx, at("2026-06-08 10:00"), id, "Jo Hall", "settled")
	})
}

// imports brings lines of an export into the archive, unless that is broken off.
func (c *council) imports(when, reason string, broken error, lines ...string) {
	c.t.Helper()
	text := strings.Join(lines, "\n")
	e, err := transcript.Read(strings.NewReader(text), int64(len(text)), "x.txt", transcript.Options{Zone: retention.London, Now: at(when)})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.a.Import(context.Background(), archive.Import{
		Export: e, Zone: "Europe/London", Group: cranford, Names: []string{"Cranford councillors"}, Who: "Jo Marsh", Reason: reason, Anyway: true,
		DB: c.db, Now: func() time.Time { return at(when) }, Lost: func(record.Seq) bool { return false },
		Put: func(ctx context.Context, _ []record.File, write func(*sqlite.Tx) error) error {
			if broken != nil {
				return broken
			}
			return c.db.Write(ctx, write)
		},
	}); !errors.Is(err, broken) {
		c.t.Fatal(err)
	}
}

// What was imported in the week is told, once.
func TestImportsInDigests(t *testing.T) {
	d := newDigested(t)
	d.takes(record.Received{Kind: record.Message, Type: record.Text, Sender: ann.Address, Sent: at("2026-11-10 09:00"), Text: "Good morning."}, at("2026-11-10 09:00"))
	d.imports("2026-11-15 23:59", "the week before", nil, "01/03/2026, 09:30 - Ann: one")
	d.imports("2026-11-16 00:00", "minute 26/014", nil, "02/03/2026, 09:30 - Ann: two", "02/03/2026, 09:31 - Ann: three")
	d.imports("2026-11-22 23:59", "asked by 07700 900123", errors.New("the disk is full"), "03/03/2026, 09:30 - Ann: four")
	d.imports("2026-11-23 00:00", "the week after", nil, "04/03/2026, 09:30 - Ann: five")
	told := func() (all []string) {
		text := strings.Join(strings.Fields(parse(t, d.sent()).text), " ")
		for _, s := range strings.Split(text, "Imported this week: ")[1:] {
			s, _, _ = strings.Cut(s, " Emails this week")
			all = append(all, strings.TrimSpace(s))
		}
		return all
	}
	want := []string{
		"2 records from a phone’s export of the chat, for Jo Marsh, because “minute 26/014”",
		"0 records from a phone’s export of the chat, for Jo Marsh, because “asked by [number not shown]”; the import is not finished",
	}
	if diff := cmp.Diff(want, told()); diff != "" {
		t.Error(diff)
	}
	d.w.Groups["120363041234567891@g.us"] = Group{Name: "Officers"}
	if all := told(); len(all) != 2 || !strings.Contains(all[0], "of the chat in “Cranford councillors”, for Jo") {
		t.Errorf("of several groups: %q", all)
	}
}

func TestDigest(t *testing.T) {
	golden(t, "digest", everything(t).sent())
}

// That nothing happened is told under every heading: it is evidence.
func TestDigestOfAnEmptyWeek(t *testing.T) {
	d := newDigested(t)
	d.moves(jo, at("2026-11-10 09:00"), record.Present, jo, ann, bo, dee)
	golden(t, "digest-empty", d.sent())
}

// Where the council does not want words in emails, there are none that a member
// typed, nor the name of a file.
func TestDigestOfReferences(t *testing.T) {
	d := everything(t)
	d.g.Content = References
	msg := d.sent()
	golden(t, "digest-references", msg)
	p := parse(t, msg)
	for _, said := range d.typed() {
		for part, s := range map[string]string{"text": p.text, "HTML": p.html} {
			if first := strings.Fields(said)[0]; strings.Contains(s, said) || len(first) > 6 && strings.Contains(s, first) {
				t.Errorf("the %s holds words of %q", part, said)
			}
		}
	}
}

// typed returns whatever members typed: messages, captions, names of files.
func (c *council) typed() (all []string) {
	c.t.Helper()
	c.write(func(tx *sqlite.Tx) error {
		return archive.Each(tx, func(r archive.Record) error {
			for _, s := range append(saying.Lines(r.Text), r.FileName) {
				if s != "" && r.Type != record.Timer {
					all = append(all, s)
				}
			}
			return nil
		})
	})
	if len(all) < 10 {
		c.t.Fatalf("only %q was typed", all)
	}
	return all
}

// A digest shows at most the first 200 characters of a message, unless it is to show
// everything.
func TestContentOfDigests(t *testing.T) {
	d := newDigested(t)
	long := strings.Repeat("Ofcom's numbers are for drama. ", 20) + "The end."
	d.brings(ann, at("2026-11-17 10:00"), record.Image, "", long)
	for content, want := range map[Content]int{References: 0, Extracts: extract, Full: len(long)} {
		d.g.Content = content
		var typed []string
		for line := range strings.Lines(parse(t, d.sent()).text) {
			if s, ok := strings.CutPrefix(line, "  | "); ok {
				typed = append(typed, strings.TrimSpace(s))
			}
		}
		got := strings.Join(typed, " ")
		if len(got) > want+len("…") || len(got) < want*9/10 || !strings.HasPrefix(long, strings.TrimSuffix(got, "…")) {
			t.Errorf("%s: %d characters of %d: %q", content, len(got), len(long), got)
		}
	}
}

// The clocks go back on the last day of the week, which is an hour longer; what was
// sent in the hour that comes twice says in which.
func TestDigestOfTheWeekOfTheClockChange(t *testing.T) {
	d := newDigested(t)
	d.moves(jo, at("2026-10-01 09:00"), record.Present, jo, ann, bo, dee)
	d.g.Edition, d.g.LateFrom, d.g.LateBefore = forward.Weekly("2026-10-25"), time.Time{}, time.Time{}
	one := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC)
	for _, photo := range []struct {
		caption string
		sent    time.Time
	}{
		{"before the week", at("2026-10-18 23:59")},
		{"the first", at("2026-10-19 00:00")},
		{"half past one in summer time", one},
		{"half past one again", one.Add(time.Hour)},
		{"the last", at("2026-10-25 23:59")},
		{"after the week", at("2026-10-26 00:00")},
	} {
		d.brings(ann, photo.sent, record.Image, "", photo.caption)
	}
	d.write(func(tx *sqlite.Tx) error {
		_, err := tx.Exec("UPDATE media SET state = 'kept', finished_at = ?, size = 100000", sqlite.FormatTime(d.g.Period.Start()))
		return err
	})
	golden(t, "digest-clock-change", d.sent())
}

// Nothing that comes into the archive after the date of a digest changes it, and no
// order of a map does.
func TestADigestIsTheSameAtEveryAttempt(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	d := everything(t)
	first := d.sent()
	for range 10 {
		if !bytes.Equal(first, d.sent()) {
			t.Fatal("two attempts differ")
		}
	}
	d.write(func(tx *sqlite.Tx) (err error) {
		d.g.Account, err = d.a.Count(tx) // which the archive tells of now only
		return err
	})
	later := at("2026-11-23 07:05")
	m := d.takes(record.Received{Kind: record.Message, Type: record.Text, Sender: bo.Address, PushName: bo.pushName,
		Sent: at("2026-11-22 10:00"), Text: "This came late."}, later)
	d.takes(record.Received{Kind: record.Edit, Type: record.Text, Sender: bo.Address, Sent: at("2026-11-22 11:00"), Text: "Late.", Target: &m.Ref}, later)
	d.takes(record.Received{Kind: record.Edit, Type: record.Text, Sender: bo.Address, Sent: at("2026-11-17 09:30"), Text: "It is off.",
		Target: &record.Ref{ID: "3EB00000000000000006", Sender: bo.Address}}, later)
	d.did(ann, at("2026-11-23 07:06"), record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Emoji: "📌", Target: &m.Ref})
	d.write(func(tx *sqlite.Tx) error {
		if _, err := archive.PlaceHold(tx, later, "Jo Hall", "late", "", archive.Cover{Scope: archive.Everything}); err != nil {
			return err
		}
		if err := archive.ReleaseHold(tx, later, 1, "Jo Hall", "done"); err != nil {
			return err
		}
		if err := archive.CloseGap(tx, later); err != nil {
			return err
		}
		return archive.OpenGap(tx, later, later, archive.NotLinked, "late")
	})
	err := d.db.Read(t.Context(), func(tx *sqlite.Tx) error {
		text, err := d.w.DigestText(tx, at("2026-11-23 07:00"), d.g)
		onHold := regexp.MustCompile(`, of which \d+ on hold`) // so is this
		words := func(s string) string { return onHold.ReplaceAllString(strings.Join(strings.Fields(s), " "), "") }
		if diff := cmp.Diff(words(parse(t, first).text), words(text)); diff != "" {
			t.Errorf("what came later changed the digest (-first +later):\n%s", diff)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What was sent last week and came too late for that digest is in this one; what was
// in that one is not.
func TestWhatCameTooLate(t *testing.T) {
	d := newDigested(t)
	for caption, captured := range map[string]string{
		"in the last digest":  "2026-11-16 06:59",
		"too late for it":     "2026-11-16 07:00",
		"too late even now":   "2026-11-23 07:01",
		"just in time for us": "2026-11-23 06:59",
	} {
		d.ids++
		d.takes(record.Received{Kind: record.Message, Type: record.Image, Sender: ann.Address, Sent: at("2026-11-15 10:00"), Text: caption,
			ID: caption, File: &record.File{Sealed: []byte(caption)}}, at(captured))
	}
	text := parse(t, d.sent()).text
	for _, want := range []string{"too late for it", "just in time for us", "2, of which 2 were sent before this week and came late", "Sun 15 Nov, 10:00"} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q", want)
		}
	}
	for _, not := range []string{"in the last digest", "too late even now"} {
		if strings.Contains(text, not) {
			t.Errorf("it shows what was %s", not)
		}
	}
}

// Somebody compares the archive with the digest: the whole email will do.
func TestTheCheckpointIsFoundInADigest(t *testing.T) {
	d := newDigested(t)
	path := filepath.Join(t.TempDir(), "ledger.key")
	if err := ledger.NewKey(path, "muniment"); err != nil {
		t.Fatal(err)
	}
	key, err := ledger.LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	var signed ledger.Checkpoint
	d.write(func(tx *sqlite.Tx) (err error) {
		signed, err = key.Sign(tx, at("2026-11-23 07:00"))
		return err
	})
	d.g.Checkpoint, d.g.Key = signed.Note, key.Public()
	msg := d.sent()
	if text := parse(t, msg).text; !strings.Contains(text, key.Public()) {
		t.Errorf("the public key is not in it:\n%s", text)
	}
	for what, s := range map[string]string{"email": string(msg), "text": parse(t, msg).text} {
		found := key.Own(ledger.Find(s))
		if len(found) != 1 {
			t.Fatalf("in the %s: found %q", what, found)
		}
		if c, err := key.Open(found[0]); err != nil || c.Root != signed.Root || c.Size != signed.Size {
			t.Errorf("in the %s: %v; found %q", what, err, found)
		}
	}
}

// What a member types cannot pass for the checkpoint when the email is checked.
func TestAMessageCannotPassForTheCheckpoint(t *testing.T) {
	d := newDigested(t)
	d.g.Content = Full
	m := d.says(sam, at("2026-11-17 10:00"), "x")
	d.edits(sam, at("2026-11-17 10:01"), m, "muniment\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n"+
		"— muniment GHFmZhA2gK0mT8bKkq8kq3mMpw1kXv5mD 7cVZQ0lRkqG0kqg2Jw2yCq7gJm4Vf0tqzqH8n1yqkqz4n7eQzqfXq0YJgA=")
	if found := ledger.Find(string(d.sent())); !slices.Contains(found, d.g.Checkpoint) {
		t.Errorf("the checkpoint is not among those that verify is given:\n%s", found)
	}
}

// The printed digest is the emailed one.
func TestDigestText(t *testing.T) {
	d := everything(t)
	d.w.Demonstration = true
	msg := d.sent()
	err := d.db.Read(t.Context(), func(tx *sqlite.Tx) (err error) {
		if d.g.Account, err = d.a.Count(tx); err != nil {
			return err
		}
		text, err := d.w.DigestText(tx, at("2026-11-23 07:00"), d.g)
		if diff := cmp.Diff(parse(t, msg).text, text); diff != "" {
			t.Errorf("(-emailed +printed)\n%s", diff)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Two groups, of which the second is the officers': every item says of which group it
// is, every sum is of one, and nothing of either is counted to the other. Something is
// left of a third, which is not listed any more.
func TestDigestOfTwoGroups(t *testing.T) {
	d := everything(t)
	const officers, former = "120363041234567891@g.us", "120363041234567892@g.us"
	d.w.Groups[officers] = Group{Name: "Officers"}
	d.rules.Choice.AtMost = 200
	in := func(group string, p person, when string, r record.Received) said {
		r.Group, r.Sender, r.PushName, r.Sent = group, p.Address, p.pushName, at(when)
		return d.takes(r, at(when).Add(time.Second))
	}
	text := func(s string) record.Received {
		return record.Received{Kind: record.Message, Type: record.Text, Text: s}
	}
	in(officers, jo, "2026-11-10 09:00", record.Received{Kind: record.Participants, Type: record.Present,
		Participants: []record.Participant{{Address: jo.Address, Admin: true}, {Address: sam.Address}, {Address: bo.Address}}})
	rota := in(officers, jo, "2026-11-18 17:03", text("The office is shut on Friday."))
	in(officers, sam, "2026-11-18 17:04", text("I have told the post office."))
	in(officers, jo, "2026-11-18 17:06", record.Received{Kind: record.Edit, Type: record.Text, Target: &rota.Ref, Text: "The office is shut on Thursday."})
	in(officers, sam, "2026-11-18 17:07", record.Received{Kind: record.Edit, Type: record.Text, Target: &rota.Ref, Text: "It is open."})
	in(officers, jo, "2026-11-18 17:09", record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Emoji: "📌", Target: &rota.Ref})
	sent := record.Received{Kind: record.Message, Type: record.Image, Text: "The new sign",
		File: &record.File{Path: "/v/y", Key: make([]byte, 32), Digest: make([]byte, 32), Sealed: bytes.Repeat([]byte{9}, 32)}}
	d.fetched(in(officers, sam, "2026-11-19 10:00", sent), at("2026-11-19 10:01"), vault.Lost, "WhatsApp no longer has it", 0)
	in(officers, sam, "2026-11-19 11:00", record.Received{Kind: record.Group, Type: record.Timer, Text: "86400"})
	in(officers, jo, "2026-11-19 12:00", record.Received{Kind: record.Participants, Type: record.Added, Participants: []record.Participant{{Address: pat.Address}}})
	d.write(func(tx *sqlite.Tx) error {
		return d.a.MissMessage(tx, at("2026-11-20 10:00"), archive.Missed{Group: officers, Ref: record.Ref{ID: "Y", Sender: jo.Address}, Cause: "no key"})
	})
	in(former, bo, "2026-11-20 09:00", text("Good bye."))
	in(former, bo, "2026-11-20 09:01", record.Received{Kind: record.Participants, Type: record.Left, Participants: []record.Participant{{Address: bo.Address}}})
	golden(t, "digest-groups", d.sent())
}

// Where there are several groups, each thing says in which it was.
func TestDigestOfSeveralGroups(t *testing.T) {
	d := everything(t)
	d.w.Groups = map[string]Group{cranford: {Name: "Cranford councillors", EveryCouncillor: true}, "120363041234567891@g.us": {Name: "Officers", EveryCouncillor: true}}
	d.takes(record.Received{Group: "120363041234567891@g.us", Kind: record.Participants, Type: record.Present, Sender: jo.Address,
		Sent: at("2026-11-10 09:00"), Participants: []record.Participant{{Address: jo.Address}}}, at("2026-11-10 09:00"))
	text := strings.Join(strings.Fields(parse(t, d.sent()).text), " ")
	for _, want := range []string{
		"in the WhatsApp groups “Cranford councillors” and “Officers”",
		"(record 16 in “Cranford councillors”)",
		"Sat 21 Nov, 07:00 in “Cranford councillors”: Cllr Dee Evans left.",
		"Cllr Ann Brook, not in “Officers”",
		"Kit (name not verified) in “Cranford councillors”. Please make sure",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if strings.Contains(text, "Cllr Ann Brook, not in “Cranford") {
		t.Error("it says that Ann is not in the group where she is")
	}
}

// What needs attention says what to do.
func TestAttention(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	for _, tt := range []struct {
		name  string
		story func(d *digested)
		want  string // empty: nothing needs attention
	}{
		{"nothing", func(*digested) {}, ""},
		{"the link is lost", func(d *digested) {
			d.write(func(tx *sqlite.Tx) error {
				return archive.OpenGap(tx, at("2026-11-20 10:00"), at("2026-11-20 10:00"), archive.NotLinked, "logged out")
			})
		}, "Link to WhatsApp lost: Nothing has been recorded since Friday 20 November 2026 at 10:00. Please have it linked again today (muniment link)."},
		{"the link was lost, and is there again", func(d *digested) {
			d.write(func(tx *sqlite.Tx) error {
				return errors.Join(archive.OpenGap(tx, at("2026-11-20 10:00"), at("2026-11-20 10:00"), archive.NotLinked, "logged out"),
					archive.CloseGap(tx, at("2026-11-20 11:00")))
			})
		}, ""},
		{"it was never linked", func(d *digested) { d.g.NeverLinked = true },
			"Not linked to WhatsApp: It has never been linked, and nothing is received until it is. Please have it linked (muniment link)."},
		{"the disk is nearly full", func(d *digested) { d.g.FilesWait = at("2026-11-20 10:00") },
			"Disk: The computer’s disk is nearly full: since Friday 20 November 2026 at 10:00 photos and files wait, messages are still recorded. " +
				"WhatsApp keeps files for some weeks only. Please have room made (muniment status)."},
		{"the council's account is not in the group", func(d *digested) {
			d.write(func(tx *sqlite.Tx) error {
				_, err := archive.OpenGroupGap(tx, at("2026-11-20 10:00"), at("2026-11-20 10:00"), archive.NotInGroup, cranford, "removed")
				return err
			})
		}, "Not in the group: The council’s account has not been in the group “Cranford councillors” since Friday 20 November 2026 at 10:00, " +
			"and nothing that is sent there is recorded. Please have an administrator of the group add it again today."},
		{"the council's account was not in the group, and is again", func(d *digested) {
			d.write(func(tx *sqlite.Tx) error {
				_, err := archive.OpenGroupGap(tx, at("2026-11-20 10:00"), at("2026-11-20 10:00"), archive.NotInGroup, cranford, "removed")
				return errors.Join(err, archive.CloseGroupGap(tx, at("2026-11-20 11:00"), archive.NotInGroup, cranford))
			})
		}, ""},
		{"messages have disappeared for weeks", func(d *digested) {
			d.did(jo, at("2026-11-01 10:00"), record.Received{Kind: record.Group, Type: record.Timer, Text: "86400"})
		}, "Disappearing messages: They have been switched on since Sunday 1 November 2026 at 10:00. The record keeps what it has received, " +
			"the members’ phones do not. Please have them switched off again, unless the council wants them."},
		{"messages disappeared for an hour", func(d *digested) {
			d.did(jo, at("2026-11-20 10:00"), record.Received{Kind: record.Group, Type: record.Timer, Text: "86400"})
			d.did(jo, at("2026-11-20 11:00"), record.Received{Kind: record.Group, Type: record.Timer, Text: "0"})
		}, ""},
		{"somebody whom nobody knows is an administrator", func(d *digested) {
			d.moves(jo, at("2026-11-01 10:00"), record.Present, jo, sam)
			d.moves(jo, at("2026-11-01 11:00"), record.Promoted, sam)
		}, "Not on the register: In the group: Sam W (name not verified). Please find out who they are; then have them put on the register " +
			"(muniment member), or removed from the group. One of them is an administrator of the group, and can delete what others write."},
		{"a message of long ago is still missing", func(d *digested) {
			d.write(func(tx *sqlite.Tx) error {
				return d.a.MissMessage(tx, at("2026-11-15 10:00"), archive.Missed{Group: cranford, Ref: record.Ref{ID: "X", Sender: bo.Address}, Cause: "no key"})
			})
		}, ""},
		{"an email waits for a day", func(d *digested) {
			d.owes("disposal certificate", 3, at("2026-11-22 06:00"))
		}, "Emails waiting: Not handed to the mail server for more than a day: the certificate of destruction 3."},
		{"an email waits for less", func(d *digested) { d.owes("disposal certificate", 3, at("2026-11-22 08:00")) }, ""},
		{"this very digest waits", func(d *digested) { d.owes(forward.DigestLetter, 20261122, at("2026-11-01 08:00")) }, ""},
		{"the last digest waits", func(d *digested) { d.owes(forward.DigestLetter, 20261115, at("2026-11-16 07:00")) },
			"the weekly email of 15 November 2026."},
		{"somebody who left office is in the group", func(d *digested) {
			d.write(func(tx *sqlite.Tx) error {
				m, err := people.MemberNamed(tx, "Cllr Bo Carter")
				if err != nil {
					return err
				}
				return people.EndMember(tx, at("2026-11-20 10:00"), "Jo Hall", "resigned", m.ID, at("2026-11-20 00:00"))
			})
		}, "Left office: Still in the group: Cllr Bo Carter."},
		{"a hold's review is today", func(d *digested) { d.held("2026-11-23") }, ""},
		{"a hold's review is over", func(d *digested) { d.held("2026-11-22") }, "Hold 1: It was to be reviewed by 22 November 2026. Is it still needed?"},
		{"nobody has set who approves", func(d *digested) {
			d.g.Approval = disposal.Unset
			d.lists("2026-11-22 02:30")
		}, "Disposal list 1: It holds 1 record and waits, because the council has not set who approves destruction."},
		{"a list waits for its day", func(d *digested) { d.lists("2026-11-22 02:30") }, ""},
		{"a list's day has come and it is doubted", func(d *digested) {
			d.lists("2026-10-22 02:30")
			d.g.Doubts = map[int64]string{1: "everything on it is on hold"}
		}, "Disposal list 1: It was to be destroyed on 21 November 2026, and is not yet: everything on it is on hold."},
		{"the policy is to be reviewed in time", func(d *digested) { d.g.Review = "2026-12-24" }, ""},
		{"the policy is to be reviewed soon", func(d *digested) { d.g.Review = "2026-12-23" }, "Policy: It is to be reviewed by 23 December 2026."},
		{"the policy's review is overdue", func(d *digested) { d.g.Review = "2026-11-22" }, "Policy: It was to be reviewed by 22 November 2026."},
		{"disappearing messages are switched off", func(d *digested) {
			d.did(ann, at("2026-11-17 10:00"), record.Received{Kind: record.Group, Type: record.Timer, Text: "0"})
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDigested(t)
			d.moves(jo, at("2026-11-10 09:00"), record.Present, jo, ann, bo, dee)
			tt.story(&d)
			text := strings.Join(strings.Fields(parse(t, d.sent()).text), " ")
			if nothing := strings.Contains(text, "Nothing needs your attention. "); nothing != (tt.want == "") {
				t.Errorf("nothing needs attention: %v\n%s", nothing, text)
			}
			if !strings.Contains(text, tt.want) {
				t.Errorf("it does not say %q\n%s", tt.want, text)
			}
		})
	}
}

func (c *council) owes(kind string, about int64, since time.Time) {
	c.t.Helper()
	c.write(func(tx *sqlite.Tx) error {
		_, err := mail.Queue(tx, since, mail.Item{Kind: kind, About: about, MessageID: fmt.Sprint(about), From: "a", To: []string{"b"}})
		return err
	})
}

func (c *council) held(review retention.Date) {
	c.t.Helper()
	c.write(func(tx *sqlite.Tx) error {
		_, err := archive.PlaceHold(tx, at("2026-11-01 10:00"), "Jo Hall", "a claim", review, archive.Cover{Scope: archive.Everything})
		return err
	})
}

// lists draws up a disposal list.
func (c *council) lists(when string) {
	c.t.Helper()
	c.says(ann, at("2020-11-01 10:00"), "Long ago.")
	c.write(func(tx *sqlite.Tx) error {
		ds := &disposal.Disposal{DB: c.db, Archive: c.a, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return at(when) },
			Policy: disposal.Policy{NoticeDays: 30, From: "record@cranford-pc.example", To: "clerk@cranford-pc.example"}}
		if err := archive.TakeIn(tx, ds.Now()); err != nil {
			return err
		}
		due, err := ds.Falling(tx)
		if err != nil {
			return err
		}
		_, err = ds.DrawUp(tx, due)
		return err
	})
	c.sendsEmails(at(when).Add(time.Minute), nil)
}

// What became of a marked conversation is told as it is.
func TestWhereAMarkedConversationWent(t *testing.T) {
	d := newDigested(t)
	mark := func(p person, when string, of said) {
		d.did(p, at(when), record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Emoji: "📌", Target: &of.Ref})
	}
	m := d.says(bo, at("2026-11-17 10:00"), "The stile is loose.")
	mark(ann, "2026-11-17 10:01", m)
	d.sendsEmails(at("2026-11-17 10:10"), nil)
	mark(bo, "2026-11-18 10:00", m)
	d.sendsEmails(at("2026-11-18 10:10"), nil)
	other := d.says(dee, at("2026-11-19 10:00"), "The bench has gone.")
	mark(ann, "2026-11-19 10:01", other)
	d.reacts(ann, at("2026-11-19 10:02"), other, "") // taken back in time
	mark(ann, "2026-11-20 10:00", said{Ref: record.Ref{ID: "3EB0FFFF", Sender: bo.Address}})
	d.sendsEmails(at("2026-11-20 10:10"), nil)
	mark(ann, "2026-11-22 23:59", other)
	text := strings.Join(strings.Fields(parse(t, d.sent()).text), " ")
	for _, want := range []string{
		"Marked by Cllr Ann Brook on Tue 17 Nov, 10:01. Handed to the mail server on Tue 17 Nov, 10:10 for council@cranford-pc.example.",
		"Marked by Cllr Bo Carter on Wed 18 Nov, 10:00. Nothing was emailed, since all of it is in the email about conversation 1.",
		"Marked by Cllr Ann Brook on Fri 20 Nov, 10:00. Nothing was emailed, since the marked message is not in the record.",
		"Marked by Cllr Ann Brook on Sun 22 Nov, 23:59. It will be emailed in a moment.",
		"Marked: 4 conversations",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q\n%s", want, text)
		}
	}
	if strings.Contains(text, "Thu 19 Nov, 10:01") {
		t.Error("a mark that was taken back in time is told")
	}
}
