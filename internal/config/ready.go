package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
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

	noMailbox := func(g Group) bool { return g.ConversationsTo == "" }
	if missing := missing(
		key{"server", c.Mail.Server != ""},
		key{"from", c.Mail.From != ""},
		key{"conversations_to", c.Mail.ConversationsTo != "" || len(c.Groups) > 0 && !slices.ContainsFunc(c.Groups, noMailbox)},
		key{"clerk", c.Mail.Clerk != ""},
	); missing != "" {
		refuse("email is not set up: put %s under [mail] in %s", missing, c.File)
	}

	if c.Disposal.Approval != "" && c.Policy.Minute == "" {
		refuse("destruction is approved, but the minute that adopted the policy is not given: put minute under [policy] in %s; no certificate is issued without it", c.File)
	}
	return errors.Join(reasons...)
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
