package daemon_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"mime"
	"net/mail"
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
	"muniment/internal/vault"
)

// photo is a picture of that many pixels each way.
func photo(side int) []byte {
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	for x := range side {
		for y := range side {
			m.Set(x, y, color.RGBA{uint8(x), uint8(y), uint8(x * y), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// file reads the file that a message brought, out of the stopped daemon's vault.
func (w *town) file(seq record.Seq) (b []byte) {
	w.t.Helper()
	w.archive(func(db *sqlite.DB) error {
		return db.Read(w.t.Context(), func(tx *sqlite.Tx) error {
			r, err := w.home().Vault(db).Open(tx, seq)
			if err != nil {
				return err
			}
			defer r.Close()
			b, err = io.ReadAll(r)
			return err
		})
	})
	return b
}

// waitKept waits until no file is wanted any more.
func (w *town) waitKept() {
	w.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		var c vault.Count
		w.read(func(tx *sqlite.Tx) (err error) { c, err = vault.Counts(tx); return err })
		if c.Wanted == 0 && c.Kept > 0 {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("files: %+v", c)
		}
	}
}

// A photo and a document are kept as they were delivered, never in the clear, and
// are in the email of their conversation; what is too large for it is named there.
func TestPhotosAndDocuments(t *testing.T) {
	w := found(t)
	w.edit(`pause = "15m"`, "pause = \"15m\"\nattach_megabytes = 1")
	stop := w.run()
	picture, survey, video := photo(900), []byte("%PDF-1.4 the drainage survey of Mill Lane, all of it"), bytes.Repeat([]byte("frames "), 300_000)
	shown := w.ann.SendsImage(picture, "The culvert this morning")
	sent := w.bo.SendsDocument("Drainage survey.pdf", "application/pdf", survey, "The contractor's report")
	film := w.bo.SendsVideo(video, "")
	w.ann.Reacts(shown, "📌")
	w.must(w.server.WaitSettled(w.soon()))
	email := w.emailed(1)[0]
	letter := plain(email)
	for _, want := range []string{"The culvert this morning", "[Photo from Cllr Ann Brook", "Attached: Drainage survey.pdf (PDF,", "too large for this email"} {
		if !strings.Contains(letter, want) {
			t.Errorf("the letter lacks %q:\n%s", want, letter)
		}
	}
	if !bytes.Contains(email, []byte("multipart/related")) || !bytes.Contains(email, []byte("Content-Disposition: inline")) {
		t.Error("the letter shows no picture")
	}
	stop()
	records := w.records()
	for m, want := range map[*standin.Message][]byte{shown: picture, sent: survey, film: video} {
		rs := records[m.ID()]
		if len(rs) != 1 || !rs[0].HasFile {
			t.Fatalf("%+v", rs)
		}
		if got := w.file(rs[0].Seq); !bytes.Equal(got, want) {
			t.Errorf("the file of record %d is not what was sent", rs[0].Seq)
		}
	}
	w.nothingOf("the drainage survey of Mill Lane", "frames frames")
	w.verifies()
	w.onlyReceives()
}

// The daemon is killed again and again while files are being fetched from a server
// that fails and cuts off now and then: each is kept in the end, or lost with its
// reason, and every message is there once.
func TestKilledWhileFetching(t *testing.T) {
	files, kills := 24, 6
	if testing.Short() {
		files, kills = 6, 2
	}
	w := found(t)
	w.showLogOfFailure()
	sent := make(map[*standin.Message][]byte)
	for n := range files {
		b := bytes.Repeat(fmt.Appendf(nil, "file %d, ", n), 40_000+rand.IntN(40_000))
		sent[w.ann.SendsDocument(fmt.Sprintf("report %d.pdf", n), "application/pdf", b, "")] = b
	}
	gone := w.bo.SendsDocument("gone.pdf", "application/pdf", []byte("nobody will have it"), "")
	w.server.Expire(gone.Upload())
	w.server.SetSupplies(standin.SuppliesNotFound)
	for range kills {
		w.server.FailMedia(2)
		w.server.CutMedia(2, 100_000)
		c := w.spawn()
		time.Sleep(time.Duration(30+rand.IntN(250)) * time.Millisecond)
		w.must(c.Process.Kill())
		_ = c.Wait() // killed: it cannot have ended well
	}
	w.server.FailMedia(0)
	// A kill may have come after it was noted that the phone is asked, and before it was: then
	// it is asked again an hour later.
	w.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	stop := w.run()
	w.must(w.server.WaitSettled(w.soon()))
	w.waitKept()
	stop()
	records := w.records()
	for m, want := range sent {
		rs := records[m.ID()]
		if len(rs) != 1 {
			t.Fatalf("a message is in the archive %d times", len(rs))
		}
		if !bytes.Equal(w.file(rs[0].Seq), want) {
			t.Errorf("the file of record %d is not what was sent", rs[0].Seq)
		}
	}
	w.read(func(tx *sqlite.Tx) error {
		seq := records[gone.ID()][0].Seq
		m, err := vault.Of(tx, []record.Seq{seq})
		if m[seq].State != vault.Lost || m[seq].Reason == "" {
			t.Errorf("of the file that WhatsApp has no more is known: %q, %q", m[seq].State, m[seq].Reason)
		}
		return err
	})
	w.verifies()
}

// What was forwarded is edited and deleted afterwards: the mailbox gets a correction
// in the same thread, and the archive keeps every version. What a member had no right
// to is kept as an attempt.
func TestEditedAndDeletedAfterwards(t *testing.T) {
	w := found(t)
	stop := w.run()
	m := w.ann.Says("The hall is booked for the 12th.")
	w.bo.Reacts(m, "📌")
	w.emailed(1)
	other := w.bo.Says("I shall bring the keys.")
	edit := w.ann.Edits(m, "The hall is booked for the 14th.")
	again := w.ann.EditsBare(m, "The hall is booked for the 19th.")
	forged := w.stranger.ForgesEdit(m, "The hall is not booked at all.")
	theft := w.stranger.ForgesDeletion(other)
	w.must(w.server.WaitSettled(w.soon()))
	first, correction := w.emailed(2)[0], w.emailed(2)[1]
	text := plain(correction)
	for _, want := range []string{"Correction to WhatsApp conversation 1", "booked for the 19th", "booked for the 12th", "booked for the 14th", "without the right"} {
		if !strings.Contains(text+header(t, correction, "Subject"), want) {
			t.Errorf("the correction lacks %q:\n%s", want, text)
		}
	}
	if id := header(t, first, "Message-Id"); id == "" || header(t, correction, "In-Reply-To") != id {
		t.Errorf("the correction answers %q; the letter is %q", header(t, correction, "In-Reply-To"), id)
	}
	deletion := w.ann.Deletes(m)
	w.must(w.server.WaitSettled(w.soon()))
	if text := plain(w.emailed(3)[2]); !strings.Contains(text, "Deleted by its sender") || !strings.Contains(text, "booked for the 19th") {
		t.Errorf("the second correction does not tell of the deletion:\n%s", text)
	}
	stop()
	records := w.records()
	message, untouched := records[m.ID()][0], records[other.ID()][0]
	if message.Text != "The hall is booked for the 12th." || message.EditedBy != records[again.ID()][0].Seq || message.DeletedBy != records[deletion.ID()][0].Seq {
		t.Errorf("the message is %+v", message)
	}
	if !untouched.Effective || untouched.DeletedBy != 0 {
		t.Errorf("a forged deletion has an effect: %+v", untouched)
	}
	for _, x := range []struct {
		m        *standin.Message
		entitled bool
	}{{edit, true}, {again, true}, {forged, false}, {theft, false}, {deletion, true}} {
		rs := records[x.m.ID()]
		if len(rs) != 1 || rs[0].Entitled != x.entitled {
			t.Errorf("a change is %+v; want entitled %v", rs, x.entitled)
		}
	}
	for _, secret := range []string{"booked", "keys"} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	w.accounted()
	w.verifies()
	w.onlyReceives()
}

// header returns a field of an email.
func header(t testing.TB, raw []byte, name string) string {
	t.Helper()
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	value, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get(name))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// The clerk reacts with a padlock: everything is on hold, and she is told. Taking it
// back releases nothing; others' padlocks are reactions like any other.
func TestTheClerkPlacesAHoldFromHerPhone(t *testing.T) {
	w := found(t)
	w.archive(func(db *sqlite.DB) error {
		return db.Write(t.Context(), func(tx *sqlite.Tx) error {
			a, err := people.ParseNumber("07700 900103")
			if err != nil {
				return err
			}
			return people.AddMember(tx, time.Now(), "the test", "", people.Member{Name: "Jo Hall", Role: "clerk"}, a)
		})
	})
	jo := w.server.Member("Jo", "+447700900103")
	w.phone.Adds(jo)
	stop := w.run()
	m := w.ann.Says("I shall say it again in court.")
	w.bo.Reacts(m, "🛑")
	w.must(w.server.WaitSettled(w.soon()))
	w.read(func(tx *sqlite.Tx) error {
		holds, err := archive.Holds(tx)
		if len(holds) != 0 {
			t.Errorf("a councillor has placed %+v", holds)
		}
		return err
	})
	jo.In(w.official).Reacts(m, "🛑")
	jo.In(w.official).TakesBack(m)
	jo.In(w.official).Reacts(m, "🛑️")
	w.must(w.server.WaitSettled(w.soon()))
	text := plain(w.emailed(1)[0])
	for _, want := range []string{"nothing of the WhatsApp record is destroyed", "Jo Hall placed hold 1"} {
		if !strings.Contains(text, want) {
			t.Errorf("the letter lacks %q:\n%s", want, text)
		}
	}
	stop()
	w.read(func(tx *sqlite.Tx) error {
		holds, err := archive.Holds(tx)
		if len(holds) != 1 || holds[0].PlacedBy != "Jo Hall" || !holds[0].Released.IsZero() || holds[0].Review == "" {
			t.Errorf("holds: %+v", holds)
		}
		return err
	})
	w.verifies()
}

// Who is in the group, who its admins are, and what it is called, is on record.
func TestChangesOfTheGroup(t *testing.T) {
	w := found(t)
	stop := w.run()
	w.must(w.server.WaitSettled(w.soon()))
	m := w.bo.Says("A word too many.")
	w.phone.Promotes(w.ann)
	w.ann.Deletes(m)
	w.phone.Demotes(w.ann)
	w.phone.Retitles("Cranford PC (official)")
	w.phone.Describes("Everything here is kept for six years.")
	w.phone.SetsTimer(7 * 24 * time.Hour)
	w.must(w.server.WaitSettled(w.soon()))
	stop()
	var changes []string
	w.read(func(tx *sqlite.Tx) error {
		return archive.Each(tx, func(r archive.Record) error {
			switch r.Kind {
			case record.Group:
				changes = append(changes, string(r.Type)+": "+r.Text)
			case record.Participants, record.Deletion:
				changes = append(changes, fmt.Sprint(r.Type, " ", r.Entitled))
			}
			return nil
		})
	})
	want := []string{"present false", "promoted false", "admin true", "demoted false", "subject: Cranford PC (official)",
		"description: Everything here is kept for six years.", "timer: 604800"}
	if fmt.Sprint(changes) != fmt.Sprint(want) {
		t.Errorf("changes:\n%q\nwant\n%q", changes, want)
	}
	if rs := w.records()[m.ID()]; len(rs) != 1 || rs[0].DeletedBy == 0 || rs[0].Text != "A word too many." {
		t.Errorf("what the admin deleted is %+v", rs)
	}
	w.verifies()
	w.onlyReceives()
}
