package daemon

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"muniment/internal/archive"
	"muniment/internal/content"
	"muniment/internal/history"
	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
	"muniment/internal/whatsapp"
)

// What of the past the council's own phone offers, after linking and when it is asked,
// comes in pieces, each a file on WhatsApp's servers with messages of all its chats. Its
// notice is on disk before WhatsApp is told that it arrived. Then, one piece after the
// other: it is fetched as it lies there, sealed, into a file that goes with it; read as a
// stream, of which only what the listed groups said is ever held, a message at a time;
// captured in batches; and only then is the phone told, and the piece deleted at WhatsApp.
// Interrupted anywhere, it is begun again, and what was captured is known.

const (
	// historyPoll is the longest time without a look at what is to be done.
	historyPoll = time.Minute
	// historyBatch is how many messages of a piece are captured in one transaction, which
	// what is being said in the group meanwhile has to wait for.
	historyBatch = 100
	// batchBytes is how large the messages of a batch may be together, as the phone keeps them.
	batchBytes = 1 << 20
	// maxSealed is how large a piece may be on WhatsApp's servers.
	maxSealed = 512 << 20
	// listPatience is how long history waits for the lists of participants.
	listPatience = 10 * time.Minute
	// resupplyWait is how long the phone has to upload a piece once more.
	resupplyWait = 24 * time.Hour
)

// historyPauses are for how long a piece is left alone after its first failures, the last
// of these for all that follow.
var historyPauses = []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour}

// Why a piece of history is lost.
const (
	expired  = "WhatsApp no longer has it, and the council's phone did not upload it again"
	formless = "it is not in a form that this version can read"
	nameless = "its notice does not say where it is"
)

// errNameless is returned of a piece of which the notice does not say where it is.
var errNameless = errors.New(nameless)

// errTooLarge is returned of a piece that is larger than any can be.
var errTooLarge = fmt.Errorf("%w: it is absurdly large", history.ErrForm)

// historyOffered notes that the phone has a piece of history. One that came with its notice
// is read at once, since of other chats nothing may be written down, not even for a moment.
func (d *Daemon) historyOffered(ctx context.Context, n whatsapp.HistoryNotice) error {
	var p history.Piece
	offer := func(tx *sqlite.Tx) (err error) {
		p, err = history.Offer(tx, d.now(), history.Notice(n))
		return err
	}
	if len(n.Inline) > 0 {
		err := d.db.Write(ctx, offer)
		if err == nil && p.State == history.Inline {
			err = d.takeIn(ctx, p, bytes.NewReader(n.Inline))
			if errors.Is(err, history.ErrForm) {
				err = d.loseHistory(ctx, p, formless)
			}
		}
		if err != nil {
			return d.failed(ctx, err)
		}
	}
	if err := d.counted(ctx, archive.WasOutOfScope, offer); err != nil {
		return err
	}
	d.log.Info("the council's phone offers a piece of history", "kind", n.Kind, "chunk", n.Chunk)
	d.wakeHistory()
	return nil
}

func (d *Daemon) wakeHistory() {
	select {
	case d.pieces <- struct{}{}:
	default: // it will look anyway
	}
}

// runHistory takes in what the phone offers, and asks it for what is missing, until ctx is
// done.
func (d *Daemon) runHistory(ctx context.Context) error {
	d.sweepHistory()
	for ctx.Err() == nil {
		var more bool
		err := d.guarded(ctx, func(ctx context.Context) (err error) {
			more, err = d.readHistory(ctx)
			return err
		})
		if err == nil && !more {
			err = d.AskHistory(ctx)
		}
		if err != nil && ctx.Err() == nil {
			d.log.Warn("history was not taken in; it will be tried again", "err", err)
		}
		if err == nil && more {
			continue
		}
		select {
		case <-ctx.Done():
		case <-d.pieces:
		case <-time.After(historyPoll):
		}
	}
	return nil
}

// sweepHistory removes what is left of a piece that was being read when the program ended.
func (d *Daemon) sweepHistory() {
	if err := os.Remove(d.home.history()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Error("a piece of history was not removed from the state directory", "err", errors.Unwrap(err))
	}
}

// readHistory takes in one piece of history, if there is one and a connection, and reports
// whether it did something.
func (d *Daemon) readHistory(ctx context.Context) (did bool, err error) {
	var p history.Piece
	if err := d.db.Read(ctx, func(tx *sqlite.Tx) (err error) {
		p, did, err = history.Next(tx, d.now())
		return err
	}); err != nil || !did || !d.session.Connected() {
		return false, err
	}
	if p.State == history.Offered {
		if !d.knowsWho() {
			return false, nil
		}
		err = d.fetchHistory(ctx, p)
	}
	if err == nil {
		err = d.settleHistory(ctx, p)
	}
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil, errors.Is(err, whatsapp.ErrNotConnected):
		return false, nil // there will be another connection
	case errors.Is(err, history.ErrForm):
		return true, d.loseHistory(ctx, p, formless)
	case errors.Is(err, errNameless):
		return true, d.loseHistory(ctx, p, nameless)
	case errors.Is(err, whatsapp.ErrGone), errors.Is(err, vault.ErrDamaged):
		return true, d.historyGone(ctx, p)
	}
	d.log.Warn("a piece of history was not taken in; it will be tried again", "kind", p.Kind, "err", err)
	return true, d.db.Write(ctx, func(tx *sqlite.Tx) error { return history.PutOff(tx, p.Number, putOff(d.now(), p)) })
}

// knowsWho reports whether WhatsApp has told who is in the groups, or has had time enough
// to: history names people by one address of two, as a rule not by the number by which the
// member register has them, and who marked something must be known when it is captured.
func (d *Daemon) knowsWho() bool {
	for _, g := range d.o.Config.Groups {
		if _, heard := d.heard.Load(g.JID); !heard {
			return time.Since(time.Unix(0, d.connectedAt.Load())) >= listPatience
		}
	}
	return true
}

// settleHistory tells the phone that a piece was taken in, and WhatsApp to delete it.
func (d *Daemon) settleHistory(ctx context.Context, p history.Piece) error {
	if err := d.session.SettleHistory(ctx, whatsapp.HistoryNotice(p.Notice)); err != nil {
		return err
	}
	return d.db.Write(ctx, func(tx *sqlite.Tx) error { return history.Finish(tx, d.now(), p.Number) })
}

// loseHistory notes that a piece cannot be had, or not be read. What was read of it until
// then is captured.
func (d *Daemon) loseHistory(ctx context.Context, p history.Piece, reason string) error {
	d.log.Error("a piece of the council's phone's history is lost", "kind", p.Kind, "chunk", p.Chunk, "cause", reason)
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		about := journal.About{"piece": p.Number, "kind": p.Kind, "chunk": p.Chunk}
		err := journal.Write(tx, journal.Entry{At: d.now(), Who: journal.Daemon, Act: journal.HistoryLost, Reason: reason, About: about})
		return errors.Join(err, history.Lose(tx, d.now(), p.Number, reason))
	})
}

// historyGone does what is left to do for a piece that WhatsApp no longer has, or that is
// not what the phone had announced: the phone is asked once to upload it again. If it does,
// a new notice comes, or the piece is where it was.
func (d *Daemon) historyGone(ctx context.Context, p history.Piece) error {
	now := d.now()
	if !p.AskedAt.IsZero() && now.Sub(p.AskedAt) >= resupplyWait {
		return d.loseHistory(ctx, p, expired)
	}
	next := now.Add(time.Hour)
	var asked error
	if p.AskedAt.IsZero() {
		d.log.Warn("WhatsApp no longer has a piece of history; the council's phone is asked to upload it again", "kind", p.Kind)
		if asked = d.session.AskHistoryAgain(ctx, whatsapp.HistoryNotice(p.Notice)); asked != nil {
			next = putOff(now, p)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second) // it is asked, though the daemon stops
	defer cancel()
	return errors.Join(asked, d.db.Write(ctx, func(tx *sqlite.Tx) error {
		if asked == nil && p.AskedAt.IsZero() { // only now: of what was not asked for, nothing would come
			if err := history.Asked(tx, now, p.Number); err != nil {
				return err
			}
		}
		return history.PutOff(tx, p.Number, next)
	}))
}

// putOff returns when to try again with a piece, after another failure.
func putOff(now time.Time, p history.Piece) time.Time {
	return now.Add(historyPauses[min(p.Attempts, len(historyPauses)-1)])
}

// fetchHistory fetches a piece and takes it in. Its file is sealed as WhatsApp keeps it,
// and does not stay.
func (d *Daemon) fetchHistory(ctx context.Context, p history.Piece) error {
	if p.File.Path == "" {
		return errNameless
	}
	if p.File.Size > maxSealed {
		return errTooLarge
	}
	f, err := os.OpenFile(d.home.history(), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("make a file for a piece of history: %w", errors.Unwrap(err))
	}
	defer d.sweepHistory()
	defer f.Close()
	if err := d.session.Download(ctx, record.History, p.File, d.vault.Spare(&bounded{f, maxSealed})); err != nil {
		return err
	}
	r, err := vault.Unseal(ctx, f, p.File)
	if err != nil {
		return err
	}
	return d.takeIn(ctx, p, r)
}

// bounded writes no more than so many bytes.
type bounded struct {
	w    io.Writer
	room int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.room -= int64(len(p)); b.room < 0 {
		return 0, errTooLarge
	}
	return b.w.Write(p)
}

// A taking is a piece of history on its way into the archive.
type taking struct {
	*Daemon
	piece  history.Piece
	batch  []past
	bytes  int // of what is in it
	count  history.Count
	oldest map[string]history.Anchor // of each listed group in it
}

type past struct {
	group string
	content.Past
}

// takeIn captures what a piece holds of the listed groups, and notes what became of it.
func (d *Daemon) takeIn(ctx context.Context, p history.Piece, unsealed io.Reader) error {
	t := &taking{Daemon: d, piece: p, oldest: make(map[string]history.Anchor)}
	listed := func(chat string) bool { _, is := d.forward[chat]; return is }
	err := history.Walk(until{ctx, unsealed}, listed, func(chat string, message []byte) error {
		if message == nil {
			t.count.Unread++
			return nil
		}
		m, err := d.session.Past(chat, message)
		if err != nil {
			return err
		}
		t.batch = append(t.batch, past{chat, m})
		if t.bytes += len(message); len(t.batch) < historyBatch && t.bytes < batchBytes {
			return nil
		}
		return t.capture(ctx)
	})
	if err == nil || errors.Is(err, history.ErrForm) { // which is the end of it once the rest is captured
		err = cmp.Or(t.capture(ctx), err)
	}
	if err != nil {
		return err
	}
	return t.finish(ctx)
}

// until reads until ctx is done.
type until struct {
	ctx context.Context
	r   io.Reader
}

func (u until) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// capture captures a batch, in one transaction with all that its records cause.
func (t *taking) capture(ctx context.Context) error {
	count := t.count
	var news []record.Received
	err := t.db.Write(ctx, func(tx *sqlite.Tx) error {
		over, err := t.archive.PastDue(tx, t.now())
		if err != nil {
			return err
		}
		times := make(map[string][]time.Time)
		for _, m := range slices.Backward(t.batch) { // in which the newest is the first
			fresh, sent, err := t.take(tx, m, over)
			if err != nil {
				return err
			}
			times[m.group] = append(times[m.group], sent...)
			news = append(news, fresh...)
		}
		for _, group := range slices.Sorted(maps.Keys(times)) {
			if err := archive.Supplied(tx, group, times[group]); err != nil {
				return err
			}
		}
		return history.Took(tx, t.piece.Number, t.count.New-count.New)
	})
	if err != nil {
		t.count = count
		return err
	}
	clear(t.batch) // so that nothing large is held by what will be overwritten
	t.batch, t.bytes = t.batch[:0], 0
	t.caused(news)
	return nil
}

// take captures a message of the past and what belongs to it. It returns what is new, with
// what can be read now that it is here; and when it was sent, without that. What is past its period never enters, nor what belongs to it; nor what was sent
// before the record began, or will be.
func (t *taking) take(tx *sqlite.Tx, m past, over func(string, time.Time) bool) (news []record.Received, sent []time.Time, err error) {
	t.count.Unread += m.Unread
	if o, known := t.oldest[m.group]; m.ID != "" && (!known || m.Sent.Before(o.Sent)) {
		t.oldest[m.group] = history.Anchor{ID: m.ID, Own: m.Own, Sent: m.Sent}
	}
	begins, tomorrow := t.begins(m.group), t.now().Add(24*time.Hour)
	if m.Deleted != nil {
		t.count.Unread++
		if over(m.group, m.Sent) || m.Sent.Before(begins) {
			return nil, nil, nil
		}
		return nil, nil, t.archive.MissDeleted(tx, t.now(), m.group, *m.Deleted)
	}
	for _, r := range m.Records {
		switch {
		case over(m.group, m.Sent), over(m.group, r.Sent):
			t.count.Due++
			continue
		case r.Sent.Before(begins):
			t.count.Early++
			continue
		case r.Sent.After(tomorrow):
			t.count.Unread++
			continue
		}
		fresh, err := t.captureIn(tx, r)
		if err != nil {
			return nil, nil, err
		}
		if len(fresh) == 0 {
			t.count.Known++
			continue
		}
		t.count.New++
		news, sent = append(news, fresh...), append(sent, r.Sent)
	}
	return news, sent, nil
}

// finish notes that a piece was read to its end.
func (t *taking) finish(ctx context.Context) error {
	var c history.Count
	if err := t.db.Write(ctx, func(tx *sqlite.Tx) (err error) {
		if c, err = history.HasRead(tx, t.piece.Number, t.count); err != nil {
			return err
		}
		if err := t.journaled(tx, journal.HistoryRead, journal.About{
			"piece": t.piece.Number, "kind": t.piece.Kind, "chunk": t.piece.Chunk, "records": c.Seen(),
			"new": c.New, "known": c.Known, "before the record": c.Early, "past due": c.Due, "not read": c.Unread,
		}); err != nil || t.piece.Kind != history.OnDemand {
			return err
		}
		ended, is, err := history.Answered(tx, t.now(), t.oldest)
		if err != nil || !is {
			return err
		}
		return t.askedHistory(tx, ended)
	}); err != nil {
		return err
	}
	t.log.Info("a piece of history was read", "kind", t.piece.Kind, "chunk", t.piece.Chunk, "records", c.Seen(), "new", c.New)
	return nil
}

// AskHistory asks the council's phone for more of the time of a gap, unless there is
// nothing to ask for, no connection, or it was asked a moment ago. Run does it by itself.
func (d *Daemon) AskHistory(ctx context.Context) error {
	if !d.session.Connected() {
		return nil
	}
	var q history.Request
	var is bool
	if err := d.db.Write(ctx, func(tx *sqlite.Tx) error {
		if err := d.planHistory(tx); err != nil {
			return err
		}
		var ended []history.Request
		var err error
		q, is, ended, err = history.NextRequest(tx, d.now(), func(group string, after time.Time) (history.Anchor, bool, error) {
			r, is, err := archive.FirstAfter(tx, group, after)
			return history.Anchor{ID: r.ID, Own: r.Own, Sent: r.Sent}, is, err
		})
		for _, e := range ended {
			err = errors.Join(err, d.askedHistory(tx, e))
		}
		return err
	}); err != nil || !is {
		return err
	}
	if err := d.session.AskHistory(ctx, q.Group, whatsapp.Anchor(q.Before), history.AskCount); err != nil {
		return errors.Join(err, d.db.Write(ctx, func(tx *sqlite.Tx) error { return history.Failed(tx, d.now(), q) }))
	}
	d.log.Info("the council's phone was asked for history", "gap", q.Gap, "asked", q.Asked)
	return nil
}

// planHistory notes of which times the phone is to be asked: those of which something is
// missing, as far as they are of the record and not past their period.
func (d *Daemon) planHistory(tx *sqlite.Tx) error {
	lacks, err := archive.Lacks(tx)
	if err != nil || len(lacks) == 0 {
		return err
	}
	over, err := d.archive.PastDue(tx, d.now())
	if err != nil {
		return err
	}
	for _, l := range lacks {
		for _, g := range d.o.Config.Groups {
			since := l.Since
			if begins := d.begins(g.JID); begins.After(since) {
				since = begins
			}
			if l.Group != "" && l.Group != g.JID || l.Until.Before(since) || over(g.JID, l.Until) {
				continue
			}
			if err := history.Plan(tx, d.now(), l.Gap, g.JID, since, l.Until); err != nil {
				return err
			}
		}
	}
	return nil
}

// askedHistory notes how asking for a gap has ended.
func (d *Daemon) askedHistory(tx *sqlite.Tx, q history.Request) error {
	gaps, err := archive.Gaps(tx)
	if err != nil {
		return err
	}
	about := journal.About{"gap": q.Gap, "group": d.called(q.Group), "requests": q.Asked}
	for _, g := range gaps {
		if g.ID == q.Gap {
			about["supplied"] = g.Supplied
		}
	}
	return journal.Write(tx, journal.Entry{At: d.now(), Who: journal.Daemon, Act: journal.HistoryAsked, Reason: q.Outcome, About: about})
}
