package whatsapp

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/libsignal/signalerror"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// eventBuffer is whatsmeow's event buffer, sealed: what has been decrypted and
// not been handled yet, of any chat, so that it can be handled again after a
// crash (the ratchet has moved on by then). It keeps no outgoing messages.
//
// It also turns away what whatsmeow would otherwise settle and lose. whatsmeow
// asks the sender for another copy of any message that it fails to decrypt, and
// acknowledges it, whether the ciphertext or our own disk was at fault; unless
// the error is context.Canceled: then it does nothing at all, and the message
// comes again after the next connection. So that is what our own faults are.
type eventBuffer struct {
	store.EventBuffer
	seal *seal
}

// GetBufferedEvent looks a ciphertext up. It is where every decryption begins.
//
// While nobody captures (Link, Groups) it refuses, so that nothing is decrypted,
// written or acknowledged: all of it comes again.
//
// So it does for a moment after our own database has failed, until the next connection
// brings again what could not be decrypted: it may have held the sender's key, without
// which what follows would be taken for undecryptable, acknowledged, and asked for
// again. For a moment only, since whatever failed may fail for ever.
//
// If the ciphertext is not known, whatsmeow calls DoDecryptionTxn next, and the
// turn is kept until that ends. Otherwise two connections, an old and a new one,
// could both find the same message unknown; the second would then decrypt it
// under a spent key, take it for an old one and acknowledge it, captured or not.
//
// A row that cannot be unsealed (its key was lost) is answered with an error of
// the other sort: whatsmeow asks the sender, and our phone, for another copy and
// reports an undecryptable message, which becomes a gap until the copy comes.
// To answer "not known" or "handled" would lose it without a trace.
func (b *eventBuffer) GetBufferedEvent(ctx context.Context, hash [32]byte) (*store.BufferedEvent, error) {
	if !b.seal.open.Load() {
		return nil, notNow{errors.New("nobody captures")}
	}
	if b.seal.abstains() {
		return nil, notNow{errors.New("the database has failed")}
	}
	if err := b.seal.take(ctx); err != nil {
		return nil, notNow{err}
	}
	row, err := b.EventBuffer.GetBufferedEvent(ctx, hash)
	if err == nil && row == nil {
		return nil, nil // the turn goes on to DoDecryptionTxn
	}
	defer b.seal.give()
	if err != nil {
		return nil, b.seal.trouble(err)
	}
	if row.Plaintext == nil {
		return row, nil // handled before
	}
	if row.Plaintext, err = b.seal.key.unseal(row.Plaintext, hash[:]); err != nil {
		b.seal.log.Error("buffered message could not be unsealed", "err", err)
		return nil, err
	}
	return row, nil
}

// DoDecryptionTxn decrypts and buffers in one transaction.
func (b *eventBuffer) DoDecryptionTxn(ctx context.Context, decrypt func(context.Context) error) error {
	defer b.seal.give()
	var begun bool
	var failed error
	err := b.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		begun = true
		failed = guarded(ctx, decrypt)
		return failed
	})
	switch {
	case err == nil:
		b.seal.refusal.Store(nil)
		return nil
	case !begun, failed == nil, isStoreFault(failed): // to begin, to commit, or between
		return b.seal.trouble(err)
	case errors.Is(failed, signalerror.ErrOldCounter):
		return errKeyGone
	}
	return err
}

// errKeyGone is the error for a ciphertext that was never decrypted here, although its
// key has been used or skipped: the sender's key came later than the message, or with a
// copy of another one. whatsmeow takes libsignal's own error for the sign of a duplicate,
// and acknowledges without a word; but duplicates are in the buffer. To this one, it asks
// for another copy, as for all else that cannot be decrypted.
var errKeyGone = errors.New("the key of a message is gone, and the message was never decrypted")

// guarded makes a panic in libsignal an error: the transaction would otherwise
// stay open, and nothing could be written to the session again.
func guarded(ctx context.Context, decrypt func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("decryption panicked with %T", v)
		}
	}()
	return decrypt(ctx)
}

// PutBufferedEvent seals a row; it is called within DoDecryptionTxn.
func (b *eventBuffer) PutBufferedEvent(ctx context.Context, hash [32]byte, plaintext []byte, sent time.Time) error {
	b.seal.used = true
	if err := b.EventBuffer.PutBufferedEvent(ctx, hash, b.seal.key.seal(plaintext, hash[:]), sent); err != nil {
		return storeFault{err}
	}
	return nil
}

// ClearBufferedEventPlaintext blanks a row that has been handled. Not even the
// end of the program interrupts it: a row left over would be taken for a gap.
func (b *eventBuffer) ClearBufferedEventPlaintext(ctx context.Context, hash [32]byte) error {
	if b.seal.keep.Swap(false) {
		return errors.New("it is not handled yet")
	}
	err := b.EventBuffer.ClearBufferedEventPlaintext(context.WithoutCancel(ctx), hash)
	if err != nil {
		b.seal.log.Warn("message that was handled could not be blanked in the event buffer")
		return err
	}
	b.seal.replaceSoon()
	return nil
}

// DeleteOldBufferedHashes forgets what WhatsApp will not deliver again, except
// for the unfinished: these wait for AbandonBuffered, which counts them.
func (b *eventBuffer) DeleteOldBufferedHashes(ctx context.Context) error {
	_, err := b.seal.db.ExecContext(ctx, `
		DELETE FROM whatsmeow_event_buffer
		WHERE insert_timestamp < ? AND plaintext IS NULL`, time.Now().AddDate(0, 0, -15).UnixMilli())
	return err
}

func (*eventBuffer) GetOutgoingEvent(context.Context, types.JID, types.JID, string) (string, []byte, error) {
	return "", nil, nil
}

func (*eventBuffer) AddOutgoingEvent(context.Context, types.JID, string, string, []byte) error {
	return nil
}

func (*eventBuffer) DeleteOldOutgoingEvents(context.Context) error { return nil }

// notNow is an error on which whatsmeow neither acknowledges a message nor asks
// for another copy (message.go, decryptMessages).
type notNow struct{ cause error }

func (e notNow) Error() string        { return "not now: " + e.cause.Error() }
func (e notNow) Unwrap() error        { return e.cause }
func (e notNow) Is(target error) bool { return target == context.Canceled }

// storeFault is a failure of our own database.
type storeFault struct{ error }

func (e storeFault) Unwrap() error { return e.error }

// isStoreFault tells a failure of our own database from a ciphertext that
// cannot be decrypted. SQLite's errors have a result code.
func isStoreFault(err error) bool {
	var fault storeFault
	var coded interface{ Code() int }
	return errors.As(err, &fault) || errors.As(err, &coded) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
