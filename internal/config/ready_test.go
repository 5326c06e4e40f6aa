package config

import (
	"strings"
	"testing"
	"time"

	"muniment/internal/record"
)

// ready is a configuration with all that run needs.
func ready() Config {
	c := defaults()
	c.File = "/etc/muniment/muniment.toml"
	c.Council = Council{Name: "Cranford Parish Council", Domains: []string{"a.example"}}
	c.Notice = Notice{Version: "1", GivenOn: day(2026, time.November, 2), Method: "By email"}
	c.Groups = []Group{{JID: "1@g.us", Name: "Councillors", Purpose: "Quick messages", ConversationsTo: "council@a.example", Notice: c.Notice}}
	c.Mail.Server = "smtp.example:587"
	c.Mail.From = "record@a.example"
	c.Mail.ConversationsTo = "council@a.example"
	c.Mail.Clerk = "clerk@a.example"
	return c
}

func TestReadyToRun(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string // the whole refusal, empty if none
	}{
		{"all is given", func(*Config) {}, ""},
		{"no council", func(c *Config) { c.Council.Name = "" },
			"the council's name is not given: put name under [council] in /etc/muniment/muniment.toml; it heads every email and certificate"},
		{"recipients but no domain to allow them", func(c *Config) { c.Council.Domains = nil },
			"the council's mail domain is not given: put domains under [council] in /etc/muniment/muniment.toml; emails go to no other, so no recipient can be allowed before"},
		{"no group", func(c *Config) { c.Groups = nil },
			"no group is configured: run `muniment groups` and put the group's jid under [[group]] in /etc/muniment/muniment.toml"},
		{"a group without a jid", func(c *Config) { c.Groups[0].JID = "" },
			"group 1 has no jid: run `muniment groups` and put the group's jid under its [[group]] in /etc/muniment/muniment.toml"},
		{"a group without a name", func(c *Config) { c.Groups[0].Name = "" },
			"group 1 has no name: put what emails and certificates are to call it in name under its [[group]] in /etc/muniment/muniment.toml"},
		{"a group without a purpose", func(c *Config) { c.Groups = append(c.Groups, c.Groups[0]); c.Groups[1].Purpose = "" },
			"group 2 has no purpose: put what the council has it for in purpose under its [[group]] in /etc/muniment/muniment.toml"},
		{"no notice", func(c *Config) { c.Notice, c.Groups[0].Notice = Notice{}, Notice{} },
			"the privacy notice is not recorded: give it to everyone in the group, then put version, given_on and method under [notice] in /etc/muniment/muniment.toml; the record is never kept covertly"},
		{"a notice without its date", func(c *Config) { c.Notice.GivenOn = time.Time{}; c.Groups[0].Notice = c.Notice },
			"the privacy notice is not recorded: give it to everyone in the group, then put given_on under [notice] in /etc/muniment/muniment.toml; the record is never kept covertly"},
		{"no notice but that of the only group", func(c *Config) { c.Notice = Notice{} }, ""},
		{"no notice but that of one group", func(c *Config) {
			c.Notice = Notice{}
			c.Groups = append(c.Groups, c.Groups[0])
			c.Groups[1].Notice = Notice{}
		}, "the privacy notice is not recorded: give it to everyone in the group, then put version, given_on and method under [notice] in /etc/muniment/muniment.toml; the record is never kept covertly"},
		{"a notice of a group without its version", func(c *Config) { c.Groups[0].Notice.Version = "" },
			"the privacy notice of group 1 is not recorded: give it to everyone in that group, then put version under its [group.notice] in /etc/muniment/muniment.toml; the record is never kept covertly"},
		{"no backups", func(c *Config) { c.Backup.Copy = []string{"/usr/bin/rclone"} }, ""},
		{"backups that nobody could open", func(c *Config) { c.Backup.Directory = "/backups" },
			"backups are set up by half: put recipient under [backup] in /etc/muniment/muniment.toml, or remove what is there"},
		{"backups to nowhere", func(c *Config) { c.Backup.Recipient = "age1" },
			"backups are set up by half: put directory under [backup] in /etc/muniment/muniment.toml, or remove what is there"},
		{"tokens from nowhere", func(c *Config) { c.Mail.Auth, c.Mail.Username = AuthOAuth, "record@a.example" },
			"logging in to the mail server by tokens is not set up: put tenant and client_id under [mail.oauth] in /etc/muniment/muniment.toml"},
		{"tokens for nobody", func(c *Config) {
			c.Mail.Auth, c.Mail.OAuth.TokenURL, c.Mail.OAuth.ClientID = AuthOAuth, "https://login.example/token", "1"
		}, "it is not said which mailbox to log in as: put its address in username under [mail] in /etc/muniment/muniment.toml"},
		{"a mailbox of each group", func(c *Config) { c.Mail.ConversationsTo = "" }, ""},
		{"a mailbox of one group only", func(c *Config) {
			c.Mail.ConversationsTo = ""
			c.Groups = append(c.Groups, c.Groups[0])
			c.Groups[1].ConversationsTo = ""
		}, "email is not set up: put conversations_to under [mail] in /etc/muniment/muniment.toml"},
		{"a mark of the council's own that nobody can use", func(c *Config) { c.Marks = append(c.Marks, record.Mark{Name: "planning"}) },
			"a mark is not complete: put does under [mark.planning] in /etc/muniment/muniment.toml, or remove the mark\n" +
				"a mark is not complete: put emoji under [mark.planning] in /etc/muniment/muniment.toml, or remove the mark"},
		{"reports about the clerk to the clerk", func(c *Config) {
			c.Groups[0].Marks = record.Marks{{Name: "concern", Emoji: []string{"🚩"}, Does: record.Report, AboutClerk: "Clerk@a.example"}}
		}, `what is reported about the clerk would go to the clerk, or to a mailbox that more than one may read: put another address in about_clerk_to under the mark "concern" in /etc/muniment/muniment.toml, or remove the line`},
		{"reports about the clerk to the council's mailbox", func(c *Config) {
			c.Marks = record.Marks{{Name: "concern", Emoji: []string{"🚩"}, Does: record.Report, AboutClerk: strings.ToUpper(c.Mail.ConversationsTo)}}
		}, `what is reported about the clerk would go to the clerk, or to a mailbox that more than one may read: put another address in about_clerk_to under the mark "concern" in /etc/muniment/muniment.toml, or remove the line`},
		{"a mark of a group's own that nobody can use", func(c *Config) {
			c.Groups[0].Marks = record.Marks{{Name: "rota", Does: record.Forward}}
		}, "a mark of group 1 is not complete: put emoji under [group.mark.rota] in /etc/muniment/muniment.toml, or remove the mark"},
		{"no email", func(c *Config) { c.Mail = defaults().Mail; c.Groups[0].ConversationsTo = "" },
			"email is not set up: put server, from, conversations_to and clerk under [mail] in /etc/muniment/muniment.toml"},
		{"nobody to tell", func(c *Config) { c.Mail.Clerk = "" },
			"email is not set up: put clerk under [mail] in /etc/muniment/muniment.toml"},
		{"destruction under no policy", func(c *Config) { c.Disposal.Approval = ApprovalEach },
			"destruction is approved, but the minute that adopted the policy is not given: put minute under [policy] in /etc/muniment/muniment.toml; no certificate is issued without it"},
		{"destruction under a policy", func(c *Config) { c.Disposal.Approval = ApprovalEach; c.Policy.Minute = "24/037" }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := ready()
			tt.change(&c)
			got := ""
			if err := c.ReadyToRun(); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("ReadyToRun: %s\nwant: %s", got, tt.want)
			}
		})
	}
}

func TestReadyToRunTellsEveryReasonAtOnce(t *testing.T) {
	c, err := load(t, "[[group]]\njid = '1@g.us'\n[disposal]\napproval = 'each'")
	if err != nil {
		t.Fatal(err)
	}
	err = c.ReadyToRun()
	if err == nil {
		t.Fatal("ready, want reasons")
	}
	var got []string
	for _, reason := range strings.Split(err.Error(), "\n") {
		beginning, _, _ := strings.Cut(reason, ":")
		got = append(got, beginning)
	}
	want := "the council's name is not given, the council's mail domain is not given, group 1 has no name, " +
		"group 1 has no purpose, the privacy notice is not recorded, email is not set up, destruction is approved, but the minute that adopted the policy is not given"
	if strings.Join(got, ", ") != want {
		t.Errorf("reasons: %s\nwant: %s", strings.Join(got, ", "), want)
	}
}
