package archive

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Roster is who was in a group at a moment, as the records tell.
type Roster struct {
	Known  bool      // a list of all had been captured by then; else nothing is known
	Begins time.Time // when the first list of all was made; zero: there is none yet
	In     []Enrolled
	Gone   []Departed // who had been in the group before, as far as is known
}

// Enrolled is somebody in the group.
type Enrolled struct {
	Person people.ID
	Admin  bool
	// How is how they came: Joined, Added, or Present for those who simply stood on a
	// list of all: on the first, or on a later one when their coming was missed. Renumbered:
	// in place of another, of whom it is not known whether they are the same person.
	How    record.Type
	Seen   time.Time // when they came; of those who stood on a list, when it was made
	By     people.ID // Added: by whom; 0 if WhatsApp named nobody
	Reason string    // as WhatsApp says; "invite" for an invite link
}

// Since returns when e came to the group; the zero time if that is not known.
func (e Enrolled) Since() time.Time {
	if e.How == record.Present {
		return time.Time{}
	}
	return e.Seen
}

// Departed is somebody who was in the group and is not.
type Departed struct {
	Person people.ID
	How    record.Type // Left, Removed, Renumbered, or Present if they no longer stood on a list of all
	At     time.Time   // when they went; or when that list was made
	By     people.ID   // Removed: by whom; 0 if WhatsApp named nobody
}

// Change is what a record tells of who is in a group.
type Change struct {
	Seq record.Seq
	At  time.Time // as WhatsApp says; of what only a list shows, when it was made
	// Captured is when it was on record here: later, after an absence.
	Captured time.Time
	// Type is Joined, Left, Added, Removed, Promoted, Demoted or Renumbered. Of what only
	// a list shows it is how it would have happened of itself: joined, left.
	Type   record.Type
	Found  bool        // nothing told of it: a list shows it
	Who    []people.ID // in the order of their numbers
	By     people.ID   // who did it to others; 0 if nobody did, or WhatsApp named nobody
	Was    people.ID   // Renumbered: who had the number before, if that is not known to be the same person
	Reason string      // as WhatsApp says; "invite" for an invite link
}

// isChange is true of the records that the index of changes has. SQLite uses it for
// queries that say so.
const isChange = "kind IN ('edit', 'deletion', 'participants', 'group')"

// RosterAt returns who was in the group at that time. It replays what was recorded
// of it, so that what is known later changes only what people are called.
func RosterAt(tx *sqlite.Tx, group string, at time.Time) (Roster, error) {
	p, err := replayed(tx, group, at)
	if err != nil || !p.known {
		return Roster{Begins: p.begins}, err
	}
	return Roster{
		Known: true, Begins: p.begins,
		In:   slices.SortedFunc(maps.Values(p.in), func(a, b Enrolled) int { return cmp.Compare(a.Person, b.Person) }),
		Gone: slices.SortedFunc(maps.Values(p.gone), func(a, b Departed) int { return cmp.Compare(a.Person, b.Person) }),
	}, nil
}

// Changes returns what changed in who is in a group from one moment on and before
// another, in order of time. The first list of all is no change.
func Changes(tx *sqlite.Tx, group string, from, before time.Time) ([]Change, error) {
	p, err := replayed(tx, group, before.Add(-time.Nanosecond))
	return slices.DeleteFunc(p.changes, func(c Change) bool { return c.At.Before(from) }), err
}

// replayed returns the state of the group at a moment.
func replayed(tx *sqlite.Tx, group string, at time.Time) (replay, error) {
	names, err := people.LoadNames(tx)
	if err != nil {
		return replay{}, err
	}
	p := replay{names: names, in: map[people.ID]Enrolled{}, gone: map[people.ID]Departed{}}
	var all []Record
	if err := query(tx, func(c Record) error {
		if c.Type == record.Present && (p.begins.IsZero() || c.Sent.Before(p.begins)) {
			p.begins = c.Sent
		}
		if !c.Sent.After(at) {
			all = append(all, c)
		}
		return nil
	}, selection+" WHERE "+isChange+" AND kind = 'participants' AND +group_jid = ?", group); err != nil {
		return replay{}, err
	}
	// WhatsApp's times are whole seconds, and those of the lists are not: within a
	// second the order of capture counts.
	slices.SortFunc(all, func(a, b Record) int {
		return cmp.Or(a.Sent.Truncate(time.Second).Compare(b.Sent.Truncate(time.Second)), cmp.Compare(a.Seq, b.Seq))
	})
	for _, c := range all {
		p.apply(c)
	}
	return p, nil
}

// replay is who is in the group so far, and how that came about.
type replay struct {
	names   *people.Names
	known   bool // a list of all was among the records
	begins  time.Time
	in      map[people.ID]Enrolled
	gone    map[people.ID]Departed
	changes []Change
}

func (p *replay) apply(c Record) {
	by := c.Person
	if by == p.names.Behind(record.Address{JID: c.Group}) {
		by = 0 // of a change that names nobody as its cause, the group is the sender
	}
	here := make(map[people.ID]bool)
	for _, one := range c.Participants {
		is := p.names.Behind(one.Address)
		here[is] = here[is] || one.Admin
	}
	switch c.Type {
	case record.Present:
		p.list(c, here)
		return
	case record.Renumbered:
		p.renumber(c, here)
		return
	case record.Joined, record.Left:
		by = 0
	}
	p.tell(Change{Seq: c.Seq, At: c.Sent, Captured: c.Captured, Type: c.Type, By: by, Reason: c.Details.Reason}, slices.Collect(maps.Keys(here)))
	for is := range here {
		switch e, in := p.in[is]; c.Type {
		case record.Joined, record.Added:
			p.comes(Enrolled{Person: is, How: c.Type, Seen: c.Sent, By: by, Reason: c.Details.Reason})
		case record.Left, record.Removed:
			p.leaves(Departed{is, c.Type, c.Sent, by})
		case record.Promoted, record.Demoted:
			if in {
				e.Admin = c.Type == record.Promoted
				p.in[is] = e
			}
		}
	}
}

// list takes over who is present, and tells what nothing had told.
func (p *replay) list(c Record, here map[people.ID]bool) {
	var came, went, up, down []people.ID
	for is := range p.in {
		if _, still := here[is]; !still {
			went = append(went, is)
			p.leaves(Departed{is, c.Type, c.Sent, 0})
		}
	}
	for is, admin := range here {
		e, in := p.in[is]
		switch {
		case !in:
			came = append(came, is)
			e = Enrolled{Person: is, How: c.Type, Seen: c.Sent}
		case admin && !e.Admin:
			up = append(up, is)
		case !admin && e.Admin:
			down = append(down, is)
		}
		e.Admin = admin
		p.comes(e)
	}
	if p.known {
		found := Change{Seq: c.Seq, At: c.Sent, Captured: c.Captured, Found: true}
		for _, what := range []struct {
			record.Type
			who []people.ID
		}{{record.Joined, came}, {record.Left, went}, {record.Promoted, up}, {record.Demoted, down}} {
			found.Type = what.Type
			p.tell(found, what.who)
		}
	}
	p.known = true
}

// renumber takes over that somebody has another number: c's sender and the participant.
// Which of them it was before is not certain, and there may be nobody else: two addresses
// of one person, as a rule. Otherwise who was in the group is the one of before.
func (p *replay) renumber(c Record, named map[people.ID]bool) {
	for was := range named {
		is := c.Person
		if _, in := p.in[was]; !in {
			is, was = was, is
		}
		told := Change{Seq: c.Seq, At: c.Sent, Captured: c.Captured, Type: c.Type}
		if before, in := p.in[was]; is != was {
			told.Was = was
			if in {
				p.leaves(Departed{was, c.Type, c.Sent, 0})
				p.comes(Enrolled{Person: is, Admin: before.Admin, How: c.Type, Seen: c.Sent})
			}
		}
		p.tell(told, []people.ID{is})
	}
}

func (p *replay) tell(c Change, who []people.ID) {
	if len(who) == 0 {
		return
	}
	c.Who = slices.Sorted(slices.Values(who))
	p.changes = append(p.changes, c)
}

func (p *replay) comes(e Enrolled) {
	p.in[e.Person] = e
	delete(p.gone, e.Person)
}

func (p *replay) leaves(d Departed) {
	delete(p.in, d.Person)
	p.gone[d.Person] = d
}
