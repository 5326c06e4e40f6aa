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
	// list of all: on the first, or on a later one when their coming was missed.
	How  record.Type
	Seen time.Time // when they came; of those who stood on a list, when it was made
	By   people.ID // Added: by whom; 0 if WhatsApp named nobody
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
	How    record.Type // Left, Removed, or Present if they no longer stood on a list of all
	At     time.Time   // when they went; or when that list was made
	By     people.ID   // Removed: by whom; 0 if WhatsApp named nobody
}

// RosterAt returns who was in the group at that time. It replays what was recorded
// of it, so that what is known later changes only what people are called.
func RosterAt(tx *sqlite.Tx, group string, at time.Time) (Roster, error) {
	names, err := people.LoadNames(tx)
	if err != nil {
		return Roster{}, err
	}
	var changes []Record
	var r Roster
	never := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := Between(tx, time.Time{}, never, func(c Record) error {
		if c.Group != group {
			return nil
		}
		if c.Type == record.Present && r.Begins.IsZero() {
			r.Begins = c.Sent
		}
		if !c.Sent.After(at) {
			changes = append(changes, c)
		}
		return nil
	}, record.Participants); err != nil {
		return Roster{}, err
	}
	// WhatsApp's times are whole seconds, and those of the lists are not: within a
	// second the order of capture counts.
	slices.SortStableFunc(changes, func(a, b Record) int {
		return cmp.Or(a.Sent.Truncate(time.Second).Compare(b.Sent.Truncate(time.Second)), cmp.Compare(a.Seq, b.Seq))
	})
	p := replay{names: names, in: map[people.ID]Enrolled{}, gone: map[people.ID]Departed{}}
	for _, c := range changes {
		p.apply(c)
		r.Known = r.Known || c.Type == record.Present
	}
	if r.Known {
		r.In = slices.SortedFunc(maps.Values(p.in), func(a, b Enrolled) int { return cmp.Compare(a.Person, b.Person) })
		r.Gone = slices.SortedFunc(maps.Values(p.gone), func(a, b Departed) int { return cmp.Compare(a.Person, b.Person) })
	}
	return r, nil
}

// replay is who is in the group so far.
type replay struct {
	names *people.Names
	in    map[people.ID]Enrolled
	gone  map[people.ID]Departed
}

func (p replay) apply(c Record) {
	by := c.Person
	if by == p.names.Behind(record.Address{JID: c.Group}) {
		by = 0 // of a change that names nobody as its cause, the group is the sender
	}
	here := make(map[people.ID]bool)
	for _, one := range c.Participants {
		is := p.names.Behind(one.Address)
		here[is] = here[is] || one.Admin
	}
	if c.Type == record.Present {
		for is := range p.in {
			if _, still := here[is]; !still {
				p.leaves(Departed{is, c.Type, c.Sent, 0})
			}
		}
	}
	for is, admin := range here {
		switch e, in := p.in[is]; c.Type {
		case record.Present:
			if !in {
				e = Enrolled{Person: is, How: c.Type, Seen: c.Sent}
			}
			e.Admin = admin
			p.comes(e)
		case record.Joined:
			p.comes(Enrolled{Person: is, How: c.Type, Seen: c.Sent})
		case record.Added:
			p.comes(Enrolled{Person: is, How: c.Type, Seen: c.Sent, By: by})
		case record.Left:
			p.leaves(Departed{is, c.Type, c.Sent, 0})
		case record.Removed:
			p.leaves(Departed{is, c.Type, c.Sent, by})
		case record.Promoted, record.Demoted:
			if in {
				e.Admin = c.Type == record.Promoted
				p.in[is] = e
			}
		}
	}
}

func (p replay) comes(e Enrolled) {
	p.in[e.Person] = e
	delete(p.gone, e.Person)
}

func (p replay) leaves(d Departed) {
	delete(p.in, d.Person)
	p.gone[d.Person] = d
}
