package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// ErrGone is what a download returns if WhatsApp has the file no more, and what Ask
// returns if nobody can be asked for it.
var ErrGone = errors.New(gone)

// atOnce is how many files are fetched at the same time.
const atOnce = 3

// poll is the longest time without a look at what is due.
const poll = time.Minute

// backoff is how long a file is left alone after its first failures, the last of
// these for all that follow.
var backoff = []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour}

// roomAgain is when a file is tried again that the disk did not take.
const roomAgain = 5 * time.Minute

// A file is given up if it could not be fetched for so long, and so often: that the
// daemon did not run meanwhile, or a clock that was wrong, is no reason.
const (
	patience = 30 * 24 * time.Hour
	enough   = 100
)

// maxWrong is how often something else may come than what was announced.
const maxWrong = 3

// stall is how long a download may bring nothing.
var stall = 2 * time.Minute

// Vault fetches the files that are wanted, and opens those that are kept. To open
// and check them, Directory and DB suffice.
type Vault struct {
	Directory string // made for the first file; below one that exists
	DB        *sqlite.DB
	Log       *slog.Logger
	Now       func() time.Time

	// Download writes the file, as WhatsApp keeps it, to w, from its beginning: it
	// is called anew for each attempt. It returns [ErrGone] if WhatsApp has the file
	// no more. Its other errors are logged, so must hold nothing of what the message
	// says. It may be called by several at once.
	Download func(ctx context.Context, t record.Type, f record.File, w io.Writer) error

	// Connected reports whether WhatsApp can be asked for anything now: no attempt is made
	// while it cannot. When it can again, [Retry] and [Vault.Wake] say so. Nil: it always
	// can.
	Connected func() bool

	// Ask asks the council's own phone for the file of a record, which it then uploads
	// anew; key is the file's. The answer comes by way of [Supplied] and [NotSupplied],
	// perhaps never. It returns [ErrGone] if the phone cannot be asked for such a file at
	// all. Its other errors are logged. Nil: there is no phone to be asked.
	Ask func(ctx context.Context, seq record.Seq, key []byte) error

	once sync.Once
	wake chan struct{}

	// mu is held while a file comes into its place or is removed from it, together
	// with what the archive says of it; and while one is chosen to be fetched.
	mu       sync.Mutex
	fetching map[record.Seq]*fetch

	telling sync.Mutex // held while the journal is told of the disk
	told    *bool      // with telling: whether files wait for room; nil: nothing said yet
}

// fetch is an attempt at a file, which is counted already.
type fetch struct {
	Media
	ctx   context.Context
	stop  context.CancelFunc
	ended chan struct{}

	arrived atomic.Int64 // bytes
}

// Wake makes Run look for what is due now: a file is wanted, or the clock was
// stepped, or WhatsApp can be reached again.
func (v *Vault) Wake() {
	select {
	case v.woken() <- struct{}{}:
	default: // it will look anyway
	}
}

func (v *Vault) woken() chan struct{} {
	v.once.Do(func() { v.wake = make(chan struct{}, 1) })
	return v.wake
}

// Run fetches what falls due until ctx is done, and then returns nil. At first it
// removes what was left unfinished. If the archive cannot be read or written, it
// tries again.
func (v *Vault) Run(ctx context.Context) error {
	if _, err := v.Sweep(ctx); err != nil && ctx.Err() == nil {
		v.Log.Error("the media directory was not swept", "err", err)
	}
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() { v.work(ctx) })
	}
	all.Wait()
	return nil
}

func (v *Vault) work(ctx context.Context) {
	for ctx.Err() == nil {
		wake := v.woken()
		if err := v.fetchDue(ctx); err != nil && ctx.Err() == nil {
			v.Log.Error("the vault cannot read or write the archive, will try again", "err", err, "in", poll)
			wake = nil
		}
		select {
		case <-ctx.Done():
		case <-wake:
		case <-time.After(poll):
		}
	}
}

// FetchDue makes one attempt at every file that is due now. What came of them is in
// the archive; an error says that this could not be read or written, or that ctx is
// done.
func (v *Vault) FetchDue(ctx context.Context) error {
	var all sync.WaitGroup
	var errs [atOnce]error
	for n := range atOnce {
		all.Go(func() { errs[n] = v.fetchDue(ctx) })
	}
	all.Wait()
	return errors.Join(errs[:]...)
}

// fetchDue fetches one file after another until none is due.
func (v *Vault) fetchDue(ctx context.Context) error {
	for {
		f, waits, err := v.begin(ctx)
		if err != nil {
			return err
		}
		if err := v.tell(ctx, waits); err != nil || f == nil {
			if f != nil {
				v.end(f)
			}
			return err
		}
		v.Wake() // one more may be due, for somebody else
		err = v.attempt(f)
		v.end(f)
		if err != nil {
			return fmt.Errorf("file of record %d: %w", f.Seq, err)
		}
	}
}

// begin returns an attempt at the file that is due first; nil if none is, or there is no
// connection. It leaves out what is being fetched, and what that may bring: the same file
// for another record. A file put off farther than any is, is due: the clock was ahead and
// has been set right since. What there is no room for waits, whatever is due behind it;
// begin reports whether anything does.
func (v *Vault) begin(ctx context.Context) (f *fetch, waits bool, err error) {
	v.mu.Lock() // to the end, so that Sweep knows of what was found in the archive
	defer v.mu.Unlock()
	room, err := v.room()
	if err != nil {
		return nil, false, err
	}
	for _, other := range v.fetching {
		room -= other.takenAtMost()
	}
	now := v.Now()
	const due = `state = 'wanted' AND next_attempt NOT BETWEEN ?1 AND ?2
		AND sealed NOT IN (SELECT sealed FROM media WHERE seq IN (SELECT value FROM json_each(?3)))`
	args := []any{sqlite.FormatTime(now.Add(time.Millisecond)), sqlite.FormatTime(now.Add(backoff[len(backoff)-1])),
		toJSON(slices.Collect(maps.Keys(v.fetching))), largest, room - sealedSize(0)}
	err = v.DB.Read(ctx, func(tx *sqlite.Tx) error {
		if err := each(tx, func(m Media) error {
			f = &fetch{Media: m, ended: make(chan struct{})}
			return nil
		}, "SELECT "+columns+" FROM media WHERE "+due+" AND min(size, ?4) <= ?5 ORDER BY next_attempt, seq LIMIT 1", args...); err != nil {
			return err
		}
		return tx.QueryRow("SELECT EXISTS (SELECT 1 FROM media WHERE "+due+" AND min(size, ?4) > ?5)", args...).Scan(&waits)
	})
	if err != nil || f == nil || v.Connected != nil && !v.Connected() {
		return nil, waits, err
	}
	f.attempts++
	f.ctx, f.stop = context.WithCancel(ctx)
	if v.fetching == nil {
		v.fetching = make(map[record.Seq]*fetch)
	}
	v.fetching[f.Seq] = f
	return f, waits, nil
}

func (v *Vault) end(f *fetch) {
	f.stop()
	v.mu.Lock()
	delete(v.fetching, f.Seq)
	v.mu.Unlock()
	close(f.ended)
}

// attempt fetches a file and notes what came of it; an error says that it could not
// note that. To be stopped is no attempt.
func (v *Vault) attempt(f *fetch) error {
	err := v.fetch(f)
	log := v.Log.With("record", f.Seq, "attempt", f.attempts)
	switch {
	case err == nil:
		log.Info("file kept")
		return nil
	case f.ctx.Err() != nil || errors.Is(err, errForgotten):
		return nil
	case errors.Is(err, ErrGone):
		return v.gone(f, log)
	case errors.Is(err, ErrDamaged): // and so it will be, being what was announced
		return v.lose(f, log, unfit)
	case errors.Is(err, errOther):
		if f.wrong++; f.wrong == maxWrong {
			return v.lose(f, log, other)
		}
	case noRoom(err): // no attempt either
		f.attempts--
		f.since = v.Now()
		log.Warn("file not fetched for want of room, will be tried again", "err", bare(err))
		return v.DB.Write(f.ctx, func(tx *sqlite.Tx) error { return putOff(tx, f, v.Now().Add(roomAgain)) })
	case errors.Is(err, errOurs):
		f.since = v.Now()
	case f.attempts >= enough && v.Now().Sub(f.since) >= patience:
		return v.lose(f, log, tooLong)
	}
	log.Warn("file not fetched, will be tried again", "err", bare(err))
	next := v.Now().Add(backoff[min(f.attempts, len(backoff))-1])
	return v.DB.Write(f.ctx, func(tx *sqlite.Tx) error { return putOff(tx, f, next) })
}

// putOff notes an attempt that failed, and when the next one is due. If that has changed
// since the attempt began, it is due already: the connection is there again, see [Retry], or
// the council's phone has said where the file is now, and it was at the old place that the
// attempt failed.
func putOff(tx *sqlite.Tx, f *fetch, next time.Time) error {
	was := f.next
	f.next = sqlite.FormatTime(next)
	_, err := tx.Exec(`UPDATE media SET attempts = ?, wrong = ?, since = ?, next_attempt = iif(next_attempt = ?, ?, next_attempt)
		WHERE seq = ? AND state = 'wanted' AND path = ?`,
		f.attempts, f.wrong, sqlite.FormatTime(f.since), was, f.next, f.Seq, f.Path)
	return err
}

func (v *Vault) lose(f *fetch, log *slog.Logger, reason string) error {
	var is bool
	err := v.DB.Write(f.ctx, func(tx *sqlite.Tx) (err error) {
		now := v.Now()
		if is, err = finish(tx, now, f, Lost, reason); err != nil || !is {
			return err
		}
		return journalLoss(tx, now, f.Seq, reason)
	})
	if err == nil && is {
		log.Warn("file lost", "why", reason)
	}
	return err
}

// finish notes what has become of a file, and reports whether it is still wanted: if it is
// lost, from where it was looked for.
func finish(tx *sqlite.Tx, now time.Time, f *fetch, s State, reason string) (is bool, err error) {
	done, err := tx.Exec(`
		UPDATE media SET state = ?1, reason = ?2, size = ?3, attempts = ?4, wrong = ?5, finished_at = ?6
		WHERE seq = ?7 AND state = 'wanted' AND (?1 = 'kept' OR path = ?8)`,
		s, reason, f.Size, f.attempts, f.wrong, sqlite.FormatTime(now), f.Seq, f.Path)
	if err != nil {
		return false, err
	}
	n, err := done.RowsAffected()
	return n > 0, err
}

// fetch brings a file to its place and notes that it is kept. It may break off
// anywhere: a file that is in its place by then is found there the next time.
func (v *Vault) fetch(f *fetch) error {
	if is, err := v.adopt(f); is || err != nil {
		return err
	}
	if err := os.MkdirAll(v.Directory, 0o700); err != nil {
		return ours(err)
	}
	name := v.part(f.Seq)
	part, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return ours(err)
	}
	defer os.Remove(name) // unless it is in its place by then
	defer part.Close()
	if err := v.download(f, part); err != nil {
		return err
	}
	size, err := prove(f.ctx, part, f.Media)
	if err != nil {
		return ours(err)
	}
	if err := part.Sync(); err != nil {
		return ours(err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := f.ctx.Err(); err != nil {
		return err // Sweep was here and found no record
	}
	to := v.place(f.Sealed)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return ours(err)
	}
	if err := os.Rename(name, to); err != nil {
		return ours(err)
	}
	return v.keep(f, size)
}

// adopt keeps the file that is in its place already, and reports whether there is
// one: two messages brought it, or it could not be noted before.
func (v *Vault) adopt(f *fetch) (is bool, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	file, err := os.Open(v.place(f.Sealed))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, ours(err)
	}
	defer file.Close()
	size, err := prove(f.ctx, file, f.Media)
	if errors.Is(err, errOther) {
		return false, nil // it was damaged since; what comes now takes its place
	} else if err != nil {
		return false, ours(err)
	}
	return true, v.keep(f, size)
}

// errForgotten is returned for a file whose record was destroyed meanwhile.
var errForgotten = errors.New("its record was destroyed")

// keep notes that a file is in its place and how large it is, having made sure that
// it is there after a power cut. If its record was destroyed meanwhile, it does not
// stay there. The caller holds mu.
func (v *Vault) keep(f *fetch, size int64) error {
	f.Size = size
	place := v.place(f.Sealed)
	if err := syncAll(filepath.Dir(place), v.Directory, filepath.Dir(v.Directory)); err != nil {
		return ours(err)
	}
	var is, needed bool
	err := v.DB.Write(f.ctx, func(tx *sqlite.Tx) (err error) {
		if is, err = finish(tx, v.Now(), f, Kept, ""); err != nil || is {
			return err
		}
		needed, err = named(tx, f.Sealed)
		return err
	})
	switch {
	case err != nil:
		return ours(err)
	case is:
		return nil
	case !needed:
		if err := os.Remove(place); err != nil {
			return ours(err)
		}
	}
	return errForgotten
}

// download writes to part what WhatsApp has.
func (v *Vault) download(f *fetch, part *os.File) error {
	ctx, cancel := context.WithCancelCause(f.ctx)
	defer cancel(nil)
	idle := time.AfterFunc(stall, func() { cancel(errStalled) })
	defer idle.Stop()
	s := &sink{file: v.gauge(part), room: limit(f.Size), idle: idle, arrived: &f.arrived}
	err := v.Download(ctx, f.Type, f.File, s)
	if s.err != nil {
		return s.err
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

var errStalled = errors.New("nothing came for a while")

// limit returns how many bytes are taken at most of a file that has so many, as the
// sender says: who may be wrong, and may mean harm.
func limit(said int64) int64 {
	const least, most = 64 << 20, 4 << 30
	return min(max(4*sealedSize(min(said, most)), least), most)
}

// sink takes what is downloaded.
type sink struct {
	file    io.Writer
	room    int64         // bytes that it still takes
	idle    *time.Timer   // ends a download that stalls
	arrived *atomic.Int64 // bytes
	err     error         // why it takes no more
}

func (s *sink) Write(p []byte) (n int, err error) {
	s.idle.Reset(stall)
	if s.err == nil && int64(len(p)) > s.room {
		s.err = errOther
	}
	if s.err != nil {
		return 0, s.err
	}
	if n, err = s.file.Write(p); err != nil {
		s.err = ours(err)
	}
	s.room -= int64(n)
	s.arrived.Add(int64(n))
	return n, s.err
}

// errOurs is returned for failures of our own disk or archive, which do not say that
// WhatsApp cannot deliver a file.
var errOurs = errors.New("our own disk")

// ours makes err a failure of our own, unless it says what a file is.
func ours(err error) error {
	if errors.Is(err, errOther) || errors.Is(err, ErrDamaged) {
		return err
	}
	return fmt.Errorf("%w: %w", errOurs, bare(err))
}

// bare returns what may be told of an error: neither the name of the file nor the
// address that it concerns, which are taken from messages.
func bare(err error) error {
	var file *fs.PathError
	var files *os.LinkError
	var address *url.Error
	switch {
	case errors.As(err, &file):
		return fmt.Errorf("%s: %w", file.Op, file.Err)
	case errors.As(err, &files):
		return fmt.Errorf("%s: %w", files.Op, files.Err)
	case errors.As(err, &address):
		return address.Err
	}
	return err
}
