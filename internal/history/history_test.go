package history_test

import (
	"path/filepath"
	"testing"
	"time"

	"muniment/internal/history"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
)

var begins = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// A store is an archive's database, and a clock.
type store struct {
	t   *testing.T
	db  *sqlite.DB
	now time.Time
}

func newStore(t *testing.T) *store {
	t.Helper()
	db, err := sqlitetest.Create(t.Context(), filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &store{t, db, begins}
}

func (s *store) do(f func(tx *sqlite.Tx) error) {
	s.t.Helper()
	if err := s.db.Write(s.t.Context(), f); err != nil {
		s.t.Fatal(err)
	}
}

func (s *store) offer(n history.Notice) (p history.Piece) {
	s.t.Helper()
	s.do(func(tx *sqlite.Tx) (err error) {
		p, err = history.Offer(tx, s.now, n)
		return err
	})
	return p
}

func (s *store) next() (p history.Piece, is bool) {
	s.t.Helper()
	s.do(func(tx *sqlite.Tx) (err error) {
		p, is, err = history.Next(tx, s.now)
		return err
	})
	return p, is
}

func recent(id string) history.Notice {
	return history.Notice{ID: id, Kind: "RECENT", Chunk: 1, File: record.File{Path: "/v/" + id, Key: []byte("key"), Size: 5}}
}

func TestPieces(t *testing.T) {
	s := newStore(t)
	first := s.offer(recent("A"))
	s.now = s.now.Add(time.Second)
	second := s.offer(recent("B"))
	if again := s.offer(recent("A")); again.Number != first.Number || !again.OfferedAt.Equal(begins) {
		t.Errorf("offered twice: %+v", again)
	}
	if p, is := s.next(); !is || p.Number != first.Number || p.State != history.Offered || p.File.Path != "/v/A" || p.File.Type != record.History {
		t.Errorf("next: %+v", p)
	}
	// It fails, and does not hold up the other.
	s.do(func(tx *sqlite.Tx) error { return history.PutOff(tx, first.Number, s.now.Add(time.Minute)) })
	if p, is := s.next(); !is || p.Number != second.Number {
		t.Errorf("next: %+v", p)
	}
	s.do(func(tx *sqlite.Tx) error { return history.Reconnected(tx, s.now) })
	if p, _ := s.next(); p.Number != first.Number || p.Attempts != 1 {
		t.Errorf("after a reconnection: %+v", p)
	}

	// Of what is interrupted, nothing is counted twice.
	s.do(func(tx *sqlite.Tx) error { return history.Took(tx, first.Number, 100) })
	s.do(func(tx *sqlite.Tx) error { return history.Took(tx, first.Number, 20) }) // the second time
	var c history.Count
	s.do(func(tx *sqlite.Tx) (err error) {
		c, err = history.HasRead(tx, first.Number, history.Count{New: 20, Known: 130, Early: 1, Due: 2, Unread: 3})
		return err
	})
	if want := (history.Count{New: 120, Known: 30, Early: 1, Due: 2, Unread: 3}); c != want || c.Seen() != 156 {
		t.Errorf("counted %+v, not %+v", c, want)
	}
	if p, _ := s.next(); p.Number != first.Number || p.State != history.Read || p.Count != c {
		t.Errorf("read: %+v", p)
	}
	s.do(func(tx *sqlite.Tx) error { return history.Finish(tx, s.now, first.Number) })
	s.do(func(tx *sqlite.Tx) error { return history.Lose(tx, s.now, second.Number, "gone") })
	if p, is := s.next(); is {
		t.Errorf("next: %+v", p)
	}
	s.do(func(tx *sqlite.Tx) error {
		all, err := history.Pieces(tx)
		for _, p := range all {
			if p.File.Path != "" || len(p.File.Key) > 0 || p.Finished.IsZero() {
				t.Errorf("in the end: %+v", p)
			}
		}
		return err
	})
}

func TestWhatIsNotFetched(t *testing.T) {
	s := newStore(t)
	for _, kind := range []string{"PUSH_NAME", "INITIAL_STATUS_V3", "NON_BLOCKING_DATA", "NO_HISTORY"} {
		n := recent(kind)
		n.Kind = kind
		if p := s.offer(n); p.State != history.Read {
			t.Errorf("%s: %+v", kind, p)
		}
	}
	n := recent("inline")
	n.Inline = []byte("what others said")
	if p := s.offer(n); p.State != history.Inline || p.Notice.Inline != nil {
		t.Errorf("inline: %+v", p)
	}
	// The phone has uploaded it once more.
	s.offer(recent("before"))
	again := recent("again")
	again.Replaces = "before"
	s.offer(again)
	if p := s.offer(recent("before")); p.State != history.Done || p.File.Path != "" {
		t.Errorf("replaced: %+v", p)
	}
}

const village = "1@g.us"

// asks returns what the phone is asked for now.
func (s *store) asks(first history.Anchor) (q history.Request, is bool, ended []history.Request) {
	s.t.Helper()
	s.do(func(tx *sqlite.Tx) (err error) {
		q, is, ended, err = history.NextRequest(tx, s.now, func(string, time.Time) (history.Anchor, bool, error) {
			return first, first.ID != "", nil
		})
		return err
	})
	return q, is, ended
}

func (s *store) answered(oldest history.Anchor) (ended history.Request, is bool) {
	s.t.Helper()
	s.do(func(tx *sqlite.Tx) (err error) {
		all := map[string]history.Anchor{village: oldest}
		if oldest.ID == "" {
			all = nil
		}
		ended, is, err = history.Answered(tx, s.now, all)
		return err
	})
	return ended, is
}

// planned is a gap of three hours, of which the last message was sent an hour before it ended.
func planned(t *testing.T) *store {
	s := newStore(t)
	s.do(func(tx *sqlite.Tx) error {
		return history.Plan(tx, s.now, 1, village, begins.Add(-4*time.Hour), begins.Add(-time.Hour))
	})
	return s
}

func at(id string, ago time.Duration) history.Anchor {
	return history.Anchor{ID: id, Sent: begins.Add(-ago)}
}

// The phone is asked again and again, from where its answer ended, until the gap is behind.
func TestARequestGoesOn(t *testing.T) {
	s := planned(t)
	if _, is, _ := s.asks(history.Anchor{}); is {
		t.Error("asked before there is a message to ask before")
	}
	first := at("A", 30*time.Minute)
	q, is, _ := s.asks(first)
	if !is || q.Before != first || q.Group != village || q.Gap != 1 || q.Asked != 1 {
		t.Fatalf("%+v", q)
	}
	if _, is, _ := s.asks(first); is {
		t.Error("asked twice at once")
	}
	if e, is := s.answered(at("B", 2*time.Hour)); is {
		t.Errorf("ended: %+v", e)
	}
	if _, is, _ := s.asks(first); is {
		t.Error("asked again within the minute")
	}
	s.now = s.now.Add(time.Minute)
	if q, is, _ = s.asks(first); !is || q.Before != at("B", 2*time.Hour) {
		t.Fatalf("%+v", q)
	}
	e, is := s.answered(at("C", 5*time.Hour))
	if !is || e.Outcome != history.Through || e.Asked != 2 {
		t.Errorf("ended: %+v", e)
	}
	s.now = s.now.Add(24 * time.Hour)
	s.do(func(tx *sqlite.Tx) error {
		return history.Plan(tx, s.now, 1, village, begins.Add(-4*time.Hour), begins.Add(-time.Hour))
	})
	if _, is, _ := s.asks(first); is {
		t.Error("asked after it was over")
	}
}

func TestARequestEnds(t *testing.T) {
	for name, answer := range map[string]history.Anchor{"with nothing": {}, "with the same": at("A", 30*time.Minute), "with newer ones": at("N", 10*time.Minute)} {
		s := planned(t)
		s.asks(at("A", 30*time.Minute))
		if e, is := s.answered(answer); !is || e.Outcome != history.NothingNew {
			t.Errorf("answered %s: %+v", name, e)
		}
	}
	s := planned(t)
	asked := 0
	for range 24 * 30 {
		_, is, ended := s.asks(at("A", 30*time.Minute))
		if is {
			asked++
		}
		if len(ended) > 0 {
			if ended[0].Outcome != history.Unanswered || asked != 5 {
				t.Errorf("asked %d times: %+v", asked, ended)
			}
			return
		}
		s.now = s.now.Add(time.Hour)
	}
	t.Error("asked for ever")
}

// A phone that always has one more message is not asked without end.
func TestARequestIsBounded(t *testing.T) {
	s := planned(t)
	asked := 0
	for n := range 100 {
		s.now = s.now.Add(time.Minute)
		_, is, ended := s.asks(at("A", time.Hour))
		if len(ended) > 0 {
			if asked != 40 || ended[0].Outcome != history.Enough {
				t.Errorf("asked %d times: %+v", asked, ended)
			}
			return
		}
		if !is {
			t.Fatal("not asked")
		}
		asked++
		s.answered(history.Anchor{ID: string(rune('a' + n)), Sent: begins.Add(-time.Hour - time.Duration(n)*time.Second)})
	}
	t.Error("asked for ever")
}
