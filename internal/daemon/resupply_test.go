package daemon_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
	"muniment/internal/vault"
)

// media waits until what is known of the file of a message is so.
func (w *town) media(m *standin.Message, is func(vault.Media) bool) (of vault.Media) {
	w.t.Helper()
	for ctx := w.soon(); ; time.Sleep(10 * time.Millisecond) { // the vault tells nobody
		w.read(func(tx *sqlite.Tx) error {
			return vault.Each(tx, func(f vault.Media) error {
				if bytes.Equal(f.Sealed, m.Upload().FileEncSHA256) {
					of = f
				}
				return nil
			})
		})
		if of.Seq != 0 && is(of) {
			return of
		}
		if ctx.Err() != nil {
			w.t.Fatalf("its file is %s (%s), asked %d times", of.State, of.Reason, of.Asked)
		}
	}
}

// What WhatsApp has deleted by the time that it is fetched, the council's own phone still
// has, or not. It is asked, and whatever the server says besides has no effect.
func TestThePhoneSuppliesWhatWhatsAppNoLongerHas(t *testing.T) {
	w := found(t)
	w.server.SetSupplies(standin.SuppliesNothing)
	pdf := []byte("%PDF-1.4 the survey of the culvert")
	sent := w.ann.SendsDocument("survey.pdf", "application/pdf", pdf, "")
	own := w.phone.SendsImage(photo(20), "From the council's own phone")
	gone := w.bo.SendsVoice([]byte("OggS and so on"))
	twin := w.bo.Reusing(sent).SendsDocument("twin.pdf", "application/pdf", []byte("%PDF-1.4 another"), "")
	for _, m := range []*standin.Message{sent, own, gone, twin} {
		w.server.Expire(m.Upload())
	}
	stop := w.run()
	asked := func(m vault.Media) bool { return m.Asked > 0 }
	for _, m := range []*standin.Message{sent, own, gone, twin} {
		if f := w.media(m, asked); f.State != vault.Wanted || f.Asked != 1 || f.AskedAt.IsZero() {
			t.Errorf("%+v", f)
		}
	}
	w.server.AnswersAboutFile(sent)                          // no key opens that
	w.server.AnswersAboutFile(w.ann.Says("Has it no file?")) // nor is that of a file
	w.must(w.server.WaitSettled(w.soon()))
	if f := w.media(sent, asked); f.State != vault.Wanted {
		t.Errorf("the server said something: %+v", f)
	}
	if n := strings.Count(w.log.String(), "ignored"); n != 2 {
		t.Errorf("%d answers were ignored", n)
	}

	w.server.SetSupplies(standin.SuppliesFile)
	for m, want := range map[*standin.Message][]byte{sent: pdf, own: photo(20), gone: []byte("OggS and so on"), twin: []byte("%PDF-1.4 another")} {
		f := w.media(m, func(f vault.Media) bool { return f.State != vault.Wanted })
		if f.State != vault.Kept || !bytes.Equal(w.file(f.Seq), want) || f.Asked != 1 || !strings.HasPrefix(f.Path, "/v/again-") {
			t.Errorf("supplied: %+v", f)
		}
	}

	stop()

	for as, want := range map[standin.Supplies]string{
		standin.SuppliesNotFound:         "WhatsApp no longer has it, and nor has the council's phone",
		standin.SuppliesNotFoundUnsealed: "WhatsApp no longer has it, and nor has the council's phone",
		standin.SuppliesError:            "",
	} {
		w.server.SetSupplies(as)
		m := w.bo.SendsDocument("gone.pdf", "application/pdf", []byte("nobody has it"), "")
		w.server.Expire(m.Upload())
		stop := w.run()
		f := w.media(m, func(f vault.Media) bool {
			return f.State != vault.Wanted || want == "" && strings.Contains(w.log.String(), "failed; it will be asked again")
		})
		if f.Reason != want || (f.State == vault.Lost) != (want != "") || f.Asked != 1 {
			t.Errorf("%s (%s), asked %d times; want %q", f.State, f.Reason, f.Asked, want)
		}
		stop()
	}
	for _, name := range []string{"survey", "gone.pdf", "again-"} {
		if strings.Contains(w.log.String(), name) {
			t.Errorf("the log holds %q", name)
		}
	}
	w.accounted()
	w.verifies()
	w.onlyReceives()
}

// A record is destroyed while its file is on the way: it does not come back.
func TestDestroyedBeforeThePhoneAnswers(t *testing.T) {
	w := found(t)
	w.server.SetSupplies(standin.SuppliesNothing)
	m := w.ann.SendsDocument("survey.pdf", "application/pdf", []byte("to be destroyed"), "")
	w.server.Expire(m.Upload())
	stop := w.run()
	defer stop()
	f := w.media(m, func(f vault.Media) bool { return f.Asked > 0 })
	w.archive(func(db *sqlite.DB) error {
		return db.Write(t.Context(), func(tx *sqlite.Tx) error {
			_, err := vault.Forget(tx, []record.Seq{f.Seq})
			return err
		})
	})
	before := w.fetched()
	w.server.SetSupplies(standin.SuppliesFile)
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	w.read(func(tx *sqlite.Tx) error {
		c, err := vault.Counts(tx)
		if c != (vault.Count{}) || w.fetched() != before {
			t.Errorf("files: %+v; %d more were fetched", c, w.fetched()-before)
		}
		return err
	})
	w.accounted()
}

// fetched is how often the media server was asked for something.
func (w *town) fetched() (n int) {
	for _, e := range w.server.Journal() {
		if e.Media != "" {
			n++
		}
	}
	return n
}

// A member sends another's file once more, under the ID of that message and with its key.
// That does not keep the phone's answer from either.
func TestThePhoneSuppliesAFileThatIsSentTwiceUnderOneID(t *testing.T) {
	w := found(t)
	w.server.SetSupplies(standin.SuppliesNothing)
	sent := w.ann.SendsDocument("survey.pdf", "application/pdf", []byte("%PDF-1.4 the survey"), "")
	w.bo.Reusing(sent).Forwards(sent)
	w.server.Expire(sent.Upload())
	stop := w.run()
	defer stop()
	files := func(is func(vault.Media) bool) (n int) {
		w.read(func(tx *sqlite.Tx) error {
			return vault.Each(tx, func(f vault.Media) error {
				if is(f) {
					n++
				}
				return nil
			})
		})
		return n
	}
	wait := func(what string, is func(vault.Media) bool) {
		t.Helper()
		w.until(what, func(*sqlite.Tx) (bool, error) { return files(is) == 2, nil })
	}
	wait("both are asked for", func(f vault.Media) bool { return f.Asked > 0 })
	w.server.SetSupplies(standin.SuppliesFile)
	wait("both are kept", func(f vault.Media) bool { return f.State == vault.Kept })
	stop()
	w.accounted()
	w.verifies()
}
