package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/retention"
)

const schedulePath = "../../configs/retention.toml"

// schedule loads a configuration with that retention schedule beside it.
func schedule(t *testing.T, text string) (retention.Schedule, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"muniment.toml": "[policy]\nminute = '24/037'\n[retention]\nschedule = 'schedules/council.toml'\n", "schedules/council.toml": text,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load(filepath.Join(dir, "muniment.toml"))
	return c.Retention.Schedule, err
}

func shipped(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(schedulePath)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// What is shipped is what holds without it.
func TestTheShippedScheduleIsTheProgramsOwn(t *testing.T) {
	got, err := schedule(t, shipped(t))
	if err != nil {
		t.Fatal(err)
	}
	want := retention.Default()
	want.Minute = "24/037" // that of the policy
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("schedule (-program's own +configs/retention.toml):\n%s", diff)
	}
	without, err := load(t, "[policy]\nminute = '24/037'\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, without.Retention.Schedule); diff != "" {
		t.Errorf("without one (-want +got):\n%s", diff)
	}
}

// With its examples switched on, a minute of its own counts and a group has its own rule;
// and every key that there is, is documented.
func TestTheShippedScheduleWithItsExamples(t *testing.T) {
	text := settingLine.ReplaceAllStringFunc(shipped(t), func(line string) string { return line[1:] })
	got, err := schedule(t, text)
	if err != nil {
		t.Fatal(err)
	}
	if got.Minute != "24/037" || got.Years(retention.Messages, "120363049876543210@g.us") != 10 || got.Years(retention.Messages, "1@g.us") != 6 {
		t.Errorf("the schedule is %+v", got)
	}
	doc, err := parse(schedulePath, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	readSchedule(doc)
	for key := range doc.asked {
		if name := display(key); !regexp.MustCompile(`(?m)^#?(\[\[)?` + strings.TrimPrefix(name, "class.") + `( = |\]\])`).MatchString(shipped(t)) {
			t.Errorf("%s does not document %s", schedulePath, name)
		}
	}
}

func TestAScheduleIsRefused(t *testing.T) {
	const whole = "[[class]]\ncode = 'WA-MSG'\ncovers = 'x'\nperiod = '6 years'\nauthority = 'y'\n"
	for _, tt := range []struct {
		name, text string
		at         string // line:column
		want       string // in the sentence that follows
	}{
		{"not TOML", "[[class]]\ncode = WA-MSG", "2:8", "this is not TOML"},
		{"no such class", strings.Replace(whole, "WA-MSG", "WA-MGS", 1), "2:1", "class.code: there is no such class: write WA-ACCESSLOG, WA-BREACH, WA-CERT, "},
		{"a class without a code", "[[class]]\ncovers = 'x'\nperiod = '6 years'\nauthority = 'y'\n", "1:3", "class.code: write which class this is: WA-ACCESSLOG, "},
		{"without a period", "[[class]]\ncode = 'WA-MSG'\ncovers = 'x'\nauthority = 'y'\n", "1:3", `class.period: write how long it is kept: "6 years", or "permanent"`},
		{"a number for a period", strings.Replace(whole, "'6 years'", "6", 1), "4:1", "class.period: write text in double quotes"},
		{"no time at all", strings.Replace(whole, "6 years", "0 years", 1), "4:1", `write "permanent", or a number of years from 1 to 100, such as "6 years"`},
		{"months", strings.Replace(whole, "6 years", "6 months", 1), "4:1", `write "permanent", or a number of years`},
		{"past any calendar", strings.Replace(whole, "6 years", "999 years", 1), "4:1", `write "permanent", or a number of years`},
		{"a trigger of another class", whole + "from = 'closed'\n", "6:1", `class.from: periods of this class count from "message" and from nothing else: write that`},
		{"a group by its name", whole + "groups = ['Planning']\n", "6:11", "class.groups: write the group's jid as `muniment groups` shows it"},
		{"a misspelt key", whole + "autority = 'y'\n", "6:1", "class.autority: there is no such key: correct or remove it; here there may be authority, "},
		{"the minute in a class", whole + "minute = '1'\n", "6:1", "class.minute: there is no such key here: it belongs at the top of the file"},
		{"a class in single brackets", "[class]\ncode = 'WA-MSG'", "1:2", "write [[class]] in double brackets"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := schedule(t, tt.text)
			if err == nil {
				t.Fatal("it is taken")
			}
			if first, _, _ := strings.Cut(err.Error(), "\n"); !strings.Contains(first, "council.toml:"+tt.at+": ") || !strings.Contains(first, tt.want) {
				t.Errorf("refused with\n%v\nwant %s: %s", err, tt.at, tt.want)
			}
		})
	}
}
