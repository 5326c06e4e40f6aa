package disposal

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/forward"
	"muniment/internal/mail"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// The certificate names, of the clerk's digests and of the councillors', the first that was
// handed over after a record came, be it of a week or of a day.
func TestDigestsOnTheCertificate(t *testing.T) {
	c := newCouncil(t)
	c.says(ann, "A1", culvert)
	day := retention.DateOf(said)
	write := func(e forward.Edition, composed, at time.Time, state mail.State) {
		c.write(func(tx *sqlite.Tx) error {
			id, err := mail.Queue(tx, at, mail.Item{Kind: e.Kind, About: e.About(), MessageID: fmt.Sprintf("%s.%d", e.Kind, e.About()), From: "a", To: []string{"b"}})
			if err == nil {
				_, err = tx.Exec("UPDATE recipient SET state = ?, finished_at = ? WHERE email = ?", state, sqlite.FormatTime(at), id)
			}
			if err == nil {
				_, err = tx.Exec("UPDATE email SET composed_at = ? WHERE id = ?", sqlite.FormatTime(composed), id)
			}
			return err
		})
	}
	meeting := func(d retention.Date) forward.Edition {
		return forward.Edition{Kind: forward.MeetingLetter, Meeting: d}
	}
	morning := func(d retention.Date) time.Time { return d.Start().Add(7 * time.Hour) }
	c.write(func(tx *sqlite.Tx) error { _, err := c.d.Key.Sign(tx, c.now); return err })
	later := c.now.Add(time.Hour)                                                                           // the record came years after it was sent
	write(forward.Daily(day.AddDays(-1)), morning(day), later, mail.HandedOver)                             // before it was sent
	write(forward.Daily(day), morning(day.AddDays(1)), later, mail.Refused)                                 // nobody has it
	write(forward.Daily(day.AddDays(1)), morning(day.AddDays(2)), morning(day.AddDays(2)), mail.HandedOver) // before it came
	write(forward.Daily(day.AddDays(2)), morning(day.AddDays(3)), later, mail.HandedOver)                   // it may be in this
	write(forward.Daily(day.AddDays(3)), morning(day.AddDays(4)), later, mail.HandedOver)                   // but not again
	write(meeting(day.AddDays(3)), morning(day), later, mail.HandedOver)                                    // before it was sent
	write(meeting(day.AddDays(30)), morning(day.AddDays(25)), later, mail.HandedOver)                       // it may be in this
	write(meeting(day.AddDays(60)), morning(day.AddDays(55)), later, mail.HandedOver)                       // but not again
	c.nightsUntil("2032-03-03")
	want := []EmailedCopy{
		{Digest: day.AddDays(2), Edition: "daily", MessageID: fmt.Sprintf("daily digest.%d", day.AddDays(2).Number()), SentAt: later, Records: 1},
		{Digest: day.AddDays(30), Edition: "meeting", MessageID: fmt.Sprintf("meeting digest.%d", day.AddDays(30).Number()), SentAt: later, Records: 1},
	}
	if diff := cmp.Diff(want, c.certified(1).Emails); diff != "" {
		t.Errorf("emailed copies (-want +got)\n%s", diff)
	}
}
