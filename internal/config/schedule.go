package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"muniment/internal/retention"
)

// Retention says how long what is kept: by which schedule.
type Retention struct {
	// File is where the council's own schedule stands; empty for none. Then the
	// program's own holds.
	File string

	// Schedule is that schedule. If it does not name the minute that adopted it, it is
	// taken to have been adopted with the policy.
	Schedule retention.Schedule
}

const mostYears = 100 // of a period that ends

// loadSchedule reads the retention schedule that the configuration names, and returns
// what is wrong with it. If it cannot be read at all, that is a fault of the
// configuration, doc.
func (c *Config) loadSchedule(doc *document) error {
	if c.Retention.File == "" {
		c.Retention.Schedule.Minute = c.Policy.Minute
		return nil
	}
	if !filepath.IsAbs(c.Retention.File) {
		c.Retention.File = filepath.Join(filepath.Dir(c.File), c.Retention.File)
	}
	s := doc.top().section("retention")
	data, err := os.ReadFile(c.Retention.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.fault("schedule", "there is no such file: copy configs/retention.toml there and edit it, or remove this line, and six years hold")
		return nil
	case err != nil:
		s.fault("schedule", "the file cannot be read: let the service's user read it (chown root:muniment, chmod 0640)")
		return nil
	}
	schedule, err := parse(c.Retention.File, data)
	if err != nil {
		return err
	}
	c.Retention.Schedule = readSchedule(schedule)
	if c.Retention.Schedule.Minute == "" {
		c.Retention.Schedule.Minute = c.Policy.Minute
	}
	schedule.noteUnknown()
	return schedule.err()
}

// readSchedule takes over a retention schedule. The keys asked for here are all the keys
// there are.
func readSchedule(doc *document) (schedule retention.Schedule) {
	top := doc.top()
	top.text("minute", &schedule.Minute)
	for _, s := range top.sections("class") {
		var r retention.Rule
		var code, from, period string
		s.text("code", &code, classCode)
		s.prose("covers", &r.Covers)
		s.text("from", &from)
		s.text("period", &period, aPeriod)
		s.text("authority", &r.Authority)
		s.list("groups", &r.Groups, groupJID)
		for _, needed := range [][2]string{
			{"code", "which class this is: " + classCodes()},
			{"covers", "in plain words what it covers"},
			{"period", `how long it is kept: "6 years", or "permanent"`},
			{"authority", `what that rests on, such as "Policy §5"`},
		} {
			if text, ok := s.values[needed[0]].(string); !s.gives(needed[0]) || ok && strings.TrimSpace(text) == "" {
				s.fault(needed[0], "write %s", needed[1])
			}
		}
		slices.Sort(r.Groups)
		r.Groups = slices.Compact(r.Groups)
		r.Class, r.Years = retention.Class(code), yearsOf(period)
		r.From = retention.Triggers[r.Class]
		if r.From != "" && from != "" && from != string(r.From) {
			s.fault("from", "periods of this class count from %q and from nothing else: write that", r.From)
		}
		schedule.Rules = append(schedule.Rules, r)
	}
	return schedule
}

func classCode(text string) error {
	if retention.Triggers[retention.Class(text)] == "" {
		return fmt.Errorf("there is no such class: write %s", classCodes())
	}
	return nil
}

func classCodes() string {
	var codes []string
	for c := range retention.Triggers {
		codes = append(codes, string(c))
	}
	slices.Sort(codes)
	return strings.Join(codes, ", ")
}

var periods = regexp.MustCompile(`^([1-9]\d{0,2}) years?$`)

func aPeriod(text string) error {
	if n := yearsOf(text); n == 0 || n > mostYears && n != retention.Permanent {
		return fmt.Errorf(`write "permanent", or a number of years from 1 to %d, such as "6 years"`, mostYears)
	}
	return nil
}

// yearsOf returns how long a period is; 0 if it is none.
func yearsOf(period string) int {
	if period == "permanent" {
		return retention.Permanent
	}
	m := periods.FindStringSubmatch(period)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1]) // three digits
	return n
}
