package saying

import (
	"fmt"
	"strconv"
	"strings"

	"muniment/internal/archive"
	"muniment/internal/record"
)

// sealed tells of a record what it is, though not what it says: that is encrypted, and
// what it takes to read it is not here.
func sealed(r archive.Record) string {
	what, of := "A comment", "message"
	switch r.Kind {
	case record.Edit:
		what = "An edit"
	case record.Reaction:
		what = "A reaction"
	case record.Vote:
		what, of = "A vote", "poll"
	case record.Option:
		what, of = "A new option", "poll"
	case record.Response:
		what, of = "A response", "event"
	}
	if r.ReplyTo != 0 {
		return fmt.Sprintf("%s that cannot be read, on %s", what, the(of, r.ReplyTo))
	}
	return fmt.Sprintf("%s that cannot be read yet: the %s is not in the record", what, of)
}

// edit tells what a message says now, or was to say.
func (t Teller) edit(r, target archive.Record) Saying {
	s := t.content(r)
	what := s.Title()
	if files[r.Type] {
		what = "" // only the words on it have changed
	}
	s.What, s.Extent = "Edited "+the("message", r.Amends)+" to", ""
	switch {
	case target.Seq == 0: // so nobody can tell whose it is
		s.What = "Asked to edit " + the("message", r.Amends) + " to"
	case attempted(r, target):
		s.What = "Tried, without effect, to edit " + the("message", r.Amends) + " to"
	}
	if what != "" {
		s.What += ": " + what
	}
	return s
}

// deletion tells which message was deleted.
func deletion(r, target archive.Record) (s Saying) {
	of := the("message", r.Amends)
	switch {
	case target.Seq == 0:
		s.What = "Asked to delete " + of
	case attempted(r, target):
		s.What = "Tried, without effect, to delete " + of
	case target.Destroyed == "" && target.Person != r.Person:
		s.What = "Deleted " + of + ", as an administrator of the group"
	default:
		s.What = "Deleted " + of
	}
	return s
}

// attempted reports whether who sent r, an edit or a deletion, had no right to it. Of a
// message that is destroyed nobody can tell any more.
func attempted(r, target archive.Record) bool {
	return target.Destroyed == "" && !r.Entitled
}

// deed tells what somebody did to a message.
func (t Teller) deed(r archive.Record) (s Saying) {
	d := t.Details(r.Details)
	message := the("message", r.ReplyTo)
	switch r.Kind {
	case record.Reaction:
		s.What = "Reacted " + Excerpt(r.Emoji, mostEmoji) + " to " + message
		if r.Type == record.ReactionRemoved {
			s.What = "Took back the reaction to " + message
		}
	case record.Vote:
		s.What, s.Words = voted(r), d.Chosen
	case record.Option:
		s.What, s.Words = "Added an option to "+the("poll", r.ReplyTo), nonEmpty(t.Text(r))
	case record.Response:
		s.What = map[record.Type]string{record.Going: "Is going to ", record.NotGoing: "Is not going to ", record.Maybe: "May be going to "}[r.Type] +
			the("event", r.ReplyTo)
		if d.Guests > 0 {
			s.Extent = "with " + Count(d.Guests, "guest")
		}
	case record.Pin:
		s.What = "Unpinned " + message
		if r.Type == record.Pinned {
			s.What = "Pinned " + message
		}
		if r.Type == record.Pinned && d.Until != nil {
			s.What += " until " + Moment(*d.Until)
		}
	case record.Keep:
		s.What = "Kept " + message + " in the chat, from which it was to disappear"
		if r.Type == record.UnkeptInChat {
			s.What = "No longer kept " + message + " in the chat, from which it is to disappear"
		}
	default:
		return t.unsupported(r)
	}
	return s
}

// mostEmoji is how many characters are shown of what somebody reacted with, which may be
// any text.
const mostEmoji = 12

// voted tells in which poll somebody voted; what for are the words.
func voted(r archive.Record) string {
	d, poll := r.Details, the("message", r.ReplyTo)
	if r.ReplyTo == 0 {
		poll = the("poll", 0)
	}
	nameless := "an option whose name is not in the record"
	if d.Unknown > 1 {
		nameless = Count(d.Unknown, "option") + " whose names are not in the record"
	}
	switch {
	case r.Type == record.Withdrawn:
		return "Withdrew the vote in " + poll
	case len(d.Chosen) == 0 && d.Unknown > 0:
		return "Voted in " + poll + " for " + nameless
	case len(d.Chosen) == 0:
		return "Voted in " + poll + "; for what cannot be read"
	case d.Unknown > 0:
		return "Voted in " + poll + " for " + nameless + ", and for"
	}
	return "Voted in " + poll + " for"
}

// participants tells what became of whom.
func (t Teller) participants(r archive.Record) Saying {
	var names []string
	for _, p := range r.Participants {
		names = append(names, Called(t.Names.OfJID(p.JID)))
	}
	who, was, admin := Some(names, t.Most), "was", "an administrator"
	switch {
	case len(names) > 1:
		was, admin = "were", "administrators"
	case len(names) == 0:
		who = "Somebody"
	}
	s := Saying{Alone: true}
	switch r.Type {
	case record.Joined:
		s.What = who + " joined"
		if r.Details.Reason == "invite" {
			s.What += " by the group’s invitation link"
		}
	case record.Left:
		s.What = who + " left"
	case record.Added, record.Removed:
		s.What = who + " " + was + " " + string(r.Type) + t.by(r)
	case record.Promoted:
		s.What = who + " " + was + " made " + admin + " of the group" + t.by(r)
	case record.Demoted:
		s.What = who + " " + was + " dismissed as " + admin + " of the group" + t.by(r)
	case record.Renumbered:
		who := t.Name(r.Person)
		if len(names) > 0 && strings.HasPrefix(who, "Unidentified ") {
			who = names[0] // the same person, met by the other number
		}
		s.What = who + " has a new number"
	case record.Present:
		s.What = "WhatsApp’s list of who is in the group: " + who
		if len(names) == 0 {
			s.What = "WhatsApp’s list of who is in the group names nobody"
		}
		s.Words, s.Notes = setUp(t.Details(r.Details).Settings)
	default:
		s.What = "Who is in the group was changed" + t.by(r)
	}
	return s
}

// setUp tells how a group was set up: what it was called, and what was not as in any
// group.
func setUp(settings map[record.Type]string) (words, notes []string) {
	for _, name := range []record.Type{record.Subject, record.Description} {
		if settings[name] != "" {
			words = append(words, map[record.Type]string{record.Subject: "Its name in WhatsApp: ", record.Description: "Its description: "}[name]+settings[name])
		}
	}
	if after := settings[record.Timer]; after != "" && after != "0" {
		notes = append(notes, timer(after).done+".")
	}
	for _, s := range []struct {
		t     record.Type
		value string
	}{{record.Editors, "admins"}, {record.Writers, "admins"}, {record.Approval, "on"}, {record.Suspension, "on"}} {
		if settings[s.t] == s.value {
			notes = append(notes, changes[s.t][s.value].done+".")
		}
	}
	return words, notes
}

// change is what became of a group: as somebody did it, and as it was done.
type change struct{ did, done string }

// changes are what can become of a group, by type. Of some the text says what, and of
// some it is what somebody wrote; see [written].
var changes = map[record.Type]map[string]change{
	record.Subject: {"": {"Changed the group’s name in WhatsApp to", "The group’s name in WhatsApp was changed to"}},
	record.Description: {
		"":        {"Changed the group’s description to", "The group’s description was changed to"},
		"removed": {"Removed the group’s description", "The group’s description was removed"},
	},
	record.Picture: {
		"set":     {"Changed the group’s picture", "The group’s picture was changed"},
		"removed": {"Removed the group’s picture", "The group’s picture was removed"},
	},
	record.Editors: {
		"admins": {"Let only administrators change the group’s settings", "Only administrators may change the group’s settings"},
		"all":    {"Let everybody change the group’s settings", "Everybody may change the group’s settings"},
	},
	record.Writers: {
		"admins": {"Let only administrators write in the group", "Only administrators may write in the group"},
		"all":    {"Let everybody write in the group", "Everybody may write in the group"},
	},
	record.Approval: {
		"on":  {"Had administrators approve who joins", "Administrators approve who joins"},
		"off": {"Let people join without an administrator’s approval", "People may join without an administrator’s approval"},
		"":    {"Changed how people are let into the group", "How people are let into the group was changed"},
	},
	record.InviteLink: {"": {"Changed the group’s invitation link", "The group’s invitation link was changed"}},
	record.Closed:     {"": {"Closed the group", "The group was closed"}},
	record.Community: {
		"joined": {"Made the group part of a community", "The group was made part of a community"},
		"left":   {"Took the group out of its community", "The group was taken out of its community"},
	},
	record.Suspension: {
		"on":  {"", "WhatsApp suspended the group"},
		"off": {"", "WhatsApp ended the group’s suspension"},
	},
	record.Privacy: {
		"on":  {"Switched advanced chat privacy on: apps keep messages from being passed on", "Advanced chat privacy was switched on: apps keep messages from being passed on"},
		"off": {"Switched advanced chat privacy off", "Advanced chat privacy was switched off"},
	},
	record.Label: {
		"":        {"Is called in the group", "Somebody is called in the group"},
		"removed": {"Is no longer called anything in the group", "Somebody is no longer called anything in the group"},
	},
	record.Notice: {"": {"", "The phone told in the chat"}},
}

// written are the changes of a group whose text somebody wrote.
var written = map[record.Type]bool{record.Subject: true, record.Description: true, record.Label: true, record.Notice: true}

// group tells what became of a group.
func (t Teller) group(r archive.Record) (s Saying) {
	says := r.Text
	if written[r.Type] {
		says, s.Words = "", nonEmpty(t.Text(r))
	}
	if written[r.Type] && s.Words == nil {
		says = "removed"
	}
	c, known := changes[r.Type][says]
	if !known {
		c, known = changes[r.Type][""]
	}
	if r.Type == record.Timer {
		c, known = timer(r.Text), true
	}
	if !known {
		c = change{"Changed the group’s settings", "The group’s settings were changed"}
		s.Notes = []string{fmt.Sprintf("How cannot be told here. It is kept in full as record %d.", r.Seq)}
	}
	s.What, s.Alone = c.did, c.did == "" || t.Actor(r) == ""
	if s.Alone {
		s.What = c.done
	}
	return s
}

// timer tells after which time messages disappear from phones.
func timer(text string) change {
	switch seconds, err := strconv.ParseInt(text, 10, 64); {
	case err != nil:
		return change{"Set messages to disappear from phones", "Messages were set to disappear from phones"}
	case seconds == 0:
		return change{"Switched disappearing messages off", "Disappearing messages were switched off"}
	default:
		return change{"Set messages to disappear from phones after " + Span(seconds), "Messages were set to disappear from phones after " + Span(seconds)}
	}
}
