package letter

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/forward"
	"muniment/internal/mail"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// headings are those of REQUIREMENTS.md 4.3; councillors get the ones that are theirs.
var headings = []string{
	"At a glance", "Needs your attention", "Conversations members marked as important", "May need to go to a meeting",
	"Please check: may contain personal or confidential details", "Photos and documents shared", "Changed or deleted after sending",
	"Who joined or left", "Councillors not in the group, and what they receive instead", "Information requests and their deadlines",
	"Reports, disputes and data breaches", "On hold: must not be destroyed", "Due to be destroyed", "Gaps in the record", "Policy and housekeeping",
}

// headingsOf returns the headings in a text, in their order; each has something below it.
func headingsOf(t *testing.T, text string) (all []string) {
	t.Helper()
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if i > 3 && l != "" && strings.Trim(l, "-") == "" && len(l) == width(lines[i-1]) {
			all = append(all, lines[i-1])
			if i+2 >= len(lines) || lines[i+2] == "" {
				t.Errorf("nothing stands below %q", lines[i-1])
			}
		}
	}
	return all
}

func TestHeadings(t *testing.T) {
	for name, want := range map[string][]string{
		"digest": headings, "digest-empty": headings, "digest-references": headings, "digest-groups": headings, "digest-daily": headings,
		"digest-meeting": {headings[0], headings[2], headings[5], headings[6], headings[7], headings[8], headings[13], headings[14]},
	} {
		if got := headingsOf(t, goldens(t)[name].text); !slices.Equal(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestDailyDigest(t *testing.T) {
	d := everything(t)
	d.g.Edition = forward.Daily("2026-11-18")
	d.g.LateFrom, d.g.LateBefore = at("2026-11-18 07:00"), at("2026-11-19 07:00")
	golden(t, "digest-daily", d.sent())
}

// beforeMeeting makes d the edition before the meeting of 27 November.
func beforeMeeting(d *digested) {
	d.g.Edition = forward.Edition{Kind: forward.MeetingLetter, Meeting: "2026-11-27", Period: retention.Period{First: "2026-10-18", Last: "2026-11-21"}}
	d.g.LateFrom, d.g.LateBefore = at("2026-10-18 00:00"), at("2026-11-22 07:00")
	d.g.Checkpoint = ""
}

func TestDigestBeforeAMeeting(t *testing.T) {
	d := everything(t)
	beforeMeeting(&d)
	msg := d.sent()
	golden(t, "digest-meeting", msg)
	if !bytes.Equal(msg, d.sent()) {
		t.Error("two attempts differ")
	}
}

// What is the clerk's stays with the clerk, what somebody took back is not sent round, and
// what is to be done is asked of nobody.
func TestWhatCouncillorsAreNotSent(t *testing.T) {
	d := everything(t)
	d.g.Meetings = []Meeting{{On: "2026-11-27", Sent: "2026-11-22", Print: []string{"Cllr Flo Grant"}}}
	for _, content := range []Content{References, Extracts, Full} {
		beforeMeeting(&d)
		d.g.Content = content
		text := strings.Join(strings.Fields(parse(t, d.sent()).text), " ")
		for _, word := range []string{"left his coat", "Cheap logs", "at seven", "no litter pick", "It is mended", "FOI-2026-003", "claim by the contractor",
			"Hold", "muniment", "(muniment", "Please", "attention", "clock", "Duplicates", "list 1", "refused the notice", "print"} {
			if strings.Contains(text, word) {
				t.Errorf("%s: councillors are sent %q", content, word)
			}
		}
		if shown := strings.Contains(text, "The handrail on the footbridge"); shown != (content != References) {
			t.Errorf("%s: what was marked is shown: %v", content, shown)
		}
	}
}

// A page to be printed holds what the email does, for who is not sent it; in large letters too.
func TestDigestOnPaper(t *testing.T) {
	d := everything(t)
	beforeMeeting(&d)
	for name, large := range map[string]bool{"digest-print": false, "digest-print-large": true} {
		err := d.db.Read(t.Context(), func(tx *sqlite.Tx) error {
			page, err := d.w.DigestPage(tx, at("2026-11-22 07:00"), d.g, large)
			if err != nil {
				return err
			}
			file := filepath.Join("testdata", name+".html")
			if *update {
				return os.WriteFile(file, []byte(page), 0o644)
			}
			want, err := os.ReadFile(file)
			if string(want) != page {
				t.Errorf("%s is not what it was; -update writes it anew", file)
			}
			if strings.Contains(page, "18pt !important; line-height") != large {
				t.Errorf("%s: large letters: %v", name, !large)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// The archive is well only if nothing contradicts it, and nothing is unknown.
func TestHealth(t *testing.T) {
	const well = "The archive is well: 1 message this week, no gaps known, the council’s phone was seen yesterday, the last backup was made today, no disposal announced. Nothing needs your attention."
	for _, tt := range []struct {
		name  string
		story func(d *digested)
		want  string
	}{
		{"all is well", func(*digested) {}, well},
		{"the phone was seen today", func(d *digested) { d.g.PhoneSeen = at("2026-11-23 06:59") },
			"The archive is well: 1 message this week, no gaps known, the council’s phone was seen today, the last backup was made today, no disposal announced."},
		{"it was seen three days ago", func(d *digested) { d.g.PhoneSeen = at("2026-11-20 07:00") },
			"The archive is well: 1 message this week, no gaps known, the council’s phone was seen on Friday 20 November 2026, the last backup was made today, no disposal announced."},
		{"it was seen longer ago", func(d *digested) { d.g.PhoneSeen = at("2026-11-20 06:59") },
			"Nothing needs your attention. That the archive is well cannot be said all the same: the council’s phone was last seen on Friday 20 November 2026."},
		{"it was never seen", func(d *digested) { d.g.PhoneSeen = time.Time{} },
			"cannot be said all the same: the council’s phone has not been seen yet. 1 message this week, no gaps known, the council’s phone has not been seen yet"},
		{"something is missing, and nobody can do anything", func(d *digested) {
			d.write(func(tx *sqlite.Tx) error {
				return d.a.MissMessage(tx, at("2026-11-15 10:00"), archive.Missed{Group: cranford, Ref: record.Ref{ID: "X", Sender: bo.Address}, Cause: "no key"})
			})
		}, "cannot be said all the same: something that was sent is missing, or may be. 1 message this week, gaps known, or possible,"},
		{"something is to be destroyed", func(d *digested) { d.lists("2026-11-22 02:30") },
			"the council’s phone was seen yesterday, the last backup was made today, next disposal on 22 December 2026 (1 record). Nothing needs"},
		{"no backups are made", func(d *digested) { d.g.Backups = Backups{} },
			"Nothing needs your attention. That the archive is well cannot be said all the same: no backups are made. 1 message this week"},
		{"there is no backup yet", func(d *digested) { d.g.Backups.Last = time.Time{} },
			"cannot be said all the same: no backup has been made yet."},
		{"the last backup is three days old", func(d *digested) { d.g.Backups.Last = at("2026-11-20 07:00") },
			"The archive is well: 1 message this week, no gaps known, the council’s phone was seen yesterday, the last backup was made on Friday 20 November 2026,"},
		{"the last backup is older", func(d *digested) { d.g.Backups.Last = at("2026-11-20 06:59") },
			"*** One thing needs your attention. It is told below."},
		{"something needs attention", func(d *digested) { d.g.ClockDoubted = true },
			"*** One thing needs your attention. It is told below. 1 message this week, no gaps known,"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDigested(t)
			d.moves(jo, at("2026-11-10 09:00"), record.Present, jo, ann, bo, dee)
			d.says(ann, at("2026-11-17 10:00"), "Good morning.")
			tt.story(&d)
			text := strings.Join(strings.Fields(parse(t, d.sent()).text), " ")
			if !strings.Contains(text, tt.want) {
				t.Errorf("it does not say %q\n%s", tt.want, text)
			}
			if is := strings.Contains(text, "archive is well:"); is != strings.HasPrefix(tt.want, "The archive is well") && tt.name != "something is to be destroyed" {
				t.Errorf("it is well: %v", is)
			}
		})
	}
}

// Each recipient of an email has an outcome of its own, and none is called delivered.
func TestEmailsInDigests(t *testing.T) {
	d := newDigested(t)
	d.moves(jo, at("2026-11-10 09:00"), record.Present, jo, ann, bo, dee)
	for n, states := range [][]mail.State{
		{mail.HandedOver}, {mail.HandedOver, mail.Refused}, {mail.Expired}, {mail.Unknown}, {mail.Queued, mail.HandedOver}, {mail.Sending}, {mail.Cancelled},
	} {
		d.write(func(tx *sqlite.Tx) error {
			it := mail.Item{Kind: "disposal certificate", About: int64(n + 1), MessageID: string(rune('a' + n)), From: "a@cranford-pc.example"}
			for i := range states {
				it.To = append(it.To, string(rune('p'+i))+"@cranford-pc.example")
			}
			id, err := mail.Queue(tx, at("2026-11-18 10:00"), it)
			for i, s := range states {
				if err == nil {
					_, err = tx.Exec("UPDATE recipient SET state = ?, finished_at = ? WHERE email = ? AND address = ?", s, sqlite.FormatTime(at("2026-11-19 10:00")), id, it.To[i])
				}
				if err == nil && s.Open() {
					_, err = tx.Exec("UPDATE recipient SET finished_at = NULL WHERE email = ? AND address = ?", id, it.To[i])
				}
			}
			return err
		})
	}
	text := strings.Join(strings.Fields(parse(t, d.sent()).text), " ")
	for _, want := range []string{
		"Emails refused: The mail server refused the certificate of destruction 2 to q@cranford-pc.example. Please",
		"Emails given up: Tried for days and never handed to the mail server: the certificate of destruction 3. Please",
		"for more than a day: the certificate of destruction 4, the certificate of destruction 5 to p@cranford-pc.example and the certificate of destruction 6. Please",
		"Emails this week: 3 handed to the mail server, 2 waiting, 1 of unknown outcome, to be sent again, 1 refused, 1 given up Backups",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q\n%s", want, text)
		}
	}
	if strings.Contains(text, "delivered") {
		t.Error("it speaks of delivery")
	}
}

// A day's length is drawn to the longest; the number stands beside it.
func TestChart(t *testing.T) {
	c := chart{Caption: "Messages per day", Bars: []bar{{"Monday", 1000}, {"Tuesday", 0}, {"Wednesday", 1}, {"Thursday", 500}}}
	var widths []int
	for _, b := range c.Drawn() {
		widths = append(widths, b.Width)
	}
	if want := []int{160, 0, 2, 80}; !slices.Equal(widths, want) {
		t.Errorf("drawn as %d; want %d", widths, want)
	}
	var b strings.Builder
	c.text(&b)
	if want := "Messages per day: Monday 1,000 · Tuesday 0 · Wednesday 1 · Thursday 500\n"; b.String() != want {
		t.Errorf("%q; want %q", b.String(), want)
	}
}
