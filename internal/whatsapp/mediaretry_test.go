package whatsapp

import (
	"bytes"
	"errors"
	"testing"

	"muniment/internal/record"
	"muniment/internal/standin"
)

// The council's phone is asked for files that WhatsApp has deleted, one sent by a member
// and one by the phone itself, and says what it says.
func TestThePhoneIsAskedForAFile(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	if err := s.AskFile(w.within(), w.group.JID().String(), record.Ref{ID: "X", Sender: record.Address{JID: w.ann.LID().String()}}, false, make([]byte, 32)); !errors.Is(err, ErrNotConnected) {
		t.Errorf("before Run: %v", err)
	}
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	sent := []*standin.Message{w.ann.SendsImage([]byte("jpeg"), "The flood"), w.council.SendsDocument("m.pdf", "application/pdf", []byte("%PDF"), "")}
	rs := m.awaitRecords(2)
	ask := func(r record.Received, key []byte) {
		t.Helper()
		if err := s.AskFile(w.within(), r.Group, record.Ref{ID: r.ID, Sender: r.Sender}, r.Own, key); err != nil {
			t.Errorf("ask: %v", err)
		}
	}
	answers := 0
	answer := func() FileAnswer {
		t.Helper()
		answers++
		m.await("an answer", func() bool { return len(m.answers) >= answers })
		w.settled()
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.answers[answers-1]
	}
	for i, r := range rs {
		w.server.Expire(sent[i].Upload())
		ask(r, r.File.Key)
		a := answer()
		path, err := a.Open(r.File.Key)
		if err != nil || a.Group != r.Group || a.Ref.ID != r.ID || !a.Sealed {
			t.Errorf("answer %+v: %v", a, err)
		}
		if _, err := a.Open(make([]byte, 32)); err == nil || errors.Is(err, ErrNotOnPhone) || errors.Is(err, ErrNotSupplied) {
			t.Errorf("opened with another key: %v", err)
		}
		var got bytes.Buffer
		f := *r.File
		f.Path = path
		if err := s.Download(w.within(), r.Type, f, &got); err != nil || got.Len() == 0 {
			t.Errorf("the file that was supplied: %d bytes, %v", got.Len(), err)
		}
	}

	r := rs[0]
	for as, want := range map[standin.Supplies]error{
		standin.SuppliesNotFound: ErrNotOnPhone, standin.SuppliesNotFoundUnsealed: ErrNotOnPhone, standin.SuppliesError: ErrNotSupplied,
	} {
		w.server.SetSupplies(as)
		ask(r, r.File.Key)
		if a := answer(); a.Sealed == (as == standin.SuppliesNotFoundUnsealed) {
			t.Errorf("%d is encrypted: %v", as, a.Sealed)
		} else if _, err := a.Open(r.File.Key); !errors.Is(err, want) {
			t.Errorf("%d: %v, want %v", as, err, want)
		}
	}
	w.server.AnswersAboutFile(sent[0])
	if _, err := answer().Open(r.File.Key); err == nil || errors.Is(err, ErrNotOnPhone) || errors.Is(err, ErrNotSupplied) {
		t.Errorf("not the phone's: %v", err)
	}

	// The answer cannot be noted at first. WhatsApp is told that it has arrived all the same,
	// so it is kept and noted later.
	w.server.SetSupplies(standin.SuppliesFile)
	m.answer = func() error { m.answer = nil; return errDisk }
	ask(r, r.File.Key)
	w.settled()
	m.await("a failure", func() bool { return m.failed == 1 })
	w.bo.Says("Something else happens.")
	answer()

	for what, ref := range map[string]record.Ref{"no sender": {ID: "X", Sender: record.Address{JID: "s.whatsapp.net"}}, "no ID": {Sender: r.Sender}} {
		if err := s.AskFile(w.within(), r.Group, ref, false, r.File.Key); err == nil {
			t.Errorf("%s: asked", what)
		}
	}
	if err := s.AskFile(w.within(), w.works.JID().String(), record.Ref{ID: r.ID, Sender: r.Sender}, false, r.File.Key); err == nil {
		t.Error("asked for a file of a group that is not listed")
	}
	asked := 0
	for _, e := range w.server.Journal() {
		if e.Kind == "media retry" {
			asked++
		}
	}
	if asked != 6 {
		t.Errorf("the phone was asked %d times", asked)
	}
	m.balance()
	w.receiveOnly("/v/", "flood", "m.pdf", r.ID)
}
