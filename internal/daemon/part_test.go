package daemon_test

import (
	"bytes"
	"fmt"
	netmail "net/mail"
	"os"
	"strings"
	"testing"
)

// A conversation that is too long for one email comes in parts, in one thread, every
// message once; a correction of what is in a later part is in that thread too.
func TestALongConversationComesInParts(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	w := found(t)
	stop := w.run()
	defer stop()
	long := strings.Repeat("😅", 12_000)
	for i := range 4 {
		w.ann.Says(fmt.Sprintf("Item %d of the agenda. %s", i+1, long))
	}
	last := w.ann.Says("Item 5 of the agenda. " + long)
	w.bo.Reacts(last, "📌")
	emails := w.emailed(3)
	parts := make(map[string]int) // by Message-ID
	items := make(map[string]int)
	first := ""
	for _, e := range emails {
		h := head(t, e)
		for n := range 3 {
			if strings.Contains(h.Get("Subject"), fmt.Sprintf("part %d of 3", n+1)) {
				parts[h.Get("Message-Id")] = n + 1
				if n == 0 {
					first = h.Get("Message-Id")
				}
			}
		}
		text := plain(e)
		for n := range 5 {
			if item := fmt.Sprintf("  | Item %d of the agenda.", n+1); strings.Contains(text, item) {
				items[item]++
			}
		}
	}
	if len(parts) != 3 || len(items) != 5 {
		t.Fatalf("the parts are %v, their messages %v", parts, items)
	}
	for item, n := range items {
		if n != 1 {
			t.Errorf("%q comes %d times", item, n)
		}
	}
	for _, e := range emails {
		h := head(t, e)
		want := first
		if parts[h.Get("Message-Id")] == 1 {
			want = ""
		}
		if h.Get("In-Reply-To") != want || h.Get("References") != want || h.Get("X-Council-Dispose-After") == "" {
			t.Errorf("part %d is in the thread %q", parts[h.Get("Message-Id")], h["References"])
		}
	}
	w.ann.Edits(last, "Item 5 is off.")
	correction := w.emailed(4)[3]
	if h := head(t, correction); h.Get("In-Reply-To") != first || strings.Count(plain(correction), "agenda") != 1 {
		t.Errorf("the correction answers %q:\n%.2000s", h.Get("In-Reply-To"), plain(correction))
	}
}

func head(t *testing.T, email []byte) netmail.Header {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(email))
	if err != nil {
		t.Fatal(err)
	}
	return m.Header
}

// The council changes the address that emails come from, and with it the domain: what
// belongs to an earlier email stays in its thread.
func TestAThreadOutlivesAnAddress(t *testing.T) {
	w := found(t)
	stop := w.run()
	m := w.ann.Says("The bridge is closed.")
	w.bo.Reacts(m, "📌")
	first := head(t, w.emailed(1)[0]).Get("Message-Id")
	stop()
	text, err := os.ReadFile(w.path("muniment.toml"))
	w.must(err)
	changed := strings.NewReplacer(`["cranford-pc.example"]`, `["cranford-pc.example", "cranford.example"]`, "record@cranford-pc.example", "record@cranford.example").Replace(string(text))
	w.must(os.WriteFile(w.path("muniment.toml"), []byte(changed), 0o600))
	stop = w.run()
	defer stop()
	w.ann.Edits(m, "The bridge is open.")
	correction := head(t, w.emailed(2)[1])
	if correction.Get("From") == "" || !strings.Contains(correction.Get("From"), "@cranford.example") || correction.Get("In-Reply-To") != first {
		t.Errorf("the correction comes from %s and answers %s; want %s", correction.Get("From"), correction.Get("In-Reply-To"), first)
	}
}
