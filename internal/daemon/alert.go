package daemon

import (
	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// alert notes in the journal what somebody of the council should be told of r, which has
// just been captured: who is in the group and should perhaps not be, and what keeps
// members' phones from keeping what was said. Of what an import brings nothing is news.
func (d *Daemon) alert(tx *sqlite.Tx, r record.Received, c archive.Captured) error {
	if r.Import != 0 || r.Supplied && r.Kind == record.Group {
		return nil
	}
	about := func() journal.About { return journal.About{"record": c.Seq, "group": d.called(r.Group)} }
	switch r.Kind {
	case record.Participants:
		if err := d.alertToPeople(tx, r, about); err != nil || r.Type != record.Present {
			return err
		}
	case record.Group:
	case record.Message:
		if r.Type == record.ViewOnce {
			return d.journaled(tx, journal.ViewOnceSent, about())
		}
		return nil
	default:
		return nil
	}
	set, err := settingsIn(r)
	if err != nil || len(set) == 0 {
		return err
	}
	was, err := archive.Settings(tx, r.Group, c.Seq)
	if err != nil {
		return err
	}
	if timer, is := set[record.Timer]; is && (archive.Setting{Text: timer}).On() && !was[record.Timer].On() {
		if err := d.journaled(tx, journal.TimerOn, about()); err != nil {
			return err
		}
	}
	subject, is := set[record.Subject]
	if before, known := was[record.Subject]; is && before.Text != subject && (known || r.Kind == record.Group) {
		return d.journaled(tx, journal.GroupRenamed, about())
	}
	return nil
}

// ofGroup reports whether r is about the group itself, so that somebody may have to be told
// at once.
func ofGroup(r record.Received) bool { return r.Kind == record.Participants || r.Kind == record.Group }

// alertGroup tells, in the transaction that captures it, what somebody should know of a group.
func (d *Daemon) alertGroup(tx *sqlite.Tx, group string) error {
	for _, g := range d.o.Config.Groups {
		if g.JID != group {
			continue
		}
		timer, err := timerWrong(tx, g)
		if err == nil {
			err = d.raise(tx, timer)
		}
		if err != nil {
			return err
		}
	}
	_, err := d.journalNews(tx)
	return err
}

// settingsIn returns how r says that the group is set up.
func settingsIn(r record.Received) (map[record.Type]string, error) {
	if r.Kind == record.Group {
		return map[record.Type]string{r.Type: r.Text}, nil
	}
	details, err := record.ParseDetails(r.Details)
	return details.Settings, err
}

// alertToPeople notes who of those whom r names is not in office on the register, once
// for each person and group. The council's own account is nobody.
func (d *Daemon) alertToPeople(tx *sqlite.Tx, r record.Received, about func() journal.About) error {
	var present, admins []record.Participant
	switch r.Type {
	case record.Joined, record.Added, record.Present:
		present = r.Participants
	case record.Promoted:
		admins = r.Participants
	}
	if r.Type == record.Present {
		for _, p := range r.Participants {
			if p.Admin {
				admins = append(admins, p)
			}
		}
	}
	if len(present)+len(admins) == 0 {
		return nil
	}
	names, err := people.LoadNames(tx)
	if err != nil {
		return err
	}
	for _, a := range []struct {
		act journal.Act
		who []record.Participant
	}{{journal.StrangerPresent, present}, {journal.StrangerAdmin, admins}} {
		told, err := toldOf(tx, a.act, d.called(r.Group), names)
		if err != nil {
			return err
		}
		var news []people.ID
		for _, p := range a.who {
			is := names.Behind(p.Address)
			_, inOffice := names.InOffice(is, d.now())
			if inOffice || told[is] || r.Own && is == names.Behind(r.Sender) {
				continue
			}
			told[is] = true
			news = append(news, is)
		}
		if len(news) == 0 {
			continue
		}
		entry := about()
		entry["people"] = news
		if err := d.journaled(tx, a.act, entry); err != nil {
			return err
		}
	}
	return nil
}

// toldOf returns whom the journal names already as such in a group.
func toldOf(tx *sqlite.Tx, act journal.Act, group string, names *people.Names) (map[people.ID]bool, error) {
	told := make(map[people.ID]bool)
	return told, journal.Of(tx, act, func(e journal.Entry, _ int64) error {
		if e.About["group"] != group {
			return nil
		}
		all, _ := e.About["people"].([]any)
		for _, p := range all {
			if id, is := p.(float64); is { // as JSON reads numbers
				told[names.Is(people.ID(id))] = true
			}
		}
		return nil
	})
}

// called is the name of a listed group, as configured.
func (d *Daemon) called(group string) string {
	for _, g := range d.o.Config.Groups {
		if g.JID == group {
			return g.Name
		}
	}
	return ""
}
