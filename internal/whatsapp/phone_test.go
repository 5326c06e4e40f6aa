package whatsapp

import (
	"testing"
	"time"
)

// The council's own phone is seen by what it sends, wherever that goes, and by what it says
// that it has read; not by what others do, nor another device of its account. When it was
// used is WhatsApp's time, and it is told once an hour.
func TestThePhoneIsSeen(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	m.await("the keys that the phone sends after linking", func() bool { return len(m.phone) == 1 })
	first := m.phone[0]

	read := w.ann.Says("Nobody of the council's office is there.")
	w.council.Elsewhere().At(first.Add(3 * time.Hour)).Says("From the computer in the office.")
	m.awaitRecords(2)
	w.council.At(first.Add(30 * time.Minute)).Says("Within the hour.")
	m.awaitRecords(3)
	if len(m.phone) != 1 {
		t.Fatalf("seen at %v", m.phone)
	}
	w.council.In(w.works).At(first.Add(2 * time.Hour)).Says("In a group that is not listed.")
	m.await("the message", func() bool { return len(m.phone) == 2 })
	w.council.At(first.Add(4*time.Hour)).Tells(w.cat, "Privately.")
	m.await("the private message", func() bool { return len(m.phone) == 3 })
	w.council.At(first.Add(time.Hour)).Says("It comes late.") // queued meanwhile
	m.awaitRecords(4)
	w.council.At(first.Add(6 * time.Hour)).Reads(read)
	m.await("the receipt", func() bool { return len(m.phone) == 4 })
	for i, hours := range []time.Duration{0, 2, 4, 6} {
		if want := first.Add(hours * time.Hour); !m.phone[i].Equal(want) {
			t.Errorf("seen at %v, want %v", m.phone[i], want)
		}
	}
	w.receiveOnly("Privately")
}
