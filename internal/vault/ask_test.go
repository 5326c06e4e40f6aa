package vault

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// A phone is the council's own, which is asked for files.
type phone struct {
	sync.Mutex
	asked []record.Seq
	err   error  // that it cannot be asked now
	then  func() // called when it was asked
}

func (c *council) hasPhone() *phone {
	p := &phone{}
	c.vault.Ask = func(_ context.Context, seq record.Seq, key []byte) error {
		if len(key) != 32 {
			c.Errorf("a key of %d bytes", len(key))
		}
		p.Lock()
		defer p.Unlock()
		if p.err != nil {
			return p.err
		}
		p.asked = append(p.asked, seq)
		if p.then != nil {
			p.then()
		}
		return nil
	}
	return p
}

func (c *council) supplied(seq record.Seq, path string) (is bool) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) (err error) { is, err = Supplied(tx, c.now(), seq, path); return err })
	return is
}

func (c *council) notSupplied(seq record.Seq) (is bool) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) (err error) { is, err = NotSupplied(tx, c.now(), seq); return err })
	return is
}

// The phone never answers: it is asked at once, after an hour, six, a day, three days, and
// a day after that the file is lost. WhatsApp itself is asked a few times a day.
func TestThePhoneIsAskedAFewTimes(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	c := newCouncil(t)
	p := c.hasPhone()
	_, f := seal(record.Image, words(10))
	c.wants(4, record.Image, f)
	start := c.now()
	var at []time.Duration
	for c.now().Sub(start) < 6*24*time.Hour {
		before := len(p.asked)
		c.fetches()
		if len(p.asked) > before {
			at = append(at, c.now().Sub(start))
		}
		if c.file(4).State == Lost {
			break
		}
		c.write(func(tx *sqlite.Tx) error { return Retry(tx, c.now()) }) // the connection comes and goes
		c.steps(10 * time.Minute)
	}
	h := time.Hour
	if want := []time.Duration{0, h, 7 * h, 31 * h, 103 * h}; !slices.Equal(at, want) {
		t.Errorf("asked after %v; want %v", at, want)
	}
	if took := c.now().Sub(start); took != 127*h {
		t.Errorf("lost after %v", took)
	}
	c.is(4, Lost, "WhatsApp no longer has it, and the council's phone did not supply it", c.file(4).attempts)
	if n := c.wa.times(f); n > 30 {
		t.Errorf("WhatsApp was asked %d times", n)
	}
	if c.supplied(4, "/v/late") || c.notSupplied(4) {
		t.Error("an answer after that has an effect")
	}
}

// The phone uploads it again, elsewhere; the answer may come before it was noted that it was
// asked, if that were noted afterwards.
func TestThePhoneSupplies(t *testing.T) {
	c := newCouncil(t)
	p := c.hasPhone()
	plain := words(5000)
	f := c.wa.has(record.Image, plain)
	place := f.Path
	f.Path = "/v/expired"
	p.then = func() {
		if !c.supplied(4, place) {
			t.Error("nobody waits for it")
		}
	}
	c.wants(4, record.Image, f)
	if c.supplied(4, place) || c.notSupplied(4) {
		t.Error("it was not asked for, and supplied")
	}
	c.fetches()
	c.fetches()
	c.holds(4, plain)
	if c.supplied(4, "/v/again") { // it was noted, but whoever noted it was not told so
		t.Error("what is kept is supplied once more")
	}
	if len(p.asked) != 1 {
		t.Errorf("asked for %v", p.asked)
	}
	c.read(func(tx *sqlite.Tx) error {
		if n, err := Counts(tx); err != nil || n.Asked != 0 || n.Kept != 1 {
			t.Errorf("counts %+v, %v", n, err)
		}
		return nil
	})
}

// What it says is no place, or has not got the file either.
func TestThePhoneSuppliesNothing(t *testing.T) {
	c := newCouncil(t)
	p := c.hasPhone()
	for seq := record.Seq(1); seq <= 3; seq++ {
		_, f := seal(record.Image, words(10))
		c.wants(seq, record.Image, f)
	}
	wrong, _ := seal(record.Image, words(10))
	c.wa.answers("/v/wrong", sends(wrong))
	c.fetches()
	if c.supplied(1, "@example.org/x") || c.supplied(1, "") || !c.notSupplied(1) || c.notSupplied(1) || !c.supplied(2, "/v/nowhere") || !c.supplied(3, "/v/wrong") {
		t.Error("an answer does not have the effect that it should have")
	}
	c.is(1, Lost, "WhatsApp no longer has it, and nor has the council's phone", 1)
	for range 3 {
		c.fetches()
		c.steps(10 * time.Minute)
	}
	if m := c.file(2); m.State != Wanted || len(p.asked) != 3 {
		t.Errorf("gone from there too: %s; asked for %v", m.State, p.asked)
	}
	c.is(3, Lost, "what WhatsApp delivered is not what the message announced", 3)
	c.steps(time.Hour)
	c.fetches()
	if c.file(2).Asked != 2 {
		t.Errorf("asked %d times", c.file(2).Asked)
	}
	c.has(0)
}

// The answer comes while WhatsApp is asked at the old place for the last time.
func TestThePhoneAnswersWhileWhatsAppIsAsked(t *testing.T) {
	for name, asked := range map[string]int{"once more": 1, "for the last time": len(askAgain)} {
		t.Run(name, func(t *testing.T) {
			c := newCouncil(t)
			c.hasPhone()
			plain := words(5000)
			f := c.wa.has(record.Image, plain)
			place := f.Path
			f.Path = "/v/expired"
			c.wants(4, record.Image, f)
			for range asked {
				c.fetches()
				c.steps(73 * time.Hour)
			}
			if n := c.file(4).Asked; n != asked {
				t.Fatalf("asked %d times", n)
			}
			c.wa.answers("/v/expired", gone410(func() { c.supplied(4, place) }))
			c.fetches()
			c.fetches()
			c.holds(4, plain)
		})
	}
}

// It is asked for thirty files in an hour, and no more; the rest follow.
func TestThePhoneIsAskedSparingly(t *testing.T) {
	c := newCouncil(t)
	p := c.hasPhone()
	for seq := record.Seq(1); seq <= 70; seq++ {
		_, f := seal(record.Image, words(10))
		c.wants(seq, record.Image, f)
	}
	for n, most := range []int{30, 30, 60, 60} {
		c.fetches()
		if len(p.asked) != most {
			t.Errorf("after %d half hours it was asked %d times", n, len(p.asked))
		}
		c.steps(30 * time.Minute)
	}
}

// Who is not connected cannot ask: that counts for nothing. Of what cannot be asked for, the
// file is lost at once.
func TestThePhoneCannotBeAsked(t *testing.T) {
	c := newCouncil(t)
	p := c.hasPhone()
	p.err = errors.New("not connected")
	_, f := seal(record.Image, words(10))
	c.wants(4, record.Image, f)
	for range 10 {
		c.fetches()
		if m := c.file(4); m.State != Wanted || m.Asked != 0 || !m.AskedAt.IsZero() {
			t.Fatalf("%+v", m)
		}
		c.steps(6 * time.Hour)
	}
	p.err = nil
	c.fetches()
	if m := c.file(4); m.Asked != 1 || !m.AskedAt.Equal(c.now()) {
		t.Errorf("connected again: %+v", m)
	}
	asked := c.now()
	p.err = errors.New("not connected")
	c.steps(2 * time.Hour)
	c.fetches()
	if m := c.file(4); m.Asked != 1 || !m.AskedAt.Equal(asked) {
		t.Errorf("the second time: %+v", m)
	}
	if log := c.log.String(); !strings.Contains(log, "could not be asked") {
		t.Errorf("the log does not tell:\n%s", log)
	}
	p.err = ErrGone
	c.steps(2 * time.Hour)
	c.fetches()
	c.is(4, Lost, "WhatsApp no longer has it", c.file(4).attempts)
}

// A clock that was ahead when the phone was asked is no reason to wait.
func TestTheClockWasAheadWhenThePhoneWasAsked(t *testing.T) {
	c := newCouncil(t)
	p := c.hasPhone()
	_, f := seal(record.Image, words(10))
	c.steps(365 * 24 * time.Hour)
	c.wants(4, record.Image, f)
	c.fetches()
	c.steps(-365 * 24 * time.Hour)
	c.fetches()
	if len(p.asked) != 2 {
		t.Errorf("asked %d times", len(p.asked))
	}
}
