package retention

import (
	"testing"
	"time"
)

// The vectors of REQUIREMENTS.md 9.4.
func TestDue(t *testing.T) {
	for _, tt := range []struct {
		name, sent string
		due        Date
	}{
		{"an evening in summer is the same London day", "2024-09-16T22:30:00Z", "2030-09-17"},
		{"half past midnight in summer is the next London day", "2026-06-30T23:30:00Z", "2032-07-02"},
		{"a leap day without its like falls on 1 March", "2024-02-29T12:00:00Z", "2030-03-02"},
		{"the day before a leap day is due on the leap day", "2026-02-28T10:00:00Z", "2032-02-29"},
		{"the last second of the year", "2026-12-31T23:59:59Z", "2033-01-01"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sent, err := time.Parse(time.RFC3339, tt.sent)
			if err != nil {
				t.Fatal(err)
			}
			if got := (ForYears(6)).Due(sent); got != tt.due {
				t.Errorf("Due(%s) = %s; want %s", tt.sent, got, tt.due)
			}
		})
	}
}

// A full period has always passed when a record falls due, whatever the day.
func TestDueIsNeverEarly(t *testing.T) {
	s := ForYears(6)
	for day := time.Date(2023, 1, 1, 0, 0, 0, 0, London); day.Year() < 2029; day = day.AddDate(0, 0, 1) {
		for _, hour := range []int{0, 1, 12, 23} {
			sent := day.Add(time.Duration(hour) * time.Hour)
			full := sent.In(London).AddDate(6, 0, 0)
			if due := s.Due(sent).Start(); !due.After(full) && !due.Equal(full) {
				t.Fatalf("sent %s: due %s, before the full six years", sent, due)
			}
		}
	}
}

func TestFrom(t *testing.T) {
	captured := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name       string
		sent, want time.Time
	}{
		{"the message's own time counts", captured.Add(-time.Hour), captured.Add(-time.Hour)},
		{"a clock some hours fast is believed", captured.Add(23 * time.Hour), captured.Add(23 * time.Hour)},
		{"a clock over a day fast is not", captured.Add(25 * time.Hour), captured},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := From(tt.sent, captured); !got.Equal(tt.want) {
				t.Errorf("From = %s; want %s", got, tt.want)
			}
		})
	}
}

func TestDateStartsInLondon(t *testing.T) {
	for d, want := range map[Date]string{
		"2026-07-01": "2026-06-30T23:00:00Z",
		"2026-12-01": "2026-12-01T00:00:00Z",
	} {
		if got := d.Start().UTC().Format(time.RFC3339); got != want {
			t.Errorf("%s starts at %s; want %s", d, got, want)
		}
	}
}
