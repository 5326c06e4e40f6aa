package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"muniment/internal/alert"
	"muniment/internal/disposal"
	"muniment/internal/forward"
	"muniment/internal/ledger"
	"muniment/internal/letter"
	"muniment/internal/mail"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// compose has the letter written that an item of the outbox stands for.
func (d *Daemon) compose(ctx context.Context, it mail.Item) (msg []byte, err error) {
	h := letter.Header{MessageID: it.MessageID, From: it.From, To: it.To, Date: it.ComposedAt}
	switch it.Kind {
	case forward.Letter:
		return d.composeConversation(ctx, h, it)
	case forward.DigestLetter, forward.DailyLetter, forward.MeetingLetter:
		return d.composeDigest(ctx, h, it.Kind, it.About)
	}
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		switch it.Kind {
		case disposal.NoticeLetter:
			n, err := d.disposal.Notice(tx, it.About)
			if errors.Is(err, disposal.ErrNoList) { // it lapsed before it could be sent
				return mail.ErrNothingToSend
			} else if err != nil {
				return err
			}
			msg, err = d.letters.Notice(tx, h, n)
			return err
		case disposal.ReminderLetter:
			r, err := d.disposal.Reminder(tx, it.About)
			if errors.Is(err, disposal.ErrNoList) { // somebody has approved it since
				return mail.ErrNothingToSend
			} else if err != nil {
				return err
			}
			msg, err = d.letters.Reminder(h, r)
			return err
		case disposal.EarlyLetter:
			n, err := d.disposal.EarlyNotice(tx, it.About)
			if err != nil {
				return err
			} else if n.Ended && it.Part == 1 {
				return mail.ErrNothingToSend
			}
			msg, err = d.letters.Early(h, n, it.Part)
			return err
		case disposal.CertificateLetter:
			c, err := disposal.FirstCertificate(tx, it.About)
			if err != nil {
				return err
			}
			msg, err = d.letters.Certificate(h, c)
			return err
		case disposal.FinalLetter:
			c, err := disposal.LoadCertificate(tx, it.About)
			if err != nil {
				return err
			}
			msg, err = d.letters.Certificate(h, c)
			return err
		case forward.CorrectionLetter:
			msg, err = d.composeCorrection(tx, h, it.About)
			return err
		case forward.TakenBackLetter:
			msg, err = d.composeTakenBack(tx, h, it.About)
			return err
		case alert.Mail:
			msg, err = d.composeAlert(tx, h, it.About)
			return err
		case holdLetter:
			msg, err = d.composeHold(tx, h, it.About)
			return err
		case reviewLetter:
			msg, err = d.composeReview(tx, h, it.About)
			return err
		}
		return fmt.Errorf("there is no letter of the kind %q", it.Kind)
	})
	return msg, err
}

// filesWait is how long a conversation waits for its photos and other files.
const filesWait = 30 * time.Minute

// composeConversation decides first, once and for good, which messages belong to
// the conversation, and which of them to which part of its email. Files that are being
// fetched are waited for, for a while.
func (d *Daemon) composeConversation(ctx context.Context, h letter.Header, it mail.Item) (msg []byte, err error) {
	h.Limit = d.limit(ctx)
	if it.Part == 1 {
		if err := d.divide(ctx, h, it); err != nil {
			return nil, err
		}
	}
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		c, err := forward.LoadPart(tx, it.About, it.Part)
		if err != nil {
			return err
		}
		follows := c.Continues
		if it.Part > 1 {
			follows = c.ID
		}
		if follows != 0 {
			if err := d.answers(tx, &h, follows); err != nil {
				return err
			}
		}
		if it.Part == 1 && follows != 0 {
			if err := reached(tx, follows); err != nil && !errors.Is(err, mail.ErrNothingToSend) {
				return err
			}
		}
		ref, err := ledger.Refer(tx)
		if err != nil {
			return err
		}
		h.Reference = ref.String()
		msg, err = d.letters.Conversation(tx, h, c)
		return nothingLeft(err)
	})
	return msg, err
}

// reached returns mail.ErrLater while nobody has the email of a conversation, or one of its
// parts, and somebody is still to have it: what answers it goes after it. If nobody is, it
// returns mail.ErrNothingToSend.
func reached(tx *sqlite.Tx, conversation int64) error {
	parts, err := mail.Parts(tx, forward.Letter, conversation)
	if err != nil {
		return err
	}
	somebody := false
	for _, it := range parts {
		has := slices.ContainsFunc(it.Recipients, func(r mail.Recipient) bool { return r.State == mail.HandedOver })
		if !has && it.State.Open() {
			return mail.ErrLater
		}
		somebody = somebody || has
	}
	if !somebody {
		return mail.ErrNothingToSend
	}
	return nil
}

// usualLimit is how large an email Postfix takes unless it is told otherwise, and most
// servers take more.
const usualLimit = 10_240_000

// limit returns how large an email may be. If the server cannot be asked, it is as large as
// most take, so that it is not refused when the server is there again: that it cannot be
// reached is for the attempt itself to find, and for alerts to tell.
func (d *Daemon) limit(ctx context.Context) int64 {
	limit, err := d.transport.Limit(ctx)
	if err != nil {
		return usualLimit
	}
	return limit
}

// divide settles the conversation and divides it into parts, which are owed with that. While
// it is open what becomes of the email that it would go on with, it waits: if that is refused,
// all of it goes.
func (d *Daemon) divide(ctx context.Context, h letter.Header, it mail.Item) error {
	var state forward.State
	err := d.db.Write(ctx, func(tx *sqlite.Tx) error {
		before, err := forward.GoesOnWith(tx, it.About)
		if err == nil && before != 0 {
			err = reached(tx, before)
		}
		if err != nil && !errors.Is(err, mail.ErrNothingToSend) {
			return err
		}
		state, err = forward.Settle(tx, it.About)
		return err
	})
	if err != nil {
		return err
	}
	if state != forward.Settled {
		return mail.ErrNothingToSend
	}
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		if divided, err := forward.Divided(tx, it.About); err != nil || divided {
			return err
		}
		c, err := forward.Load(tx, it.About)
		if err != nil {
			return err
		}
		if wait, err := d.filesWanted(tx, c.Seqs); err != nil {
			return err
		} else if wait && !it.Early(d.now()) && d.now().Before(it.NotBefore.Add(filesWait)) {
			return mail.ErrLater
		}
		parts, err := d.letters.Divide(tx, h, c)
		if err != nil {
			return nothingLeft(err)
		}
		return forward.Divide(tx, d.now(), it.About, parts, d.archive.Token())
	})
}

// answers makes an email a reply to that of a conversation, in its thread; or to the last
// of those that went after it.
func (d *Daemon) answers(tx *sqlite.Tx, h *letter.Header, conversation int64, after ...forward.Email) error {
	thread, err := forward.Thread(tx, conversation)
	if err != nil {
		return err
	}
	for _, e := range append(thread, after...) {
		it, err := mail.Find(tx, e.Kind, e.About) // which may have come from another address than emails do now
		if err != nil {
			return err
		}
		h.References = append(h.References, it.MessageID)
	}
	last := len(h.References) - 1
	h.References, h.InReplyTo = h.References[:last], h.References[last]
	return nil
}

// filesWanted reports whether a file of one of the messages is still to be fetched.
func (d *Daemon) filesWanted(tx *sqlite.Tx, seqs []record.Seq) (bool, error) {
	files, err := vault.Of(tx, seqs)
	for _, f := range files {
		if f.State == vault.Wanted {
			return true, err
		}
	}
	return false, err
}

func (d *Daemon) composeCorrection(tx *sqlite.Tx, h letter.Header, id int64) ([]byte, error) {
	c, err := forward.LoadCorrection(tx, id)
	if err != nil {
		return nil, err
	}
	if err := reached(tx, c.Conversation.ID); err != nil {
		return nil, err
	}
	if err := d.answers(tx, &h, c.Conversation.ID, c.Earlier...); err != nil {
		return nil, err
	}
	msg, err := d.letters.Correction(tx, h, c)
	return msg, nothingLeft(err)
}

func (d *Daemon) composeTakenBack(tx *sqlite.Tx, h letter.Header, id int64) ([]byte, error) {
	t, err := forward.LoadTakenBack(tx, id)
	if errors.Is(err, forward.ErrStands) {
		return nil, mail.ErrNothingToSend
	} else if err != nil {
		return nil, err
	}
	if err := reached(tx, t.Conversation.ID); err != nil {
		return nil, err
	}
	if err := d.answers(tx, &h, t.Conversation.ID); err != nil {
		return nil, err
	}
	msg, err := d.letters.TakenBack(tx, h, t)
	return msg, nothingLeft(err)
}

// nothingLeft has an email cancelled of which nothing is kept any more.
func nothingLeft(err error) error {
	if errors.Is(err, letter.ErrNothingLeft) {
		return mail.ErrNothingToSend
	}
	return err
}
