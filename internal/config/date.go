package config

import (
	"errors"
	"regexp"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// A Review says by when the council is to review its policy.
type Review struct {
	// Due is the last day for it, midnight UTC; zero if not given.
	Due time.Time

	// MonthOnly is set if the policy names a month, of which Due is the last
	// day.
	MonthOnly bool
}

// String returns what the policy says: "30 September 2026" or "September 2026",
// empty if nothing.
func (r Review) String() string {
	switch {
	case r.Due.IsZero():
		return ""
	case r.MonthOnly:
		return r.Due.Format("January 2006")
	}
	return r.Due.Format("2 January 2006")
}

var ordinal = regexp.MustCompile(`^(\d{1,2})(st|nd|rd|th) `)

// parseDay reads a date as councils write it: 2024-09-16, 16 September 2024 or
// 16th September 2024.
func parseDay(text string) (time.Time, error) {
	text = ordinal.ReplaceAllString(text, "$1 ")
	for _, layout := range []string{time.DateOnly, "2 January 2006"} {
		if day, err := time.Parse(layout, text); err == nil {
			return day, nil
		}
	}
	return time.Time{}, errors.New("write a date, such as 2024-09-16 or \"16 September 2024\"")
}

// parseReview reads a date, or a month such as September 2026.
func parseReview(text string) (Review, error) {
	if month, err := time.Parse("January 2006", text); err == nil {
		return Review{Due: month.AddDate(0, 1, -1), MonthOnly: true}, nil
	}
	day, err := parseDay(text)
	if err != nil {
		return Review{}, errors.New("write a month or a date, such as \"September 2026\" or 2026-09-30")
	}
	return Review{Due: day}, nil
}

// dateText returns the text of a date: quoted, or one of TOML's own. It is empty
// for anything else.
func dateText(v any) string {
	switch v := v.(type) {
	case toml.LocalDate:
		return v.String()
	case string:
		return v
	}
	return ""
}

// date takes over a date.
func (s section) date(key string, into *time.Time) {
	v, given := s.value(key)
	if !given || v == "" {
		return
	}
	day, err := parseDay(dateText(v))
	if err != nil {
		s.fault(key, "%v", err)
		return
	}
	*into = day
}

// dates takes over a list of dates.
func (s section) dates(key string, into *[]time.Time) {
	v, given := s.value(key)
	if !given {
		return
	}
	values, ok := v.([]any)
	if !ok {
		s.fault(key, "write a list of dates in square brackets, such as [2026-12-07, 2027-01-11]")
		return
	}
	var days []time.Time
	for i, v := range values {
		day, err := parseDay(dateText(v))
		if err != nil {
			s.faultIn(key, i, err)
			continue
		}
		days = append(days, day)
	}
	*into = days
}

// review takes over a date or a month.
func (s section) review(key string, into *Review) {
	v, given := s.value(key)
	if !given || v == "" {
		return
	}
	review, err := parseReview(dateText(v))
	if err != nil {
		s.fault(key, "%v", err)
		return
	}
	*into = review
}
