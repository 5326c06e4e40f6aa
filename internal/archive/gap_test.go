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
