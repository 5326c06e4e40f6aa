package daemon_test

import (
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/archive"
	"muniment/internal/daemon"
	"muniment/internal/people"
	"muniment/internal/retention"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
)

// told is what the capture statement says of a time, and of each gap in it, without
// times and sums, which differ from run to run.
func (w watch) told(from time.Time) string {
	w.t.Helper()
	at := time.Now().Add(time.Duration(w.ahead.Load()))
	var b strings.Builder
	w.read(func(tx *sqlite.Tx) error {
		names, err := people.LoadNames(tx)
		if err != nil {
			return err
		}
		s, err := archive.StatementOn(tx, []string{w.official.JID().String()}, retention.DateOf(from), retention.DateOf(at), at, at)
		teller := saying.Teller{Names: names}
		b.WriteString(teller.Verdict(s) + "\n")
		for _, line := range teller.Statement(s) {
			b.WriteString("- " + line + "\n")
		}
		for _, g := range s.Gaps {
			if g.Kind != archive.NotConnected {
				b.WriteString("* " + teller.Gap(g).Text() + "\n")
			}
		}
		return err
	})
	said := b.String()
	for _, r := range []struct{ what, as string }{
		{`[A-Z][a-z]+day \d+ [A-Z][a-z]+ \d{4} at \d\d:\d\d( [A-Z]{3})?( to \d\d:\d\d( [A-Z]{3})?)?`, "WHEN"},
		{`On WHEN, for [^,]*,`, "From WHEN"}, // it was over within the minute
		{`From WHEN to WHEN`, "From WHEN"},   // or not within the hour
		{`(\d+ (hour|minute|second)s? ?)+|a second`, "SO LONG "},
		{`SO LONG  ?`, "SO LONG "}, {`SO LONG ([.;,])`, "SO LONG$1"},
		{`Received: \d+ = \d+ captured \+ \d+ duplicate \+ \d+ not of the group`, "Received: N = N captured + N duplicate + N not of the group"},
		{`(Once|Twice|\d+ times), for SO LONG( in all)?, this system was not connected`, "At times this system was not connected"},
	} {
		said = regexp.MustCompile(r.what).ReplaceAllString(said, r.as)
	}
	return said
}

// A day on which a message cannot be read, another never comes, the connection breaks, the
// link is lost, and the phone supplies what it can: the statement says what became of all
// that, before and after.
func TestTheCaptureStatementOfABadDay(t *testing.T) {
	breaksConnections(t)
	w := found(t)
	began := time.Now()
	d := w.watch(new(atomic.Int64))
	w.ann.Says("All is well.")
	w.must(w.server.WaitSettled(w.soon()))
	if got := d.told(began); !strings.HasPrefix(got, "So far, as far as is known, nothing that was sent in this period since the record began is missing.\n") {
		t.Errorf("of a good day it says\n%s", got)
	}
	unread := w.ann.Unhearing().Garbled().Says("Nobody can read this.")
	hole := w.bo.Missed().Says("Nobody was given this.")
	w.ann.Reacts(hole, "👍")
	quoted := w.bo.Missed().Says("Somebody quotes this.")
	w.ann.Replies(quoted, "So I heard.")
	w.must(w.server.WaitSettled(w.soon()))
	w.server.Down()
	w.must(w.server.WaitOffline(w.soon()))
	w.server.Up()
	w.must(w.server.WaitOnline(w.soon()))
	w.ann.Says("Here again.")
	d.looks(10 * time.Minute)
	d.looks(time.Minute)
	d.looks(time.Minute)
	const wire = "At times this system was not connected to WhatsApp. WhatsApp kept what was sent, and handed it over afterwards."
	want := `1 message is known to be missing. 2 messages are missing of which it is not known when they were sent, perhaps in this period.
- The record begins on WHEN.
- ` + wire + `
- 1 message could not be read when it arrived. It is missing, sent on WHEN. The council’s own phone has been asked for it once and will be asked again.
- 2 messages that others answer or change did not come. They are missing; when they were sent is not known, perhaps not in this period. The council’s own phone has been asked for them, at most once each, and will be asked again.
- Received: N = N captured + N duplicate + N not of the group + 1 failed.
- The period is not over. This is what is known so far, on WHEN.
* A message from Cllr Ann Brook, sent on WHEN, could not be read when it arrived. It is missing. The council’s own phone has been asked for it once, and will be asked again.
* A message from Cllr Bo Carter that record 4 answers or changes did not come. It is missing. The council’s own phone has been asked for it once, and will be asked again.
* A message from Cllr Bo Carter that record 3 answers or changes did not come. It is missing. The council’s own phone has been asked for it once, and will be asked again.
`
	if diff := cmp.Diff(want, d.told(began)); diff != "" {
		t.Errorf("on the day (-want +got)\n%s", diff)
	}

	w.phone.Supplies(hole)
	w.must(w.server.WaitSettled(w.soon()))
	w.phone.Unlinks()
	w.must(w.server.WaitOffline(w.soon()))
	d.stop()
	w.ann.At(time.Now().Add(time.Duration(d.ahead.Load()) + 30*time.Minute)).Says("While nobody was linked.")
	d.ahead.Add(int64(time.Hour))
	link, err := daemon.OpenLink(t.Context(), w.options())
	w.must(err)
	w.must(link.Pair(t.Context(), w.scanned()))
	w.must(link.Close())
	d = w.watch(d.ahead)
	defer func() { d.stop() }()
	w.must(w.server.WaitSettled(w.soon()))
	unread.Resend()
	w.must(w.server.WaitSettled(w.soon()))
	w.taken(len(w.phone.OffersHistory(1)))
	want = `1 hour is known to be missing.
- The record begins on WHEN.
- ` + wire + `
- Once, for SO LONG, this system was not linked to WhatsApp. What was sent then is missing. The council’s own phone supplied 1 record of it later; whether that is all is not known.
- 1 message could not be read when it arrived. It came later.
- 2 messages that others answer or change did not come. They came later, from the council’s own phone.
- 3 records of this period were supplied later by the council’s own phone.
- Received: N = N captured + N duplicate + N not of the group + 1 failed.
- The period is not over. This is what is known so far, on WHEN.
* A message, sent on WHEN, could not be read when it arrived. It came later.
* A message that record 4 answers or changes did not come. The council’s own phone supplied it later.
* A message that record 3 answers or changes did not come. The council’s own phone supplied it later.
* From WHEN this system was not linked to WhatsApp. What was sent then is missing. The council’s own phone supplied 1 record of it later; whether that is all is not known.
`
	if diff := cmp.Diff(want, strings.Replace(d.told(began), "SO LONG is known", "1 hour is known", 1)); diff != "" {
		t.Errorf("in the end (-want +got)\n%s", diff)
	}
	d.stop()
	w.accounted()
	w.verifies()
}
