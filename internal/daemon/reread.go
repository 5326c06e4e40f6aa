package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"muniment/internal/archive"
	"muniment/internal/content"
	"muniment/internal/journal"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// A reader reads records again, with what the archive has.
type reader struct {
	tx      *sqlite.Tx
	archive *archive.Archive

	// originals are the messages that were looked up, so that many records which name the
	// same one do not each look for it. Nil: none is kept.
	originals map[string]original
}

type original struct {
	content.Original
	is bool
}

// original returns the message of a group that ref names, to read what is encrypted.
func (rd reader) original(group string, of record.Ref) (original, error) {
	name := fmt.Sprintf("%q", []string{group, of.Sender.JID, of.Sender.Alt, of.ID})
	if o, known := rd.originals[name]; known {
		return o, nil
	}
	found, is, err := rd.archive.Original(rd.tx, group, of)
	o := original{content.Original(found), is && err == nil}
	if rd.originals != nil {
		rd.originals[name] = o
	}
	return o, err
}

// errNothingKept is returned where nothing is kept that could be read again.
var errNothingKept = errors.New("nothing is kept to be read again")

// read reads again what was delivered. Its error says that it cannot, or that the archive
// could not be read.
func (rd reader) read(r record.Received) (again record.Received, err error) {
	if r.Import != 0 || len(r.Protobuf) == 0 { // nor is of a list of participants
		return record.Received{}, errNothingKept
	}
	if change, err := content.ReadChange(r.Protobuf); err == nil && change.ID == r.ID {
		return change, nil
	}
	var failed error
	c := content.Reader{
		Other: func(jid string) string {
			other, err := rd.other(jid)
			failed = cmp.Or(failed, err)
			return other
		},
		Original: func(group string, of record.Ref) (content.Original, bool) {
			o, err := rd.original(group, of)
			failed = cmp.Or(failed, err)
			return o.Original, o.is
		},
	}
	again, err = c.ReadAgain(content.Envelope{
		Group: r.Group, ID: r.ID, Sender: r.Sender, PushName: r.PushName, Own: r.Own, Sent: r.Sent,
	}, r.Protobuf)
	if failed != nil {
		return record.Received{}, failed
	}
	if err != nil {
		return record.Received{}, errNothingKept
	}
	return again, nil
}

// other returns somebody's address of the other sort; empty if it is not known.
func (rd reader) other(jid string) (string, error) {
	who, err := people.LookUp(rd.tx, record.Address{JID: jid})
	_, server, _ := strings.Cut(jid, "@")
	i := slices.IndexFunc(who.JIDs, func(other string) bool { return !strings.HasSuffix(other, "@"+server) })
	if err != nil || i < 0 {
		return "", err
	}
	return who.JIDs[i], nil
}

// unseal reads what is encrypted in r, which has just been delivered, under the secret of
// a message that is here. It does so in the transaction that captures r, so that none of
// the two can be missed.
func (d *Daemon) unseal(tx *sqlite.Tx, r record.Received) (record.Received, error) {
	if r.Type != record.Sealed {
		return r, nil
	}
	again, err := reader{tx: tx, archive: d.archive}.read(r)
	if errors.Is(err, errNothingKept) || err == nil && !complete(again) {
		return r, nil
	}
	again.Quotations = r.Quotations
	return again, err
}

// complete reports whether r says all that it can ever say. A vote for an option that is
// not here yet does not: it is captured as one that could not be read, so that it can be
// read again when the option comes.
func complete(r record.Received) bool {
	details, err := record.ParseDetails(r.Details)
	return err == nil && details.Unknown == 0
}

// nowReadable reads what can be read now that r is here: what came before the message
// whose secret it takes, and votes for what somebody has added to a poll.
func (d *Daemon) nowReadable(tx *sqlite.Tx, r record.Received, c archive.Captured) ([]record.Received, error) {
	var seqs []record.Seq
	var err error
	switch {
	case r.Type == record.Sealed: // it may be a vote for an option that is not known
		seqs = []record.Seq{c.Seq}
	case c.Awaited:
		seqs, err = archive.Waiting(tx, c.Origin)
	case r.Kind == record.Option, r.Kind == record.Edit:
		seqs, err = archive.Waiting(tx, c.Target)
	}
	if err != nil || len(seqs) == 0 {
		return nil, err
	}
	return d.readAgain(tx, journal.Daemon, "", seqs)
}

// readAgain reads records again that could not be read, or not wholly, and sees to what
// they cause, as at capture. It returns those that say something new.
func (d *Daemon) readAgain(tx *sqlite.Tx, who, reason string, seqs []record.Seq) (news []record.Received, err error) {
	var all []archive.Captured
	// What adds options comes before the votes for them.
	for _, votes := range []bool{false, true} {
		delivered, err := archive.DeliveredSome(tx, seqs)
		if err != nil {
			return nil, err
		}
		rd := reader{tx, d.archive, make(map[string]original)} // as they are before anything is set
		var readings []archive.Reading
		for _, was := range delivered {
			again, err := rd.read(was.Received)
			if errors.Is(err, errNothingKept) || err == nil && !was.News(again) {
				continue
			} else if err != nil {
				return nil, err
			}
			if (again.Kind == record.Vote) == votes {
				readings, news = append(readings, archive.Reading{Of: was, Received: again}), append(news, again)
			}
		}
		cs, err := d.archive.Reread(tx, d.now(), who, reason, d.o.Version, readings)
		if err != nil {
			return nil, err
		}
		all = append(all, cs...)
	}
	for i, c := range all {
		if err := d.causesLater(tx, news[i], c); err != nil {
			return nil, err
		}
	}
	return news, nil
}

// causesLater sees to what a record causes that is read only now, be it years after. A
// mark counts from now on: it was never seen, so it is owed; but not if the message is
// due to be destroyed, for then an email would keep what must go. Who is in the group is
// no longer told by a change of long ago, but by the lists since.
func (d *Daemon) causesLater(tx *sqlite.Tx, r record.Received, c archive.Captured) error {
	switch r.Kind {
	case record.Participants:
		return archive.Reconcile(tx)
	case record.Reaction:
		message, err := archive.Find(tx, c.Target)
		if err != nil {
			return err
		}
		due, err := d.archive.Destroyable(tx, retention.DateOf(d.now()), []record.Seq{message})
		if err != nil {
			return err
		}
		if due {
			return d.holdAsked(tx, r, c)
		}
	}
	return d.causes(tx, r, c)
}

// Differs reports whether this program reads record seq in another way than is shown. What
// cannot be read any more, because the message whose secret it takes is gone, does not.
func Differs(tx *sqlite.Tx, seq record.Seq) (bool, error) {
	a, err := archive.Load(tx, retention.Schedule{})
	if err != nil {
		return false, err
	}
	delivered, err := archive.DeliveredSome(tx, []record.Seq{seq})
	if err != nil || len(delivered) == 0 {
		return false, err
	}
	_, differs, err := reader{tx: tx, archive: a}.compare(delivered[0])
	return differs, err
}

// compare reads a record again and reports whether it differs from what was read before.
func (rd reader) compare(was archive.Delivered) (again record.Received, differs bool, err error) {
	again, err = rd.read(was.Received)
	if errors.Is(err, errNothingKept) {
		return record.Received{}, false, nil
	}
	if err != nil || again.Type == record.Sealed {
		return again, false, err
	}
	agrees, err := rd.archive.Agrees(rd.tx, was, again)
	return again, !agrees, err
}
