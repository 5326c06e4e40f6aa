package archive

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// misses notes that a message was delivered that could not be read.
func (o *office) misses(by record.Address, id string) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) error {
		return o.archive.MissMessage(tx, o.now, Missed{Group: official, Ref: record.Ref{ID: id, Sender: by}, Sent: o.now, Cause: "it could not be decrypted"})
	})
}

// theGaps returns all gaps, the first first.
func (o *office) theGaps() (gaps []Gap) {
	o.Helper()
	o.write(func(tx *sqlite.Tx) (err error) { gaps, err = Gaps(tx); return err })
	for i, j := 0, len(gaps)-1; i < j; i, j = i+1, j-1 {
		gaps[i], gaps[j] = gaps[j], gaps[i]
	}
	return gaps
}

// expectNothingToAsk checks that of messages that nobody asks for any more, it is not
// kept which they were.
func (o *office) expectNothingToAsk() {
	o.Helper()
	if n := o.number("SELECT count(*) FROM gap WHERE ask_at IS NULL AND message_id || sender <> ''"); n != 0 {
		o.Errorf("of %d messages that nobody asks for it is kept which they are", n)
	}
}

func TestHowAMissingMessageEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		then func(o *office)
		want Ending
	}{
		{"it is sent again", func(o *office) { o.captures(says(ann, "A1", "x")) }, ""},
		{"the council's phone supplies it", func(o *office) {
			r := says(ann, "A1", "x")
			r.Supplied = true
			o.captures(r)
		}, FromPhone},
		{"the council's phone says that it is from before the record", func(o *office) {
			o.write(func(tx *sqlite.Tx) error {
				return o.archive.EndGap(tx, o.now, official, record.Ref{ID: "A1", Sender: ann}, Earlier)
			})
		}, Earlier},
		{"it was a reaction", func(o *office) { o.captures(reacts(ann, "A1", "👍", bo, "B1")) }, ""},
		{"it comes from the sender's other address", func(o *office) {
			o.captures(says(record.Address{JID: "447700900101@s.whatsapp.net", Alt: ann.JID}, "A1", "x"))
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			o.misses(ann, "A1")
			o.captures(says(bo, "A1", "another's, of that ID"))
			if g := o.theGaps()[0]; !g.Closed.IsZero() || !g.Asking {
				t.Fatalf("before: %+v", g)
			}
			tt.then(o)
			g := o.theGaps()[0]
			want := Gap{ID: 1, Kind: NotDecrypted, Group: official, Opened: monday, Cause: "it could not be decrypted", Sent: monday, Closed: o.now, Ending: tt.want}
			if diff := cmp.Diff(want, g, cmpopts.EquateApproxTime(0)); diff != "" {
				t.Errorf("the gap (-want +got)\n%s", diff)
			}
			o.expectNothingToAsk()
			o.misses(ann, "A1")
			if n := len(o.theGaps()); n != 1 {
				t.Errorf("it is missing again: %d gaps", n)
			}
		})
	}
}

// The clock is set back while a gap is open: it ends when it began, and not before.
func TestTheClockIsSetBackDuringAGap(t *testing.T) {
	o := newOffice(t)
	o.write(func(tx *sqlite.Tx) error { return OpenGap(tx, o.now, o.now, NotConnected, "network down") })
	o.write(func(tx *sqlite.Tx) error { return CloseGap(tx, o.now.Add(-24*time.Hour)) })
	if g := o.theGaps()[0]; !g.Closed.Equal(g.Opened) {
		t.Errorf("closed at %v; opened at %v", g.Closed, g.Opened)
	}
}

// An absence has one cause after the other; each is a gap, and they leave no time out.
func TestAnAbsenceOfSeveralCauses(t *testing.T) {
	o := newOffice(t)
	open := func(after time.Duration, kind GapKind, cause string) {
		o.now = monday.Add(after)
		o.write(func(tx *sqlite.Tx) error { return OpenGap(tx, o.now, o.now, kind, cause) })
	}
	open(0, NotConnected, "The connection was interrupted.")
	open(time.Hour, NotConnected, "The connection was interrupted.")
	open(2*time.Hour, NotConnected, "muniment was not running")
	o.now = monday.Add(3 * time.Hour)
	o.write(func(tx *sqlite.Tx) error { return CloseGap(tx, o.now) })
	at := func(h int) time.Time { return monday.Add(time.Duration(h) * time.Hour) }
	want := []Gap{
		{ID: 1, Kind: NotConnected, Opened: at(0), Closed: at(2), Cause: "The connection was interrupted."},
		{ID: 2, Kind: NotConnected, Opened: at(2), Closed: at(3), Cause: "muniment was not running"},
	}
	if diff := cmp.Diff(want, o.theGaps()); diff != "" {
		t.Errorf("gaps (-want +got)\n%s", diff)
	}
	o.expectSound()
}

// This machine was not connected for days, and when it is again it learns that it was
// unlinked: what WhatsApp had kept for it went with the link. So all is missing since it
// was last connected, not only since it learnt that.
func TestWhatWasKeptForUsGoesWithTheLink(t *testing.T) {
	at := func(days int) time.Time { return monday.AddDate(0, 0, days) }
	for _, tt := range []struct {
		name   string
		before func(o *office)
		since  time.Time
	}{
		{"connected until then", func(o *office) {}, at(9)},
		{"not connected", func(o *office) {
			o.write(func(tx *sqlite.Tx) error { return OpenGap(tx, at(2), at(1), NotConnected, "muniment was not running") })
		}, at(1)},
		{"for several reasons", func(o *office) {
			o.write(func(tx *sqlite.Tx) error {
				return OpenGap(tx, at(1), at(1), NotConnected, "The connection was interrupted.")
			})
			o.write(func(tx *sqlite.Tx) error { return OpenGap(tx, at(5), at(4), NotConnected, "muniment was not running") })
		}, at(1)},
		{"connected in between", func(o *office) {
			o.write(func(tx *sqlite.Tx) error {
				return OpenGap(tx, at(1), at(1), NotConnected, "The connection was interrupted.")
			})
			o.write(func(tx *sqlite.Tx) error { return CloseGap(tx, at(2)) })
			o.write(func(tx *sqlite.Tx) error { return OpenGap(tx, at(5), at(4), NotConnected, "muniment was not running") })
		}, at(4)},
		{"and the clock was set back", func(o *office) {
			o.write(func(tx *sqlite.Tx) error {
				return OpenGap(tx, at(20), at(20), NotConnected, "The connection was interrupted.")
			})
		}, at(9)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			tt.before(o)
			o.write(func(tx *sqlite.Tx) error { return OpenGap(tx, at(9), at(9), NotLinked, "The link was lost.") })
			o.write(func(tx *sqlite.Tx) error {
				return OpenGap(tx, at(11), at(10), NotConnected, "muniment was not running")
			})
			o.write(func(tx *sqlite.Tx) error { return CloseGap(tx, at(12)) })
			gaps := o.theGaps()
			g := gaps[len(gaps)-1]
			if g.Kind != NotLinked || !g.Opened.Equal(tt.since) || !g.Closed.Equal(at(12)) {
				t.Errorf("the last gap: %+v; want one without a link, since %v", g, tt.since)
			}
			o.expectSound()
		})
	}
}

// Without a link nobody can be asked, perhaps never again. Who sent what could not be read is
// not kept for that.
func TestNobodyAsksForEver(t *testing.T) {
	o, n := newOffice(t), names{}
	o.misses(ann, "A1")
	o.misses(ann, "A2")
	n.captures(o, quotes(bo, "B1", "I agree", ann, "A2", "so she said"))
	ends := func() {
		t.Helper()
		o.write(func(tx *sqlite.Tx) error { return o.archive.EndAsking(tx, o.now) })
	}
	o.now = o.now.Add(askFor - time.Hour)
	o.misses(bo, "B9")
	ends()
	if n := o.number("SELECT count(*) FROM gap WHERE ask_at IS NOT NULL"); n != 3 {
		t.Errorf("before their time is over %d are asked for", n)
	}
	o.now = o.now.Add(2 * time.Hour)
	ends()
	o.expectNothingToAsk()
	gaps := o.theGaps()
	if gaps[0].Asking || !gaps[0].Closed.IsZero() || gaps[1].Ending != Quoted || !gaps[2].Asking {
		t.Errorf("gaps: %+v", gaps)
	}
	if n := o.number("SELECT count(*) FROM gap WHERE message_id || sender <> ''"); n != 1 {
		t.Errorf("of %d messages it is kept which they are", n)
	}
}

// With the only record that names a message goes which message that is.
func TestANamedMessageIsForgottenWithWhatNamesIt(t *testing.T) {
	o, n := newOffice(t), names{}
	seq := n.captures(o, reacts(bo, "B1", "👍", ann, "X"))
	o.now = o.now.AddDate(7, 0, 0) // the daemon was off
	o.findsHoles(n, 100)
	if g := o.theGaps()[0]; !g.Asking {
		t.Fatalf("the gap: %+v", g)
	}
	o.destroys(seq)
	if g := o.theGaps()[0]; g.Asking || g.Sender != "" || !g.Closed.IsZero() {
		t.Errorf("the gap: %+v", g)
	}
	o.expectNothingToAsk()
}
