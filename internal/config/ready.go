package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"muniment/internal/record"
)

// ReadyToRun returns every reason why this configuration does not suffice to
// keep a record, a line each, saying what to do; nil if there is none. It looks
// at nothing but the configuration.
func (c Config) ReadyToRun() error {
	var reasons []error
	refuse := func(format string, args ...any) {
		reasons = append(reasons, fmt.Errorf(format, args...))
	}

	if c.Council.Name == "" {
		refuse("the council's name is not given: put name under [council] in %s; it heads every email and certificate", c.File)
	}
	if len(c.Council.Domains) == 0 {
		refuse("the council's mail domain is not given: put domains under [council] in %s; emails go to no other, so no recipient can be allowed before", c.File)
	}

	if len(c.Groups) == 0 {
		refuse("no group is configured: run `muniment groups` and put the group's jid under [[group]] in %s", c.File)
	}
	for i, g := range c.Groups {
		if g.JID == "" {
			refuse("group %d has no jid: run `muniment groups` and put the group's jid under its [[group]] in %s", i+1, c.File)
		}
		if g.Name == "" {
			refuse("group %d has no name: put what emails and certificates are to call it in name under its [[group]] in %s", i+1, c.File)
		}
		if g.Purpose == "" {
			refuse("group %d has no purpose: put what the council has it for in purpose under its [[group]] in %s", i+1, c.File)
		}
	}

	if missing := c.Notice.missing(); missing != "" && (len(c.Groups) == 0 || slices.ContainsFunc(c.Groups, c.sharesNotice)) {
		refuse("the privacy notice is not recorded: give it to everyone in the group, then put %s under [notice] in %s; the record is never kept covertly", missing, c.File)
	}
	for i, g := range c.Groups {
		if missing := g.Notice.missing(); missing != "" && !c.sharesNotice(g) {
			refuse("the privacy notice of group %d is not recorded: give it to everyone in that group, then put %s under its [group.notice] in %s; the record is never kept covertly", i+1, missing, c.File)
		}
	}

	for _, lacking := range incomplete(c.Marks) {
		refuse("a mark is not complete: put %s in %s, or remove the mark", lacking, c.File)
	}
	for i, g := range c.Groups {
		for _, lacking := range incomplete(g.Marks) {
			if !slices.Contains(incomplete(c.Marks), lacking) {
				refuse("a mark of group %d is not complete: put %s in %s, or remove the mark", i+1, strings.Replace(lacking, "[mark.", "[group.mark.", 1), c.File)
			}
		}
	}

	for _, m := range slices.Concat(append([]record.Marks{c.Marks}, marksOf(c.Groups)...)...) {
		if unfit := append(c.SharedMailboxes(), c.Mail.Clerk); m.AboutClerk != "" && slices.ContainsFunc(unfit, func(a string) bool { return strings.EqualFold(a, m.AboutClerk) }) {
			refuse("what is reported about the clerk would go to the clerk, or to a mailbox that more than one may read: put another address in about_clerk_to under the mark %q in %s, or remove the line", m.Name, c.File)
			break
		}
	}

	noMailbox := func(g Group) bool { return g.ConversationsTo == "" }
	if missing := missing(
		key{"server", c.Mail.Server != ""},
		key{"from", c.Mail.From != ""},
		key{"conversations_to", c.Mail.ConversationsTo != "" || len(c.Groups) > 0 && !slices.ContainsFunc(c.Groups, noMailbox)},
		key{"clerk", c.Mail.Clerk != ""},
	); missing != "" {
		refuse("email is not set up: put %s under [mail] in %s", missing, c.File)
	}
	if c.Mail.Auth == AuthOAuth {
		if c.Mail.Username == "" {
			refuse("it is not said which mailbox to log in as: put its address in username under [mail] in %s", c.File)
		}
		if missing := missing(key{"tenant", c.Mail.OAuth.TokenURL != ""}, key{"client_id", c.Mail.OAuth.ClientID != ""}); missing != "" {
			refuse("logging in to the mail server by tokens is not set up: put %s under [mail.oauth] in %s", missing, c.File)
		}
	}

	if c.Backup.Directory+c.Backup.Recipient != "" && !c.Backup.Made() {
		refuse("backups are set up by half: put %s under [backup] in %s, or remove what is there",
			missing(key{"directory", c.Backup.Directory != ""}, key{"recipient", c.Backup.Recipient != ""}), c.File)
	}
	if c.Disposal.Approval != "" && c.Policy.Minute == "" {
		refuse("destruction is approved, but the minute that adopted the policy is not given: put minute under [policy] in %s; no certificate is issued without it", c.File)
	}
	return errors.Join(reasons...)
}

func marksOf(groups []Group) (all []record.Marks) {
	for _, g := range groups {
		all = append(all, g.Marks)
	}
	return all
}

// SharedMailboxes are those of the council's that more than one may read, the clerk among
// them: which emails come from, and to which conversations go.
func (c Config) SharedMailboxes() []string {
	all := []string{c.Mail.From, c.Mail.ConversationsTo}
	for _, g := range c.Groups {
		all = append(all, g.ConversationsTo)
	}
	return all
}

// sharesNotice reports whether g relies on the notice of all groups.
func (c Config) sharesNotice(g Group) bool { return g.Notice == c.Notice }

// missing lists what is not given of a notice, as in a sentence.
func (n Notice) missing() string {
	return missing(
		key{"version", n.Version != ""},
		key{"given_on", !n.GivenOn.IsZero()},
		key{"method", n.Method != ""},
	)
}

type key struct {
	name  string
	given bool
}

// missing lists the keys that are not given, as in a sentence.
func missing(keys ...key) string {
	var names []string
	for _, k := range keys {
		if !k.given {
			names = append(names, k.name)
		}
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
