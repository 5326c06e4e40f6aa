package config

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/record"
	"muniment/internal/retention"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// load loads text as a configuration file with nothing taken from the
// environment.
func load(t *testing.T, text string) (Config, error) {
	t.Helper()
	t.Setenv("STATE_DIRECTORY", "")
	path := filepath.Join(t.TempDir(), "muniment.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Dir(path), os.DirFS("testdata/beside")); err != nil { // a retention schedule
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil && !cmp.Equal(c, Config{}) {
		t.Errorf("Load returned both an error and a configuration: %+v", c)
	}
	return c, err
}

func day(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

const complete = `
state_directory = "/srv/muniment"
[council]
name = "Cranford Parish Council"
domains = ["Cranford-PC.example.gov.uk", "cranford.example"]
[policy]
title = "WhatsApp Use Policy"
adopted = 2024-09-16
minute = "24/037"
review = 2026-09-16
section = "5a"
[[group]]
jid = "120363041234567890@g.us"
name = "Cranford councillors"
purpose = """
  Quick messages.
  No decisions."""
[[group]]
jid = "447700900001-1398765432@g.us"
name = "Officers"
purpose = "Rotas."
every_councillor = false
conversations_to = "office@cranford.example"
[group.notice]
version = "officers 1"
given_on = 2026-11-09
method = "By hand"
[group.mark.important]
emoji = ["🗂"]
roles = ["officer"]
[group.mark.rota]
emoji = ["🗓"]
does = "forward"
to = "rotas@cranford.example"
[group.conversation]
pause = "1h"
[[group]]
jid = "120363041234567891@g.us"
name = "Planning"
purpose = "Site visits."
[group.mark.private]
emoji = []
[group.conversation]
settle = "5m"
at_most = 9
[notice]
version = "2"
given_on = "2nd November 2026"
method = "By email"
[mark.important]
emoji = ["📌", "1️⃣"]
roles = ["clerk"]
to = "records@cranford.example"
[mark.concern]
to = "dpo@cranford.example"
about_clerk_to = "chair@cranford.example"
[mark.hold]
emoji = ["⛔"]
roles = ["chair"]
[conversation]
attach_megabytes = 3
settle = "0s"
pause = "1h30m"
at_most = 50
[mail]
server = "[2001:db8::25]:465"
security = "tls"
username = "record"
auth = "oauth"
password_file = "/srv/password"
from = "record@cranford.example"
conversations_to = "Council@CRANFORD-PC.example.gov.uk"
clerk = "clerk@cranford-pc.example.gov.uk"
ca_file = "/srv/ca.pem"
helo = "records.cranford.example"
per_hour = 10
[mail.oauth]
tenant = "cranford.example"
client_id = "11111111-2222-3333-4444-555555555555"
scope = "https://mail.example/.default"
secret_file = "/srv/secret"
secret_expires = 2028-11-02
[retention]
schedule = "retention.toml"
[disposal]
approval = "standing"
approval_minute = "26/101"
notice_days = 60
[schedule]
nightly = "15 0,2 * * 1-5"
[digest]
every = "day"
schedule = "30 6 * * 2"
content = "references"
[meetings]
dates = [2026-12-07, "11th January 2027"]
days_before = 7
[alerts]
technical_to = "it@cranford.example"
command = ["/usr/local/bin/page", "the duty engineer"]
[backup]
directory = "/srv/backups"
recipient = "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"
schedule = "0 5 * * *"
keep_days = 14
copy_command = ["/usr/bin/rclone", "copy"]
prune_command = ["/usr/bin/rclone", "sync"]
[ledger]
timestamp_url = "https://time.example"
timestamp_ca = "/srv/time.pem"
`

func TestEverySettingIsTakenOver(t *testing.T) {
	got, err := load(t, complete)
	if err != nil {
		t.Fatal(err)
	}
	marks := record.Marks{
		{Name: "important", Emoji: []string{"📌", "1️⃣"}, Roles: []string{"clerk"}, Does: record.Forward, To: "records@cranford.example"},
		{Name: "concern", Emoji: []string{"🚩"}, Roles: mostRoles, Does: record.Report, To: "dpo@cranford.example", AboutClerk: "chair@cranford.example"},
		{Name: "private", Emoji: []string{"🔒"}, Roles: mostRoles, Does: record.Look},
		{Name: "hold", Emoji: []string{"⛔"}, Roles: []string{"chair"}, Does: record.Hold},
	}
	officers := slices.Clone(marks)
	officers[0].Emoji, officers[0].Roles = []string{"🗂"}, []string{"officer"}
	officers = append(officers, record.Mark{Name: "rota", Emoji: []string{"🗓"}, Roles: mostRoles, Does: record.Forward, To: "rotas@cranford.example"})
	planning := slices.Clone(marks)
	planning[2].Emoji = []string{}
	want := Config{
		File:           got.File,
		StateDirectory: "/srv/muniment",
		Council: Council{
			Name:      "Cranford Parish Council",
			Regulator: "the Information Commissioner",
			Domains:   []string{"cranford-pc.example.gov.uk", "cranford.example"},
		},
		Policy: Policy{
			Title:   "WhatsApp Use Policy",
			Adopted: day(2024, time.September, 16),
			Minute:  "24/037",
			Review:  Review{Due: day(2026, time.September, 16)},
			Section: "5a",
		},
		Groups: []Group{
			{JID: "120363041234567890@g.us", Name: "Cranford councillors", Purpose: "Quick messages. No decisions.",
				EveryCouncillor: true, ConversationsTo: "Council@CRANFORD-PC.example.gov.uk",
				Notice: Notice{Version: "2", GivenOn: day(2026, time.November, 2), Method: "By email"},
				Marks:  marks, Conversation: Conversation{Attach: 3 << 20, Pause: 90 * time.Minute, AtMost: 50}},
			{JID: "447700900001-1398765432@g.us", Name: "Officers", Purpose: "Rotas.",
				ConversationsTo: "office@cranford.example",
				Notice:          Notice{Version: "officers 1", GivenOn: day(2026, time.November, 9), Method: "By hand"},
				Marks:           officers, Conversation: Conversation{Attach: 3 << 20, Pause: time.Hour, AtMost: 50}},
			{JID: "120363041234567891@g.us", Name: "Planning", Purpose: "Site visits.",
				EveryCouncillor: true, ConversationsTo: "Council@CRANFORD-PC.example.gov.uk",
				Notice: Notice{Version: "2", GivenOn: day(2026, time.November, 2), Method: "By email"},
				Marks:  planning, Conversation: Conversation{Attach: 3 << 20, Settle: 5 * time.Minute, Pause: 90 * time.Minute, AtMost: 9}},
		},
		Notice:       Notice{Version: "2", GivenOn: day(2026, time.November, 2), Method: "By email"},
		Marks:        marks,
		Conversation: Conversation{Attach: 3 << 20, Pause: 90 * time.Minute, AtMost: 50},
		Mail: Mail{
			Server:       "[2001:db8::25]:465",
			Security:     SecurityTLS,
			Username:     "record",
			Auth:         AuthOAuth,
			PasswordFile: "/srv/password",
			OAuth: OAuth{
				TokenURL: "https://login.microsoftonline.com/cranford.example/oauth2/v2.0/token",
				ClientID: "11111111-2222-3333-4444-555555555555", Scope: "https://mail.example/.default",
				SecretFile: "/srv/secret", SecretExpires: day(2028, time.November, 2),
			},
			From:            "record@cranford.example",
			ConversationsTo: "Council@CRANFORD-PC.example.gov.uk",
			Clerk:           "clerk@cranford-pc.example.gov.uk",
			CAFile:          "/srv/ca.pem",
			Helo:            "records.cranford.example",
			PerHour:         10,
		},
		Retention: Retention{File: got.Retention.File, Schedule: retention.Schedule{Minute: "24/037", Rules: []retention.Rule{
			{Class: retention.Messages, Covers: "What is said", From: retention.FromMessage, Years: 7, Authority: "Policy §5"}}}},
		Disposal: Disposal{Approval: ApprovalStanding, ApprovalMinute: "26/101", NoticeDays: 60},
		Schedule: Schedule{Nightly: "15 0,2 * * 1-5"},
		Digest:   Digest{Every: EveryDay, Schedule: "30 6 * * 2", Content: ContentReferences},
		Meetings: Meetings{Dates: []time.Time{day(2026, time.December, 7), day(2027, time.January, 11)}, DaysBefore: 7},
		Alerts:   Alerts{TechnicalTo: "it@cranford.example", Command: []string{"/usr/local/bin/page", "the duty engineer"}},
		Backup: Backup{Directory: "/srv/backups", Recipient: "age1" + strings.Repeat("q", 58), Schedule: "0 5 * * *", KeepDays: 14,
			Copy: []string{"/usr/bin/rclone", "copy"}, Prune: []string{"/usr/bin/rclone", "sync"}},
		Ledger: Ledger{TimestampURL: "https://time.example", TimestampCA: "/srv/time.pem"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if filepath.Base(got.File) != "muniment.toml" {
		t.Errorf("File = %q, want the path it was loaded from", got.File)
	}
	if err := got.ReadyToRun(); err != nil {
		t.Errorf("not ready to run: %v", err)
	}
}

func TestTheFormOfTheFileDoesNotMatter(t *testing.T) {
	for _, tt := range []struct {
		name, text string
	}{
		{"sections", "[disposal]\nnotice_days = 60\n[[group]]\njid = '1@g.us'"},
		{"dotted keys and lists of tables", "disposal.notice_days = 60\ngroup = [{jid = '1@g.us'}]"},
		{"tables on one line", "disposal = { notice_days = 60 }\ngroup = [\n  { jid = '1@g.us' },\n]"},
		{"lines that end as on Windows", "[disposal]\r\nnotice_days = 60\r\n[[group]]\r\njid = '1@g.us'\r\n"},
		{"blank values stand for none given", "state_directory = ''\n[disposal]\nnotice_days = 60\n[[group]]\njid = '1@g.us'\n[mail]\nsecurity = ' '\nclerk = ''\n[policy]\nadopted = ''\nreview = ''\nsection = ''\n[council]\ndomains = []\n[schedule]\nnightly = ''"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := load(t, tt.text)
			if err != nil {
				t.Fatal(err)
			}
			want := defaults()
			want.Disposal.NoticeDays = 60
			want.Groups = []Group{{JID: "1@g.us", EveryCouncillor: true, Marks: want.Marks, Conversation: want.Conversation}}
			got.File = ""
			if len(got.Council.Domains) == 0 {
				got.Council.Domains = nil
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnEmptyFileGivesTheDefaults(t *testing.T) {
	got, err := load(t, "")
	if err != nil {
		t.Fatal(err)
	}
	want := defaults()
	want.File = got.File
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestStateDirectory(t *testing.T) {
	for _, tt := range []struct {
		name, systemd, file, want string
	}{
		{"nothing is given", "", "", "/var/lib/muniment"},
		{"systemd names it", "/var/lib/muniment-cranford", "", "/var/lib/muniment-cranford"},
		{"systemd names several and the first is ours", "/var/lib/a:/var/lib/b", "", "/var/lib/a"},
		{"the file wins over systemd", "/var/lib/a", `state_directory = "/srv/m"`, "/srv/m"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "muniment.toml")
			if err := os.WriteFile(path, []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("STATE_DIRECTORY", tt.systemd)
			c, err := Load(path)
			if err != nil || c.StateDirectory != tt.want {
				t.Errorf("StateDirectory = %q, %v; want %q", c.StateDirectory, err, tt.want)
			}
		})
	}
}

func TestAMissingFileSaysWhatToDo(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.toml"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "copy configs/muniment.toml there") {
		t.Errorf("Load of a missing file: %v", err)
	}
}

// Every way of being wrong is refused at the line and column where it stands.
func TestWrongValuesAreRefused(t *testing.T) {
	const council = "[council]\ndomains = ['a.example', 'b.example']\n"
	for _, tt := range []struct {
		name, text string
		at         string // line:column
		want       string // in the sentence that follows
	}{
		{"a misspelt key", "[mail]\nservr = 'x:1'", "2:1", "mail.servr: there is no such key: correct or remove it; here there may be auth, ca_file, clerk, "},
		{"a misspelt section, told once", "[mial]\nserver = 'x:1'\nfrom = 'x'", "1:2", "mial: there is no such key: correct or remove it; here there may be alerts, "},
		{"a key in another case", "[disposal]\nNotice_days = 60", "2:1", "disposal.Notice_days: there is no such key"},
		{"a key of another section", "[mail]\nnotice_days = 60", "2:1", "it belongs under [disposal]"},
		{"a key of the top in a section", "[mail]\nstate_directory = '/x'", "2:1", "it belongs at the top of the file"},
		{"a key of a section at the top", "notice_days = 60", "1:1", "it belongs under [disposal]"},
		{"a misspelt key of a group", "[[group]]\njid = '1@g.us'\n[[group]]\njdi = '2@g.us'", "4:1", "group.jdi: there is no such key"},
		{"a misspelt section of a group", "[[group]]\njid = '1@g.us'\n[group.notcie]\nversion = '1'", "3:2", "group.notcie: there is no such key"},
		{"a key of a group's conversations in the group", "[[group]]\nsettle = '1m'", "2:1", "it belongs under [conversation] or under [group.conversation]"},
		{"a key that only all groups have", "[[group]]\n[group.conversation]\nattach_megabytes = 1", "3:1", "group.conversation.attach_megabytes: there is no such key here: it belongs under [conversation]"},
		{"a section of a group that is a value", "[[group]]\nconversation = '3m'", "2:1", "group.conversation: this is a section: write [group.conversation] in single brackets"},
		{"a section of no group", "[group.mark.hold]\nemoji = []", "1:2", "write [[group]] in double brackets"},
		{"a section of a group given twice", "[[group]]\n[group.conversation]\n[group.notice]\n[group.conversation]\nsettle = '1m'", "4:2", "group.conversation: this stands here for the second time, the first is in line 2"},
		{"a mark given twice", "[mark.hold]\n[mark.private]\n[mark.hold]\nemoji = []", "3:2", "mark.hold: this stands here for the second time, the first is in line 1"},
		{"a mark without a name", "[mark]\nemoji = ['📌']", "2:1", "mark.emoji: there is no such key here: it belongs under [mark.concern] or under [mark.hold] or"},
		{"a mark that is a list", "[mark]\nhold = ['🛑']", "2:1", "mark.hold: this is a section: write [mark.hold] in single brackets"},
		{"how to settle among the marks", "[mark]\nsettle = '1m'", "2:1", "it belongs under [conversation]"},
		{"marks in double brackets", "[[mark]]\nname = 'important'", "1:3", "mark: this is a section: write [mark] in single brackets"},
		{"a quoted key that looks like a path", "'mail.server' = 'x:1'", "1:1", "there is no such key"},
		{"a password in the file", "[mail]\npassword = 'hunter2'", "2:1", "no password stands in this file: put it in /etc/muniment/smtp-password"},
		{"a key given twice", "[disposal]\nnotice_days = 60\nnotice_days = 70", "3:1", "disposal.notice_days: this stands here for the second time, the first is in line 2"},
		{"a section given twice", "[mail]\n[digest]\n[mail]\nserver = 'x:1'", "3:2", "mail: this stands here for the second time, the first is in line 1"},
		{"a value without quotes", "[mail]\nserver = smtp.example:587", "2:10", "this is not TOML"},
		{"an impossible date", "[notice]\ngiven_on = 2026-02-30", "2:20", "this is not TOML"},
		{"a group in single brackets", "[group]\njid = '1@g.us'", "1:2", "write [[group]] in double brackets"},
		{"groups that are no tables", "group = ['1@g.us']", "1:1", "write [[group]] in double brackets"},
		{"a section in double brackets", "[[mail]]\nserver = 'x:1'", "1:3", "write [mail] in single brackets"},
		{"a section that is a value", "mail = 'x:1'", "1:1", "write [mail] in single brackets"},

		{"a number for text", "[notice]\nversion = 1", "2:1", "write text in double quotes"},
		{"text over two lines", "[council]\nname = \"\"\"A\nB\"\"\"", "2:1", "write it on one line"},
		{"a line break smuggled into a name", `group = [{name = "A\r\nBcc: x"}]`, "1:11", "write it on one line"},
		{"text for a list", "[council]\ndomains = 'a.example'", "2:1", "write a list in square brackets"},
		{"a number in a list", "[council]\ndomains = ['a.example', 7]", "2:25", "write every item of the list as text"},
		{"an empty item in a list", "[council]\ndomains = [\n  'a.example',\n  '',\n]", "4:3", "an item of the list is empty"},
		{"text for a number", "[disposal]\nnotice_days = '60'", "2:1", "write a whole number from 30 to 365"},
		{"a fraction", "[disposal]\nnotice_days = 60.5", "2:1", "write a whole number from 30 to 365"},
		{"notice past any calendar", "[disposal]\nnotice_days = 9223372036854775807", "2:1", "write a whole number from 30 to 365"},
		{"a period where it used to stand", "[retention]\nyears = 6", "2:1", "retention.years: the period stands in the retention schedule: remove this line."},
		{"a schedule that is not there", "[retention]\nschedule = 'none.toml'", "2:1", "retention.schedule: there is no such file: copy configs/retention.toml there"},
		{"a notice below 30 days", "[disposal]\nnotice_days = 29", "2:1", "write a whole number from 30 to 365"},
		{"no message at all", "[conversation]\nat_most = 0", "2:1", "write a whole number from 1 to 1000"},
		{"no email at all", "[mail]\nper_hour = 0", "2:1", "write a whole number from 1 to 3600"},
		{"a duration without a unit", "[conversation]\nsettle = '180'", "2:1", "at least 0s and at most 24h"},
		{"a number for a duration", "[conversation]\nsettle = 180", "2:1", "write how long in double quotes"},
		{"a negative duration", "[conversation]\nsettle = '-3m'", "2:1", "at least 0s and at most 24h"},
		{"no pause at all", "[conversation]\npause = '0s'", "2:1", "at least 1s and at most 24h"},

		{"a domain that is an address", "[council]\ndomains = ['@a.example']", "2:12", "write a mail domain of the council's own"},
		{"a domain that is a whole top level", "[council]\ndomains = ['example']", "2:12", "write a mail domain of the council's own"},
		{"a domain that is a pattern", "[council]\ndomains = ['*.a.example']", "2:12", "write a mail domain of the council's own"},
		{"a date in no known form", "[policy]\nadopted = '16/09/2024'", "2:1", "policy.adopted: write a date, such as 2024-09-16"},
		{"a time for a date", "[policy]\nadopted = 2024-09-16T10:00:00Z", "2:1", "write a date"},
		{"a day that the month has not", "[policy]\nadopted = '31 September 2024'", "2:1", "write a date"},
		{"a month for the date of adoption", "[policy]\nadopted = 'September 2024'", "2:1", "write a date"},
		{"a year for the review", "[policy]\nreview = '2026'", "2:1", "policy.review: write a month or a date"},
		{"a review before the adoption", "[policy]\nadopted = 2024-09-16\nreview = 'August 2024'", "3:1", "the review is before the policy was adopted"},
		{"a jid of a person", "[[group]]\njid = '447700900001@s.whatsapp.net'", "2:1", "ending in @g.us"},
		{"a jid without a name", "[[group]]\njid = '@g.us'", "2:1", "ending in @g.us"},
		{"the same group twice", "[[group]]\njid = '1@g.us'\n[[group]]\nname = 'x'\njid = '1@g.us'", "5:1", "this is the same group as in line 2"},
		{"two groups of one name", "[[group]]\njid = '1@g.us'\nname = 'Officers'\n[[group]]\njid = '2@g.us'\nname = 'OFFICERS '", "6:1", "group.name: the group in line 3 has this name too"},
		{"a word for a yes", "[[group]]\nevery_councillor = 'yes'", "2:1", "group.every_councillor: write true or false"},
		{"nothing to mark with in a group", "[[group]]\n[group.mark.important]\nemoji = []", "3:1", "group.mark.important.emoji: without an emoji no conversation can be marked for council email"},
		{"a group's emoji that holds everywhere", "[[group]]\n[group.mark.important]\nemoji = ['🛑']", "3:1", `group.mark.important.emoji: the mark "hold" has this emoji too`},
		{"an emoji for two, told once", "[mark.hold]\nemoji = ['📌']\n[[group]]\njid = '1@g.us'\n[group.mark.private]\nroles = ['clerk']", "2:1", "choose another"},
		{"a mark that does something else in a group", "[[group]]\n[group.mark.private]\ndoes = 'report'", "3:1", "group.mark.private.does: there is no such key here"},
		{"a date of a group's notice in no known form", "[[group]]\n[group.notice]\ngiven_on = 'soon'", "3:1", "group.notice.given_on: write a date"},
		{"a group's conversations leaving the council", council + "[[group]]\nconversations_to = 'clerk@gmail.example'", "4:1", "group.conversations_to: emails go only to and from"},
		{"nothing to mark with", "[mark.important]\nemoji = []", "2:1", "without an emoji no conversation can be marked for council email"},
		{"the name of an emoji", "[mark.important]\nemoji = ['📌', ':pushpin:']", "2:18", "write the emoji itself"},
		{"an emoji for two, the later of which is told", "[mark.hold]\nemoji = ['🚨']\n[mark.private]\nemoji = ['🤫', '🚨']", "4:1", `mark.private.emoji: the mark "hold" has this emoji too; skin tones make no difference: choose another`},
		{"an emoji of a mark that says nothing itself", "[mark.important]\nemoji = ['🔒']", "2:1", `the mark "private" has this emoji too`},
		{"an emoji for two, but for its skin tone", "[mark.concern]\nemoji = ['✋🏽']\n[mark.private]\nemoji = ['✋']", "4:1", `the mark "concern" has this emoji too`},
		{"an emoji for two, but for its variation selector", "[mark.concern]\nemoji = ['✔']\n[mark.hold]\nemoji = ['✔\uFE0F']", "4:1", `the mark "concern" has this emoji too`},
		{"an emoji twice in one mark", "[mark.important]\nemoji = ['👍', '👍🏿']", "2:1", "the same emoji stands here twice"},
		{"punctuation for an emoji", "[mark.important]\nemoji = ['+1']", "2:10", "write the emoji itself"},
		{"no role", "[mark.concern]\nroles = []", "2:1", "without a role nobody can use this mark"},
		{"an unknown role", "[mark.concern]\nroles = ['clerk', 'mayor']", "2:19", `write one of "councillor", "chair", "clerk", "deputy", "officer", "other"`},
		{"a hold by anybody", "[mark.hold]\nroles = ['clerk', 'councillor']", "2:1", "only the clerk, the deputy clerk and the chair can put everything on hold"},
		{"another hold by anybody", "[mark.freeze]\nemoji = ['🧊']\ndoes = 'hold'\nroles = ['officer']", "4:1", "only the clerk, the deputy clerk and the chair can put everything on hold"},
		{"a hold that goes somewhere", "[mark.hold]\nto = 'a@a.example'", "2:1", "mark.hold.to: there is no such key here: it belongs under"},
		{"a deed that there is not", "[mark.planning]\nemoji = ['🏗']\ndoes = 'shout'", "3:1", `write one of "forward", "report", "look", "hold"`},
		{"another deed for a known mark", "[mark.private]\ndoes = 'report'", "2:1", "what this mark does cannot be changed: write \"look\""},
		{"reports leaving the council", council + "[mark.concern]\nto = 'clerk@gmail.example'", "4:1", "mark.concern.to: emails go only to and from"},
		{"reports about the clerk leaving the council", council + "[mark.concern]\nabout_clerk_to = 'chair@gmail.example'", "4:1", "mark.concern.about_clerk_to: emails go only to and from"},
		{"a mark with a path for a name", "[mark.'site.visit']\nemoji = ['🏗']", "1:2", "write the name of a mark in letters, digits and hyphens"},

		{"a mail server without a port", "[mail]\nserver = 'smtp.example'", "2:1", "such as smtp.example:587"},
		{"a mail server with a port by name", "[mail]\nserver = 'smtp.example:smtp'", "2:1", "such as smtp.example:587"},
		{"a mail server with an impossible port", "[mail]\nserver = 'smtp.example:70000'", "2:1", "such as smtp.example:587"},
		{"a mail server given as a URL", "[mail]\nserver = 'smtps://smtp.example:465'", "2:1", "such as smtp.example:587"},
		{"unencrypted email", "[mail]\nsecurity = 'none'", "2:1", `write one of "starttls", "tls"`},
		{"a relative path", "[mail]\npassword_file = 'password'", "2:1", "write the whole path"},
		{"no email address", "[mail]\nclerk = 'clerk'", "2:1", "write one bare email address"},
		{"an email address with a name", "[mail]\nfrom = 'Clerk <clerk@a.example>'", "2:1", "write one bare email address"},
		{"two email addresses", "[mail]\nclerk = 'a@a.example, b@a.example'", "2:1", "write one bare email address"},
		{"an email address beyond ASCII", "[mail]\nclerk = 'zoë@a.example'", "2:1", "write one bare email address"},
		{"conversations leaving the council", council + "[mail]\nconversations_to = 'clerk@gmail.example'", "4:1", "mail.conversations_to: emails go only to and from the council's own domains: write an address at a.example or b.example"},
		{"a clerk outside of the council", council + "[mail]\nclerk = 'clerk@gmail.example'", "4:1", "mail.clerk: emails go only to and from"},
		{"a sender outside of the council", council + "[mail]\nfrom = 'clerk@gmail.example'", "4:1", "mail.from: emails go only to and from"},
		{"another way to log in", "[mail]\nauth = 'kerberos'", "2:1", `mail.auth: write one of "password", "oauth"`},
		{"time stamps over an unprotected connection", "[ledger]\ntimestamp_url = 'http://time.example'", "2:1", "ledger.timestamp_url: write an address that begins with https://"},
		{"tokens over an unprotected connection", "[mail.oauth]\ntoken_url = 'http://login.example/token'", "2:1", "mail.oauth.token_url: write an address that begins with https://"},
		{"a tenant that leads elsewhere", "[mail.oauth]\ntenant = 'x@elsewhere.example/y'", "2:1", "mail.oauth.tenant: write "},
		{"a secret", "[mail.oauth]\nclient_secret = 's3cret'", "2:1", "no secret stands in this file: put it in /etc/muniment/mail-oauth-secret"},
		{"a recipient at a subdomain", council + "[mail]\nclerk = 'clerk@sub.a.example'", "4:1", "emails go only to and from"},
		{"a recipient at a domain that ends alike", council + "[mail]\nclerk = 'clerk@nota.example'", "4:1", "emails go only to and from"},
		{"a greeting that is no name", "[mail]\nhelo = 'a b'", "2:1", "write the name of a machine"},

		{"an unknown approval", "[disposal]\napproval = 'always'", "2:1", `write one of "standing", "each"`},
		{"a standing approval without its minute", "[disposal]\napproval = 'standing'", "2:1", "put the reference of its minute in approval_minute"},
		{"a schedule of four fields", "[schedule]\nnightly = '30 2 * *'", "2:1", "write five fields"},
		{"a schedule by a word", "[schedule]\nnightly = '@daily'", "2:1", "write five fields"},
		{"a schedule in another time zone", "[schedule]\nnightly = 'TZ=UTC 30 2 * * *'", "2:1", "the time zone is always Europe/London"},
		{"a schedule that is a time zone alone", "[schedule]\nnightly = 'TZ=UTC'", "2:1", "the time zone is always Europe/London"},
		{"a schedule in the hour that summer time moves", "[schedule]\nnightly = '30 1 * * *'", "2:1", "choose an hour other than 1"},
		{"a schedule at every hour", "[schedule]\nnightly = '30 * * * *'", "2:1", "choose an hour other than 1"},
		{"a schedule for 30 February", "[schedule]\nnightly = '30 2 30 2 *'", "2:1", "this day never comes"},
		{"a digest every month", "[digest]\nevery = 'month'", "2:1", `digest.every: write one of "week", "day"`},
		{"a meeting without a list", "[meetings]\ndates = 2026-12-07", "2:1", "meetings.dates: write a list of dates in square brackets"},
		{"a meeting on no day", "[meetings]\ndates = [2026-12-07, 'soon']", "2:22", "meetings.dates: write a date, such as 2024-09-16"},
		{"a digest on the day of the meeting", "[meetings]\ndays_before = 0", "2:1", "meetings.days_before: write a whole number from 1 to 30"},
		{"a digest by a word", "[digest]\nschedule = 'weekly'", "2:1", "such as \"0 7 * * 1\" for every Monday at 07:00"},
		{"a digest in the hour that summer time moves", "[digest]\nschedule = '0 1 * * 1'", "2:1", "digest.schedule: choose an hour other than 1"},
		{"a digest of an unknown content", "[digest]\ncontent = 'everything'", "2:1", `write one of "references", "extracts", "full"`},
		{"alerts to elsewhere", "[council]\ndomains = ['a.example']\n[alerts]\ntechnical_to = 'it@b.example'", "4:1", "emails go only to and from the council's own domains"},
		{"an alert command that a shell would have to read", "[alerts]\ncommand = ['page the engineer']", "2:1", "alerts.command: write the program's whole path"},
		{"an alert command that is no list", "[alerts]\ncommand = '/bin/page'", "2:1", "write a list in square brackets"},
		{"a backup key that is cut off", "[backup]\nrecipient = 'age1qqqq'", "2:1", "backup.recipient: write the public key that age-keygen shows"},
		{"a backup every minute of a word", "[backup]\nschedule = 'nightly'", "2:1", "such as \"0 4 * * *\" for every night at 04:00"},
		{"a relative state directory", "state_directory = 'state'", "1:1", "write the whole path"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(t, tt.text)
			if err == nil {
				t.Fatal("loaded, want an error")
			}
			_, message, _ := strings.Cut(err.Error(), "muniment.toml:")
			sentence, ok := strings.CutPrefix(message, tt.at+": ")
			if !ok || !strings.Contains(sentence, tt.want) {
				t.Errorf("error %q\nwant one at %s with %q", message, tt.at, tt.want)
			}
			if strings.Contains(message, "\n") {
				t.Errorf("error has several lines, want one fault:\n%s", message)
			}
		})
	}
}

func TestRecipientsAreNotJudgedByDomainsThatAreWrong(t *testing.T) {
	_, err := load(t, "[council]\ndomains = ['a']\n[mail]\nclerk = 'clerk@a.example'")
	if err == nil || strings.Contains(err.Error(), "mail.clerk") {
		t.Errorf("Load: %v; want a fault of the domain alone", err)
	}
}

func TestAThoroughlyWrongFile(t *testing.T) {
	for _, name := range []string{"wrong", "repeated"} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(filepath.Join("testdata", name+".toml"))
			if err == nil {
				t.Fatal("loaded, want an error")
			}
			got := err.Error() + "\n"
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

// A secret put where it does not belong must not reach the journal with the
// error, whatever else is wrong around it.
func TestErrorsQuoteNothingFromTheFile(t *testing.T) {
	const secret = "xyzzy8412"
	for _, key := range []string{
		"state_directory", "council.name", "council.domains", "policy.adopted", "policy.review", "group", "notice.given_on",
		"mark", "mark.concern", "mark.important.emoji", "mark.hold.roles", "mark.own.does", "mark.own.to", "conversation.settle", "conversation.at_most", "mail", "mail.server", "mail.security", "mail.password",
		"mail.password_file", "mail.from", "mail.clerk", "mail.ca_file", "mail.helo", "retention.schedule", "disposal.approval",
		"disposal.notice_days", "schedule.nightly", "digest.content", "no.such.key",
	} {
		for _, value := range []string{"'%'", "%", "['%']", "'%' '%'", "\"\"\"\n%\n%\"\"\"", "'%", "['a@%.example'", "{% = '%'", "12%", "2026-01-01%"} {
			text := "# " + secret + "\n" + key + " = " + strings.ReplaceAll(value, "%", secret) + "\n# " + secret + "\n"
			if _, err := load(t, text); err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the error for\n%s\nquotes the secret: %v", text, err)
			}
		}
	}
}

func TestOwns(t *testing.T) {
	c := Council{Domains: []string{"cranford-pc.example.gov.uk"}}
	for _, tt := range []struct {
		name, address string
		want          bool
	}{
		{"an address at the domain", "clerk@cranford-pc.example.gov.uk", true},
		{"case makes no difference", "Clerk@Cranford-PC.Example.gov.uk", true},
		{"a subdomain is another domain", "clerk@mail.cranford-pc.example.gov.uk", false},
		{"a parent is another domain", "clerk@example.gov.uk", false},
		{"a domain that begins alike is another", "clerk@cranford-pc.example.gov.uk.attacker.example", false},
		{"what follows the last @ counts", "clerk@cranford-pc.example.gov.uk@attacker.example", false},
		{"the domain alone is no address", "cranford-pc.example.gov.uk", false},
		{"nothing is no address", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := c.Owns(tt.address); got != tt.want {
				t.Errorf("Owns(%q) = %v, want %v", tt.address, got, tt.want)
			}
		})
	}
	if (Council{}).Owns("clerk@cranford-pc.example.gov.uk") {
		t.Error("a council without a domain owns an address")
	}
}

func TestReview(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		due         time.Time
		shown       string
	}{
		{"a month falls due on its last day", `"September 2026"`, day(2026, time.September, 30), "September 2026"},
		{"February of a leap year too", `"February 2028"`, day(2028, time.February, 29), "February 2028"},
		{"December does not leave its year", `"December 2026"`, day(2026, time.December, 31), "December 2026"},
		{"a date is that day", `2026-09-16`, day(2026, time.September, 16), "16 September 2026"},
		{"a date in quotes", `"2026-09-16"`, day(2026, time.September, 16), "16 September 2026"},
		{"a date as the policy writes it", `"16th September 2026"`, day(2026, time.September, 16), "16 September 2026"},
		{"a date in words", `"1 October 2026"`, day(2026, time.October, 1), "1 October 2026"},
		{"none", `""`, time.Time{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := load(t, "[policy]\nreview = "+tt.value)
			if err != nil {
				t.Fatal(err)
			}
			if r := c.Policy.Review; !r.Due.Equal(tt.due) || r.String() != tt.shown {
				t.Errorf("review = %s, %v; want %s, %v", tt.value, r, tt.shown, tt.due)
			}
		})
	}
}
