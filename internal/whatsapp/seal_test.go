package whatsapp

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/libsignal/signalerror"
	"go.mau.fi/whatsmeow/store"

	"muniment/internal/record"
)

func key(t *testing.T, s *Session) []byte {
	t.Helper()
	b, err := os.ReadFile(s.options.KeyPath)
	if err != nil || len(b) != keySize {
		t.Fatalf("key: %d bytes, %v", len(b), err)
	}
	return b
}

// pending runs s until a message has been decrypted and refused, and stops.
func (w *world) pending(s *Session) {
	w.t.Helper()
	m := newMemory(w.t)
	m.refuse = func(record.Received, int) error { return errDisk }
	stop := w.run(s, m)
	w.ready(m)
	w.ann.Says("Decrypted, not captured.")
	m.await("a refusal", func() bool { return m.failed > 0 })
	stop()
	if n, err := s.Unfinished(w.within()); n != 1 || err != nil {
		w.t.Fatalf("Unfinished = %d, %v, want 1", n, err)
	}
}

func TestPendingMessageSurvivesARestart(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	w.pending(s)
	k := key(t, s)
	if err := s.ScrubBuffer(w.within()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	w.search([]string{"Decrypted, not captured."})
	if !bytes.Equal(k, key(t, s)) {
		t.Fatal("the key was replaced while a message was pending")
	}
	s = w.open()
	m := newMemory(t)
	stop := w.run(s, m)
	if rs := m.awaitRecords(1); rs[0].Text != "Decrypted, not captured." {
		t.Errorf("captured %q", rs[0].Text)
	}
	w.settled()
	if len(m.missing) > 0 {
		t.Errorf("missing: %v", m.missing)
	}
	stop()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(k, key(t, s)) {
		t.Error("the key was not replaced though nothing is pending")
	}
}

func TestLostKeyIsNoLostMessage(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	w.pending(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.options.KeyPath); err != nil {
		t.Fatal(err)
	}
	s = w.open()
	m := newMemory(t)
	w.run(s, m)
	m.await("a missing message", func() bool { return len(m.missing) > 0 })
	// The sender was asked for another copy, and has sent it.
	if rs := m.awaitRecords(1); rs[0].Text != "Decrypted, not captured." || rs[0].ID != m.missing[0].ref.ID {
		t.Errorf("captured %q as %s", rs[0].Text, rs[0].ID)
	}
	w.settled()
	if n, err := s.AbandonBuffered(w.within(), time.Hour); n != 0 || err != nil {
		t.Errorf("abandoned %d, %v; it is not old enough", n, err)
	}
	if n, err := s.AbandonBuffered(w.within(), 0); n != 1 || err != nil {
		t.Errorf("abandoned %d, %v; want the row that nobody can read", n, err)
	}
	m.balance()
	w.receiveOnly("Decrypted")
}

func TestPendingMessageThatWentWithTheLinkIsCounted(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	m := newMemory(t)
	refused := make(chan struct{}, 1)
	m.refuse = func(record.Received, int) error {
		ask(refused)
		w.council.Unlinks() // before it can be delivered again
		return errDisk
	}
	w.run(s, m)
	w.ready(m)
	w.ann.Says("Never captured.")
	<-refused
	m.await("loss", func() bool { return len(m.state) > 0 && m.state[len(m.state)-1][:4] == "lost" })
	for deadline := time.Now().Add(time.Minute); s.Linked() && time.Now().Before(deadline); {
		s.Unfinished(w.within())
	}
	var n int
	var err error
	for deadline := time.Now().Add(time.Minute); n == 0 && err == nil && time.Now().Before(deadline); {
		n, err = s.AbandonBuffered(w.within(), 0)
	}
	if n != 1 || err != nil {
		t.Errorf("abandoned %d, %v, want 1", n, err)
	}
}

func TestKeyIsReplacedWhenTheBufferIsEmpty(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	before := key(t, s)
	m := newMemory(t)
	w.run(s, m)
	w.ann.Says("Something to seal.")
	m.awaitRecords(1)
	w.settled()
	for deadline := time.Now().Add(time.Minute); bytes.Equal(before, key(t, s)); {
		if time.Now().After(deadline) {
			t.Fatal("the key was not replaced")
		}
	}
}

// What follows a message that could not be stored is not taken for undecryptable, though
// that one had the sender's key; and a key that could not be stored comes again.
func TestFaultOfOurDatabaseIsNotAcknowledged(t *testing.T) {
	for _, table := range []string{"whatsmeow_event_buffer", "whatsmeow_sender_keys"} {
		t.Run(table, func(t *testing.T) {
			w := newWorld(t)
			s := w.linked()
			m := newMemory(t)
			w.run(s, m)
			w.ready(m)
			if _, err := s.db.Exec("CREATE TRIGGER full BEFORE INSERT ON " + table + " BEGIN SELECT RAISE(ABORT, 'disk full'); END"); err != nil {
				t.Fatal(err)
			}
			var texts []string
			for _, text := range []string{"While the disk is full.", "And still.", "And still!"} {
				w.ann.Says(text)
				texts = append(texts, text)
			}
			m.await("a second connection", func() bool {
				return slices.Contains(m.state, "disconnected: "+redelivery)
			})
			if n := w.server.Unsettled(); n != 3 {
				t.Errorf("%d are not settled; none could be written", n)
			}
			if _, err := s.db.Exec("DROP TRIGGER full"); err != nil {
				t.Fatal(err)
			}
			for i, r := range m.awaitRecords(3) {
				if r.Text != texts[i] {
					t.Errorf("captured %q, want %q", r.Text, texts[i])
				}
			}
			w.settled()
			if len(m.missing) != 0 {
				t.Errorf("missing: %v", m.missing)
			}
			w.receiveOnly(texts...)
		})
	}
}

// A message comes after its sender's key, which is already past it.
func TestAMessageAfterItsKeyIsAskedFor(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	w.server.Down()
	first := w.ann.Keyless().Says("Before the key.")
	second := w.ann.Says("With the key.")
	w.server.Shuffle(swapping(), 2)
	w.server.Up()
	rs := m.awaitRecords(2)
	if rs[0].ID != second.ID() || rs[1].ID != first.ID() || rs[1].Text != "Before the key." {
		t.Errorf("captured %q and %q", rs[0].Text, rs[1].Text)
	}
	w.settled()
	w.receiveOnly("the key.")
}

// swapping draws what makes the second of two stanzas overtake the first.
func swapping() *rand.Rand {
	for seed := uint64(0); ; seed++ {
		draw := func() *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }
		if d := draw(); d.IntN(3) == 2 && d.IntN(3) == 0 {
			return draw()
		}
	}
}

func TestSealIsBoundToItsMessage(t *testing.T) {
	raw := bytes.Repeat([]byte{7}, keySize)
	k := newSealingKey(raw)
	sealed := k.seal([]byte("text"), []byte("hash"))
	if got, err := k.unseal(sealed, []byte("hash")); err != nil || string(got) != "text" {
		t.Errorf("unsealed %q, %v", got, err)
	}
	if bytes.Contains(sealed, []byte("text")) {
		t.Error("sealed in the clear")
	}
	if _, err := k.unseal(sealed, []byte("other")); err == nil {
		t.Error("unsealed for another message")
	}
	if _, err := newSealingKey(bytes.Repeat([]byte{8}, keySize)).unseal(sealed, []byte("hash")); err == nil {
		t.Error("unsealed with another key")
	}
	if _, err := k.unseal([]byte("short"), []byte("hash")); err == nil {
		t.Error("unsealed what is too short")
	}
}

func TestNotNowIsCancelledToWhatsmeow(t *testing.T) {
	if err := error(notNow{errDisk}); !errors.Is(err, context.Canceled) || !errors.Is(err, errDisk) {
		t.Errorf("%v is not both", err)
	}
}

func TestBackoff(t *testing.T) {
	var b backoff
	now := time.Now()
	var total time.Duration
	for range 20 {
		d := b.next(now)
		if d > time.Minute || d <= 0 {
			t.Fatalf("waits %v", d)
		}
		total += d
		now = now.Add(d)
	}
	if total < 5*time.Minute {
		t.Errorf("20 rounds in %v", total)
	}
	if d := b.next(now.Add(time.Hour)); d != 250*time.Millisecond {
		t.Errorf("after an hour's quiet waits %v", d)
	}
}

func TestOneMessageOnTwoConnections(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	s.seal.open.Store(true)
	b := s.device.EventBuffer
	ctx, hash := w.within(), [32]byte{1}
	if row, err := b.GetBufferedEvent(ctx, hash); row != nil || err != nil {
		t.Fatalf("a new message: %v, %v", row, err)
	}
	// The other connection asks while the first decrypts.
	type answer struct {
		row *store.BufferedEvent
		err error
	}
	other := make(chan answer, 1)
	go func() {
		row, err := b.GetBufferedEvent(ctx, hash)
		other <- answer{row, err}
	}()
	impatient, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := b.GetBufferedEvent(impatient, hash); !errors.Is(err, context.Canceled) {
		t.Errorf("out of turn: %v", err)
	}
	err := b.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		return b.PutBufferedEvent(ctx, hash, []byte("text"), time.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	if a := <-other; a.err != nil || string(a.row.Plaintext) != "text" {
		t.Errorf("the other connection got %v, %v", a.row, a.err)
	}
	if err := b.ClearBufferedEventPlaintext(impatient, hash); err != nil {
		t.Errorf("clear at the end of the program: %v", err)
	}
	if row, err := b.GetBufferedEvent(ctx, hash); err != nil || row.Plaintext != nil {
		t.Errorf("a message that was handled: %v, %v", row, err)
	}
}

func TestWhatFailsADecryption(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	s.seal.open.Store(true)
	b := s.device.EventBuffer
	ctx := w.within()
	decrypt := func(hash byte, f func(context.Context) error) error {
		if row, err := b.GetBufferedEvent(ctx, [32]byte{hash}); row != nil || err != nil {
			t.Fatalf("a new message: %v, %v", row, err)
		}
		return b.DoDecryptionTxn(ctx, f)
	}
	if err := decrypt(1, func(context.Context) error { return signalerror.ErrBadMAC }); err != signalerror.ErrBadMAC {
		t.Errorf("fault of the ciphertext: %v, want it as it was", err)
	}
	if err := decrypt(1, func(context.Context) error { return signalerror.ErrOldCounter }); err == nil || errors.Is(err, signalerror.ErrOldCounter) || errors.Is(err, context.Canceled) {
		t.Errorf("no duplicate, and its key is gone: %v, want an error for which the sender is asked", err)
	}
	if err := decrypt(2, func(context.Context) error { panic("ciphertext") }); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("panic of libsignal: %v, want an error for which the sender is asked", err)
	}
	err := decrypt(3, func(ctx context.Context) error {
		if err := b.PutBufferedEvent(ctx, [32]byte{3}, []byte("text"), time.Now()); err != nil {
			return err
		}
		return b.PutBufferedEvent(ctx, [32]byte{3}, []byte("text"), time.Now()) // against the table's constraint
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("fault of our database: %v, want context.Canceled", err)
	}
	s.seal.open.Store(false)
	if _, err := b.GetBufferedEvent(ctx, [32]byte{4}); !errors.Is(err, context.Canceled) {
		t.Errorf("while nobody captures: %v, want context.Canceled", err)
	}
	if n, err := s.Unfinished(ctx); n != 0 || err != nil {
		t.Errorf("Unfinished = %d, %v", n, err)
	}
	if strings.Contains(w.log.String(), "constraint") {
		t.Errorf("the log quotes an error:\n%s", w.log)
	}
}

func TestOldRowsAreForgottenUnlessUnfinished(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	ctx := w.within()
	for i, days := range []int{20, 20, 1} {
		var plaintext []byte
		if i == 0 {
			plaintext = []byte("sealed")
		}
		hash := make([]byte, 32)
		hash[0] = byte(i)
		if _, err := s.db.Exec(`INSERT INTO whatsmeow_event_buffer SELECT jid, ?, ?, 0, ? FROM whatsmeow_device`,
			hash, plaintext, time.Now().AddDate(0, 0, -days).UnixMilli()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.device.EventBuffer.DeleteOldBufferedHashes(ctx); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := s.db.QueryRow("SELECT count(*) FROM whatsmeow_event_buffer").Scan(&left); err != nil || left != 2 {
		t.Errorf("%d rows left, %v; want the unfinished and the recent one", left, err)
	}
	if n, err := s.AbandonBuffered(ctx, 15*24*time.Hour); n != 1 || err != nil {
		t.Errorf("abandoned %d, %v, want 1", n, err)
	}
}

func TestDamagedKeyIsReplaced(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.options.KeyPath, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	key(t, w.open())
}
