package daemon

import (
	"context"
	"errors"
	"slices"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
	"muniment/internal/whatsapp"
)

// askFile asks the council's own phone for the file of a record, which WhatsApp no longer
// has. Of a group that is not listed any more, nothing is asked.
func (d *Daemon) askFile(ctx context.Context, seq record.Seq, key []byte) error {
	var of []archive.Delivered
	err := d.db.Read(ctx, func(tx *sqlite.Tx) (err error) {
		of, err = archive.DeliveredSome(tx, []record.Seq{seq})
		return err
	})
	if err != nil {
		return err
	}
	if len(of) == 0 {
		return errors.New("its record is not here")
	}
	r := of[0].Received
	if _, listed := d.forward[r.Group]; !listed || r.ID == "" {
		return vault.ErrGone
	}
	return d.session.AskFile(ctx, r.Group, record.Ref{ID: r.ID, Sender: r.Sender}, r.Own, key)
}

// fileAnswered takes in what the council's phone says of a file. What nobody has asked for,
// or whose record was destroyed meanwhile, is counted and otherwise ignored.
func (d *Daemon) fileAnswered(ctx context.Context, a whatsapp.FileAnswer) error {
	outcome := ""
	err := d.counted(ctx, archive.WasOutOfScope, func(tx *sqlite.Tx) error {
		seq, path, answer, err := d.asked(tx, a)
		if err != nil {
			return err
		}
		heard := seq != 0
		switch {
		case !heard:
		case answer == nil:
			outcome = "supplied"
			heard, err = vault.Supplied(tx, d.now(), seq, path)
		case errors.Is(answer, whatsapp.ErrNotOnPhone):
			outcome = "not there either"
			heard, err = vault.NotSupplied(tx, d.now(), seq)
		default:
			outcome = "failed; it will be asked again"
		}
		if !heard {
			outcome = "of a file that it was not asked for: ignored"
		}
		return err
	})
	if err != nil {
		return err
	}
	d.log.Info("the council's phone answered for a file", "answer", outcome)
	d.vault.Wake()
	return nil
}

// asked finds the record of whose file the phone speaks, among those that it was asked
// for, and what it says; 0 if there is none. A message's ID is its sender's choice: it is
// the key that tells. An error that the server tells of has none, and anybody can send
// another's file again: of several it is the one from the sender that the answer names, if
// there is one such.
func (d *Daemon) asked(tx *sqlite.Tx, a whatsapp.FileAnswer) (seq record.Seq, path string, answer, err error) {
	files, err := vault.AskedFor(tx)
	if err != nil || len(files) == 0 {
		return 0, "", nil, err
	}
	keys := make(map[record.Seq][]byte)
	var seqs []record.Seq
	for _, f := range files {
		keys[f.Seq] = f.Key
		seqs = append(seqs, f.Seq)
	}
	of, err := archive.DeliveredSome(tx, seqs)
	if err != nil {
		return 0, "", nil, err
	}
	type answered struct {
		seq   record.Seq
		path  string
		says  error
		named bool // its sender, by the answer
	}
	var about []answered
	for _, r := range of {
		if r.Received.Group != a.Group || r.Received.ID != a.Ref.ID {
			continue
		}
		path, says := a.Open(keys[r.Seq])
		if says == nil || errors.Is(says, whatsapp.ErrNotOnPhone) || errors.Is(says, whatsapp.ErrNotSupplied) {
			sender, named := r.Received.Sender, a.Ref.Sender.JID
			about = append(about, answered{r.Seq, path, says, named != "" && (named == sender.JID || named == sender.Alt)})
		}
	}
	if len(about) > 1 {
		about = slices.DeleteFunc(about, func(f answered) bool { return !f.named })
	}
	if len(about) != 1 {
		return 0, "", nil, nil
	}
	return about[0].seq, about[0].path, about[0].says, nil
}
