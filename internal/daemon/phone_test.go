package daemon_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/daemon"
	"muniment/internal/forward"
	"muniment/internal/journal"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
)

// Nobody uses the council's phone for twelve days. After three it is asked every day, of
// which it takes no notice; after seven, ten and twelve the journal says so, and with it
// status and digest. Then somebody switches it on: it answers, and all is well.
func TestThePhoneIsNotInUse(t *testing.T) {
	var later atomic.Int64 // nanoseconds that WhatsApp's clock is ahead
	w := foundAt(t, standin.Options{Now: func() time.Time { return time.Now().Add(time.Duration(later.Load())) }})
	run := w.watch(new(atomic.Int64))
	defer run.stop()
	w.ann.Says("The office is closed over Christmas.")
	w.must(w.server.WaitSettled(w.soon()))
	w.until("it is connected", func(tx *sqlite.Tx) (bool, error) {
		gaps, err := archive.Gaps(tx)
		return err == nil && !slices.ContainsFunc(gaps, func(g archive.Gap) bool { return g.Closed.IsZero() }), err
	})

	requests := func() (n int) {
		for _, e := range w.server.Journal() {
			q := e.Peer.GetProtocolMessage().GetPeerDataOperationRequestMessage().GetHistorySyncOnDemandRequest()
			if q.GetOnDemandMsgCount() == 1 {
				n++
			}
		}
		return n
	}
	// Until now the clock of this machine was a month ahead.
	ahead := time.Now().AddDate(0, 1, 0)
	w.archive(func(db *sqlite.DB) error {
		return db.Write(t.Context(), func(tx *sqlite.Tx) error { return archive.SawPhone(tx, ahead, ahead) })
	})
	for day := range 13 {
		run.ahead.Store(int64(time.Duration(day) * 24 * time.Hour))
		for range 2 {
			w.must(run.WatchPhone(t.Context()))
		}
		asked := max(0, day-2)
		if n := requests(); n != asked {
			t.Errorf("after %d days the phone has been asked %d times, want %d", day, n, asked)
		}
	}
	if told := w.phoneTold(); !slices.Equal(told, []string{"unseen 7", "unseen 10", "unseen 12"}) {
		t.Errorf("journaled %q", told)
	}
	missed := func(tx *sqlite.Tx) (bool, error) {
		now := time.Now().Add(12 * 24 * time.Hour)
		g, err := daemon.DigestOf(tx, w.options().Config, "test", now, forward.Weekly(retention.WeekOf(retention.DateOf(now))))
		return !g.PhoneMissed.IsZero(), err
	}
	w.until("the digest tells", missed)

	w.server.AnswersHistory(true)
	run.ahead.Store(int64(13 * 24 * time.Hour))
	later.Store(int64(13 * 24 * time.Hour))
	w.must(run.WatchPhone(t.Context()))
	w.until("the phone is seen", func(tx *sqlite.Tx) (bool, error) {
		is, err := missed(tx)
		return !is, err
	})
	if told := w.phoneTold(); len(told) != 4 || told[3] != "back" {
		t.Errorf("journaled %q", told)
	}
	run.stop()
	w.verifies()
	w.onlyReceives()
}

// until waits until is says so of the archive.
func (w *town) until(what string, is func(*sqlite.Tx) (bool, error)) {
	w.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		done := false
		w.read(func(tx *sqlite.Tx) (err error) { done, err = is(tx); return err })
		if done {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// phoneTold is what the journal says of the council's phone.
func (w *town) phoneTold() (told []string) {
	w.t.Helper()
	w.read(func(tx *sqlite.Tx) error {
		return journal.Each(tx, func(e journal.Entry) error {
			switch e.Act {
			case journal.PhoneUnseen:
				told = append(told, fmt.Sprint("unseen ", e.About.Number("days")))
			case journal.PhoneBack:
				told = append(told, "back")
			}
			return nil
		})
	})
	return told
}

// An outage, then a refusal, then the link: each stretch is a gap with its own cause, and
// between them is neither a hole nor an overlap.
func TestEachStretchHasItsCause(t *testing.T) {
	breaksConnections(t)
	w := found(t)
	stop := w.run()
	w.ann.Says("Good morning.")
	w.must(w.server.WaitSettled(w.soon()))
	w.server.Refuse(418)
	w.server.Drop()
	var gaps []archive.Gap
	w.until("it is refused", func(tx *sqlite.Tx) (is bool, err error) {
		gaps, err = archive.Gaps(tx)
		return len(gaps) > 0 && strings.Contains(gaps[0].Cause, "reason 418"), err
	})
	stop()
	if len(gaps) != 2 {
		t.Fatalf("%+v", gaps)
	}
	refused, outage := gaps[0], gaps[1]
	if !refused.Closed.IsZero() || !outage.Closed.Equal(refused.Opened) || !outage.Closed.After(outage.Opened) ||
		!strings.Contains(outage.Cause, "interrupted") {
		t.Errorf("%+v, then %+v", outage, refused)
	}
	w.verifies()
}
