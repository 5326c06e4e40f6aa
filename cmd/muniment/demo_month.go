package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/corpus"
	"muniment/internal/daemon"
	"muniment/internal/disposal"
	"muniment/internal/letter"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
	"muniment/internal/verify"
)

// The month of the story: as much chat as a parish council has, of the one seed. It
// ends when Ivy leaves.
const (
	monthSeed  = 42
	monthMark  = "📌"
	lastMonday = retention.Date("2026-10-05")
)

var (
	monthBegins = time.Date(2026, 9, 7, 8, 0, 0, 0, retention.London)
	ivyLeaves   = time.Date(2026, 10, 4, 21, 0, 0, 0, retention.London)
)

// deed is something that is done at a time of the story.
type deed struct {
	at time.Time
	do func(context.Context) error
}

func (s *stage) month(ctx context.Context, n narrator) error {
	n.scene("Life goes on")
	n.says("August is quiet, for the council is in recess. Then everybody is back. The demonstration makes up four weeks " +
		"of chat, and has all of it said through WhatsApp, minute by minute.")
	said := 0
	deeds := slices.Concat(s.nightsAndMondays(lastMonday), s.chat(&said))
	deeds = append(deeds, deed{ivyLeaves, func(ctx context.Context) error {
		s.cast.ivy.Leaves(s.cast.official)
		return s.captured(ctx)
	}})
	slices.SortStableFunc(deeds, func(a, b deed) int { return a.at.Compare(b.at) })
	for _, d := range deeds {
		s.clock.set(d.at)
		if err := d.do(ctx); err != nil {
			return err
		}
	}
	if err := s.fetched(ctx); err != nil {
		return err
	}
	n.says("")
	if err := s.open(ctx, func(db *sqlite.DB) error { return s.tellMonth(ctx, n, db, said) }); err != nil {
		return err
	}
	n.says("")
	n.line("  4 October, 21:00: Ivy leaves the group.")
	n.says("")
	n.says("The record also tells who was in the group on any day:")
	n.says("")
	for _, day := range []retention.Date{"2026-10-03", "2026-10-04"} {
		if err := s.open(ctx, func(db *sqlite.DB) error { return s.roster(ctx, n, db, day) }); err != nil {
			return err
		}
	}
	from, to, err := s.digest.part("Councillors not in the group, and what they receive instead")
	if err != nil {
		return err
	}
	n.says("")
	n.says("And on Monday the digest has this for the clerk:")
	n.says("")
	n.quotes(s.digest.lines[from:to]...)
	return nil
}

// nightsAndMondays are what the daemon does by itself up to a day.
func (s *stage) nightsAndMondays(last retention.Date) (deeds []deed) {
	for day := s.day.AddDays(1); day <= last; day = day.AddDays(1) {
		deeds = append(deeds, deed{smallHours(day), func(ctx context.Context) error { return s.nights(ctx, day, nil) }})
		if retention.WeekOf(day).Monday() == day {
			deeds = append(deeds, deed{day.Start().Add(7 * time.Hour), func(ctx context.Context) error {
				if err := s.daemon.Digest(ctx); err != nil {
					return err
				}
				letters, err := s.delivered(ctx)
				if err == nil && len(letters) == 1 {
					s.digest = letters[0]
				}
				return err
			}})
		}
	}
	return deeds
}

// chat is what the members do in the month; each adds one to done.
func (s *stage) chat(done *int) (deeds []deed) {
	said := make(map[int]*standin.Message)
	does := func(at time.Time, do func()) {
		if !at.Before(ivyLeaves) {
			return
		}
		deeds = append(deeds, deed{at, func(ctx context.Context) error {
			do()
			*done++
			return s.captured(ctx)
		}})
	}
	for m := range corpus.Chat(monthSeed, corpus.Options{Begin: monthBegins, End: ivyLeaves, PerDay: 5, Mark: monthMark}) {
		does(m.Sent, func() { said[m.N] = say(s.cast.all[m.Sender].In(s.cast.official), m, said[m.Target]) })
		if m.Kind == corpus.KindEdit || m.Kind == corpus.KindDeletion { // a correction may be owed
			deeds = append(deeds, deed{m.Sent.Add(s.config.Conversation.Settle), s.deliver})
		}
		for _, r := range m.Reactions {
			at := m.Sent.Add(r.After)
			does(at, func() { s.cast.all[r.Sender].In(s.cast.official).Reacts(said[m.N], r.Emoji) })
			if r.Emoji == monthMark {
				deeds = append(deeds, deed{at.Add(s.config.Conversation.Settle), s.fetched}, deed{at.Add(s.config.Conversation.Settle), s.deliver})
			}
		}
	}
	return deeds
}

// say has somebody say, edit or delete what the corpus has for him.
func say(who standin.Voice, m corpus.Message, target *standin.Message) *standin.Message {
	seed := uint64(m.N)
	switch {
	case m.Kind == corpus.KindPhoto:
		return who.SendsImage(corpus.Photo(seed, 320, 240), m.Text)
	case m.Kind == corpus.KindDocument:
		title := strings.TrimSuffix(m.FileName, ".pdf")
		return who.SendsDocument(m.FileName, "application/pdf", corpus.Document(title, corpus.Lines(seed, 12)), m.Text)
	case m.Kind == corpus.KindEdit:
		return who.Edits(target, m.Text)
	case m.Kind == corpus.KindDeletion:
		return who.Deletes(target)
	case target != nil:
		return who.Replies(target, m.Text)
	}
	return who.Says(m.Text)
}

// tellMonth tells what the archive has of the month, which must be all that was done.
func (s *stage) tellMonth(ctx context.Context, n narrator, db *sqlite.DB, done int) error {
	of := make(map[string]int) // by kind, and by kind and type
	replies, marks := 0, 0
	if err := db.Read(ctx, func(tx *sqlite.Tx) error {
		return archive.Between(tx, monthBegins, ivyLeaves, func(r archive.Record) error {
			of[string(r.Kind)]++
			of[fmt.Sprint(r.Kind, " ", r.Type)]++
			if r.Kind == record.Message && r.ReplyTo != 0 {
				replies++
			}
			if r.Kind == record.Reaction && r.Emoji == monthMark {
				marks++
			}
			return nil
		})
	}); err != nil {
		return err
	}
	if kept := of["message"] + of["reaction"] + of["edit"] + of["deletion"]; kept != done {
		return fmt.Errorf("the archive has %d records of the month, not %d", kept, done)
	}
	told := fmt.Sprintf("7 September to 4 October: %s, among them %s, %s and %d replies; %s, %s, %s.",
		count(of["message"], "message"), count(of["message image"], "photo"), count(of["message document"], "document"), replies,
		count(of["reaction"], "reaction"), count(of["edit"], "edit"), count(of["deletion"], "deletion"))
	n.lines("  ", told)
	n.says("")
	n.says("This is counted in the archive: it has each of them once. With %s marked and a digest each Monday, "+
		"%d emails lie in the mailbox by now.", count(marks, "conversation"), len(s.post.Emails()))
	return nil
}

// roster tells who was in the group at the end of a day, as the command does.
func (s *stage) roster(ctx context.Context, n narrator, db *sqlite.DB, day retention.Date) error {
	now := s.clock.Now()
	w := wantedRoster{at: string(day)}
	if err := w.check(now); err != nil {
		return err
	}
	letters := daemon.Letters(s.config, true)
	var r *letter.Roster
	if err := db.Write(ctx, func(tx *sqlite.Tx) (err error) {
		r, err = w.report(tx, now, s.config.Groups[0], &letters, actor{clerkName, "the demonstration"})
		return err
	}); err != nil {
		return err
	}
	n.line("  $ muniment roster --at %q", day.Long())
	for _, line := range r.Summary() {
		n.line("      %s", line)
	}
	return nil
}

func (s *stage) lookAfter(ctx context.Context, n narrator) error {
	n.scene("Can it be trusted?")
	n.says("`muniment verify` computes every record anew and compares it with the signed ledger, " +
		"and every file with what was delivered:")
	n.says("")
	return s.verify(ctx, n)
}

func (s *stage) verify(ctx context.Context, n narrator) error {
	home := daemon.Home(s.config.StateDirectory)
	key, err := home.OpenKey()
	if err != nil {
		return err
	}
	return s.open(ctx, func(db *sqlite.DB) error {
		r, err := verify.Run(ctx, db, key, verify.With{Files: home.Vault(db), Disposal: disposal.Faults})
		if err != nil {
			return err
		}
		return printReport(n, r)
	})
}
