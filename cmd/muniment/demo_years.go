package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/disposal"
	"muniment/internal/journal"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// The nights of the story: lists are drawn up on Mondays, of what falls due within thirty
// days, six years and a day after it was said.
const (
	noticeNight    = retention.Date("2032-07-05")
	thirdDayListed = retention.Date("2032-07-12")
	requestDay     = retention.Date("2032-07-14")
	firstDayDue    = retention.Date("2032-08-04")
	weekDue        = retention.Date("2032-08-11")
	listedAnew     = retention.Date("2032-08-16")
	dueAnew        = retention.Date("2032-09-15")
)

func (s *stage) sixYears(ctx context.Context, n narrator) error {
	n.scene("Six years pass")
	n.says("Every Monday the daemon lists what falls due within thirty days. The demonstration steps " +
		"the clock from night to night; each night's work is really done. Only the digests are left out from here on.")
	n.says("")
	if err := s.nights(ctx, noticeNight, func(day retention.Date) error {
		if strings.HasSuffix(string(day), "-01-01") {
			n.line("  %s: nothing is due", day.Long())
		}
		return nil
	}); err != nil {
		return err
	}
	n.line("  %s: the first day's messages will be due in thirty days.", noticeNight.Long())
	n.says("")
	n.says("The clerk gets notice:")
	if err := s.showMail(ctx, n); err != nil {
		return err
	}
	return s.nights(ctx, thirdDayListed, s.delivering(ctx))
}

// delivering has what each night owes delivered.
func (s *stage) delivering(ctx context.Context) func(retention.Date) error {
	return func(retention.Date) error { return s.deliver(ctx) }
}

// What is asked for in the story.
const (
	requestQuery  = "handrail OR footbridge"
	requestCase   = "FOI-2032-003"
	requestReason = "request " + requestCase
	releaseReason = "request answered, nothing more asked"
	clerkName     = "Jo Marsh"
)

func (s *stage) request(ctx context.Context, n narrator) error {
	n.scene("Somebody asks")
	n.line("  %s: the third day's messages have had their notice too.", thirdDayListed.Long())
	if err := s.nights(ctx, requestDay, nil); err != nil {
		return err
	}
	s.clock.set(s.day.Start().Add(10 * time.Hour))
	n.line("  %s: a resident who fell there asks, under freedom of", s.day.Long())
	n.line("  information, for all that the council has about the footbridge.")
	n.says("")
	n.says("What has been asked for must not be destroyed. Jo has the sysadmin search for it:")
	n.says("")
	n.line("  $ muniment search '%s' \\", requestQuery)
	n.line("      --for %q --reason %q", clerkName, requestReason)
	n.says("")
	if err := s.open(ctx, func(db *sqlite.DB) error { return s.search(ctx, n, db) }); err != nil {
		return err
	}
	n.says("")
	n.says("Every version is there: what Gus wrote first, what he made of it, and what he deleted. " +
		"Jo has all of it put on hold:")
	n.says("")
	n.line("  $ muniment hold place --search '%s' \\", requestQuery)
	n.line("      --kind foi --case %s \\", requestCase)
	n.line("      --for %q --reason %q", clerkName, requestReason)
	n.says("")
	return s.open(ctx, func(db *sqlite.DB) error { return s.hold(ctx, n, db) })
}

// search does what `muniment search` does, at the time of the story.
func (s *stage) search(ctx context.Context, n narrator, db *sqlite.DB) error {
	q, err := parseQuery(requestQuery)
	if err != nil {
		return err
	}
	var found findings
	if err := db.Write(ctx, func(tx *sqlite.Tx) (err error) {
		if found, err = find(tx, s.config, q, 50, true); err != nil {
			return err
		}
		return journal.Write(tx, journal.Entry{At: s.clock.Now(), Who: clerkName, Act: journal.Searched, Reason: requestReason,
			About: journal.About{"query": requestQuery, "found": len(found.records), "more": found.more}})
	}); err != nil {
		return err
	}
	const margin = "  "
	var b bytes.Buffer
	table := screen{width: terminalColumns - len(margin)}
	widths := []int{len("RECORD"), len("5 Aug 2026 17:02"), len("Cllr Dee Evans")}
	if err := table.row(&b, widths, "RECORD", "SENT", "BY", "FOUND"); err != nil {
		return err
	}
	for _, f := range found.records {
		if err := table.row(&b, widths, fmt.Sprint(f.Seq), shortMoment(f.sent), f.by(), f.says()); err != nil {
			return err
		}
	}
	for line := range strings.Lines(b.String()) {
		n.line("%s%s", margin, strings.TrimSuffix(line, "\n"))
	}
	return nil
}

// hold does what `muniment hold place --search` does, at the time of the story.
func (s *stage) hold(ctx context.Context, n narrator, db *sqlite.DB) error {
	now := s.clock.Now()
	what := cover{search: requestQuery, flag: func(name string) bool { return name == "search" }}
	review, err := reviewDate("", retention.DateOf(now))
	if err != nil {
		return err
	}
	var placed []heldNow
	if err := db.Write(ctx, func(tx *sqlite.Tx) error {
		covered, err := what.find(tx, nil)
		if err != nil {
			return err
		}
		id, err := archive.Place(tx, now, clerkName,
			archive.Hold{Kind: archive.FOI, Case: requestCase, Reason: requestReason, Review: review, Cover: covered})
		if err != nil {
			return err
		}
		placed, err = holdsNow(tx, func(h archive.Hold) bool { return h.ID == id })
		return err
	}); err != nil {
		return err
	}
	for line := range strings.Lines(placed[0].told(retention.DateOf(now))) {
		n.lines("  ", line)
	}
	return nil
}

func (s *stage) dayComes(ctx context.Context, n narrator) error {
	n.scene("The day comes")
	n.says("Nobody has to do anything: the council approved in advance, by its minute. Each list goes on its own day.")
	n.says("")
	if err := s.nights(ctx, weekDue.AddDays(-1), func(day retention.Date) error {
		if day == firstDayDue {
			n.line("  %s: what was said on the first day is destroyed.", day.Long())
		}
		return s.deliver(ctx)
	}); err != nil {
		return err
	}
	if err := s.nights(ctx, weekDue, nil); err != nil {
		return err
	}
	n.lines("  ", weekDue.Long()+": of the days after it, what is on hold stays. The rest goes.")
	n.says("")
	n.says("The clerk gets a certificate of each run. It is long, because it is evidence: years later it must show by itself " +
		"what was destroyed, on whose authority, how, and how that was checked. This is that of the days after the first:")
	return s.showMail(ctx, n)
}

func (s *stage) release(ctx context.Context, n narrator) error {
	n.scene("The hold is released")
	s.clock.set(s.day.Start().Add(11 * time.Hour))
	n.says("The request is answered, and the resident asks for nothing more. Jo releases the hold:")
	n.says("")
	n.line("  $ muniment hold release 1 \\")
	n.line("      --for %q --reason %q", clerkName, releaseReason)
	n.says("")
	var holds []archive.Hold
	if err := s.open(ctx, func(db *sqlite.DB) error {
		return db.Write(ctx, func(tx *sqlite.Tx) (err error) {
			if err := archive.ReleaseHold(tx, s.clock.Now(), 1, clerkName, releaseReason); err != nil {
				return err
			}
			holds, err = archive.Holds(tx)
			return err
		})
	}); err != nil {
		return err
	}
	n.lines("  ", "Hold 1 is released.")
	n.lines("  ", stillHeld(holds))
	if err := s.nights(ctx, listedAnew, nil); err != nil {
		return err
	}
	letters, err := s.delivered(ctx)
	if err != nil {
		return err
	}
	if len(letters) != 1 {
		return fmt.Errorf("%d emails have arrived, not one", len(letters))
	}
	n.says("")
	n.says("On the next Monday there is another list, and another notice: what was on hold is never destroyed under an old one.")
	n.says("")
	n.quotes("Subject: " + letters[0].subject)
	if err := s.nights(ctx, dueAnew.AddDays(-1), s.delivering(ctx)); err != nil {
		return err
	}
	if err := s.nights(ctx, dueAnew, nil); err != nil {
		return err
	}
	n.says("")
	n.lines("  ", dueAnew.Long()+": what was said about the footbridge is destroyed, with photo and report.")
	n.says("")
	n.says("What was emailed of it lies in the council's mailbox, beyond the program's reach. So the certificate names it, for somebody to delete:")
	if letters, err = s.delivered(ctx); err != nil {
		return err
	}
	at := slices.IndexFunc(letters, func(l email) bool { return strings.Contains(l.subject, "ertificate of destruction") })
	if at < 0 {
		return errors.New("there is no certificate")
	}
	return n.shows(letters[at], "Emailed copies to delete by hand")
}

func (s *stage) farewell(ctx context.Context, n narrator) error {
	n.scene("Nothing is left, and everything still verifies")
	files, err := absent(s.dir, append(slices.Clone(firstDayWords), ringersSecret, directSecret, binsWords, notHereWords)...)
	if err != nil {
		return err
	}
	photo, report := s.bridge.photo.Upload(), s.bridge.report.Upload()
	kept, err := absent(s.config.StateDirectory, railWords, looseWords, looserWords, scarfWords, sharpWords, reportName,
		string(photo.MediaKey), string(report.MediaKey), fmt.Sprintf("%x", photo.FileEncSHA256), fmt.Sprintf("%x", report.FileEncSHA256))
	if err != nil {
		return err
	}
	n.says("All %d files of the demonstration were searched once more for the words of the first day "+
		"and of the private messages, and the %d of the archive for those about the footbridge, and for its photo and report. There is nothing.", files, kept)
	n.says("")
	if err := s.end(); err != nil {
		return err
	}
	if err := s.verify(ctx, n); err != nil {
		return err
	}
	if err := s.open(ctx, func(db *sqlite.DB) error { return s.saveCertificates(ctx, db) }); err != nil {
		return err
	}
	program := "muniment"
	if strings.Contains(os.Args[0], "go-build") {
		program = "go run ./cmd/muniment"
	}
	n.says("")
	n.says("What is left was said in September and October 2026. It falls due from now on, week by week, and the clerk " +
		"has the first notices already.")
	n.says("")
	n.line("The emails       %s", filepath.Join(s.post.Dir(), "*.eml"))
	n.line("The archive      %s", s.config.StateDirectory)
	n.line("The certificates %s", filepath.Join(s.dir, fmt.Sprintf(demoCertificate, "*")))
	n.says("")
	n.says("Try next:")
	n.says("")
	for _, command := range []string{"records", "search pothole", "digest --print --week 2026-10-04",
		"gaps", "hold list", "disposal list", "status", "verify"} {
		n.line("  %s %s --config %s", program, command, s.config.File)
	}
	n.says("")
	n.says("Nothing of this was real. The README says how to begin in earnest.")
	return nil
}

// saveCertificates writes every certificate to a file of its own.
func (s *stage) saveCertificates(ctx context.Context, db *sqlite.DB) error {
	return db.Read(ctx, func(tx *sqlite.Tx) error {
		for number := int64(1); ; number++ {
			c, err := disposal.LoadCertificate(tx, number)
			if errors.Is(err, disposal.ErrNoCertificate) {
				return nil
			} else if err != nil {
				return err
			}
			var b bytes.Buffer
			if err := printCertificate(&b, c); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(s.dir, fmt.Sprintf(demoCertificate, number)), b.Bytes(), 0o600); err != nil {
				return err
			}
		}
	})
}
