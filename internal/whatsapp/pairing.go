package whatsapp

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"
)

// A Pairing is what linking takes of the person who does it. Its functions are called one
// at a time; those that ask end when their context does, with its error.
type Pairing struct {
	// Phone is the number of the account, with the country code and digits only, if the
	// link is made by a code that is typed on the phone; empty: by one that is scanned. It
	// is sent to WhatsApp, and neither kept nor logged.
	Phone string
	// Show shows the code. Others may follow; the last one counts.
	Show func(code string)
	// Passkey asks for what the account's passkey answers to a line of JavaScript, which has
	// to be run on a page of web.whatsapp.com. Wrong says what is wrong with the answer
	// before, which identifies nobody; nil at first. Nil: there is nobody to ask.
	Passkey func(ctx context.Context, line string, wrong error) (answer string, err error)
	// Compare asks whether the phone shows this code. Nil: there is nobody to ask.
	Compare func(ctx context.Context, code string) (same bool, err error)
}

// What ends a pairing, as sentences for the sysadmin.
var (
	errBrokenOff = errors.New("WhatsApp closed the connection before this machine was linked: try again")
	errTooOften  = errors.New("WhatsApp refuses it, because there were too many attempts: wait a day before the next one, since each may make the wait longer")
	errWrongCode = errors.New("the phone's answer does not fit the code that was shown: try again")
	errNumber    = errors.New("WhatsApp does not link by this number: it must be that of the council's WhatsApp account; or link by QR code, without --phone")
	errDiffers   = errors.New("stopped, as the phone shows another code: somebody else may be trying to link a machine. Nothing was linked; refuse on the phone what it asks, and try again")
	errUnasked   = errors.New("WhatsApp asks for the account's passkey, and there is nobody here to give it: run muniment link at a terminal")
	errPasskey   = errors.New("WhatsApp did not accept the passkey's answers: try again later, or with another of the account's passkeys")
	errUnknown   = errors.New("WhatsApp asks for the account's passkey in a way that this version of muniment does not know: install a newer one")
)

const (
	// browser is what we are called while a code is typed: WhatsApp refuses names other
	// than those of well-known browsers on well-known systems.
	browser = "Chrome (Linux)"
	// typingTime is longer than WhatsApp is thought to accept a code. It says itself, on the
	// phone, when that is over.
	typingTime = 5 * time.Minute
	// passkeyTime is how long the passkey is waited for if WhatsApp does not say, or says
	// something odd.
	passkeyTime = 10 * time.Minute
	// agreeing is how long phone and server may take to agree, once all is said.
	agreeing = 2 * time.Minute
)

// A linking is a pairing under way.
type linking struct {
	Pairing
	*visit
	typing  time.Duration
	codes   []string    // to be scanned: the one that is shown, and those for afterwards
	asked   bool        // for a code to be typed
	over    *time.Timer // when what is shown, or waited for, is over
	passkey *types.WebAuthnPublicKey
	refused int // answers of the passkey that WhatsApp did not accept
}

// pair takes part in a pairing until it is done. The context ends with the connection.
func (v *visit) pair(ctx context.Context, p Pairing, typing time.Duration) error {
	l := &linking{Pairing: p, visit: v, typing: typing, over: time.NewTimer(agreeing)}
	defer l.over.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-l.over.C:
			if len(l.codes) < 2 {
				return ErrTimedOut
			}
			l.scan(l.codes[1:])
		case step := <-v.steps:
			if _, done := step.(*events.PairSuccess); done {
				return nil
			}
			if err := l.take(ctx, step); err != nil {
				return err
			}
		}
	}
}

// take takes the next step.
func (l *linking) take(ctx context.Context, step any) error {
	switch step := step.(type) {
	case *events.QR:
		if l.Phone != "" {
			return l.typed(ctx)
		}
		l.scan(step.Codes)
	case renewal:
		for i, code := range l.codes {
			l.codes[i] = step.of(code)
		}
		l.scan(l.codes)
	case *events.QRScannedWithoutMultidevice:
		return errors.New("the phone's WhatsApp is too old to link devices: update it")
	case *events.PairPasskeyRequest:
		l.codes = nil
		l.scanning.Store(false)
		l.passkey = step.PublicKey
		return l.unlock(ctx, nil)
	case *events.PairPasskeyConfirmation:
		return l.confirm(ctx, step)
	case *events.PairPasskeyError:
		if !step.Continuation || l.passkey == nil {
			return errUnknown
		}
		return l.again(ctx)
	case *events.PairError:
		return pairingError(step.Error)
	}
	return nil
}

// scan shows the first of codes to be scanned. It is good for as long as WhatsApp says.
func (l *linking) scan(codes []string) {
	l.codes = codes
	l.scanning.Store(len(codes) > 0)
	if len(codes) == 0 {
		return
	}
	if len(codes) == 6 { // as whatsmeow's qrchan.go has it
		l.over.Reset(time.Minute)
	} else {
		l.over.Reset(20 * time.Second)
	}
	l.Show(codes[0])
}

// typed has WhatsApp announce us to the phone, and shows the code to be typed there. One is
// asked for once only: WhatsApp counts.
func (l *linking) typed(ctx context.Context) error {
	if l.asked {
		return nil
	}
	l.asked = true
	code, err := l.client.PairPhone(ctx, l.Phone, true, whatsmeow.PairClientChrome, browser)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, whatsmeow.ErrIQRateOverLimit):
		return errTooOften
	case errors.Is(err, whatsmeow.ErrIQBadRequest), errors.Is(err, whatsmeow.ErrIQNotFound), errors.Is(err, whatsmeow.ErrIQForbidden),
		errors.Is(err, whatsmeow.ErrPhoneNumberTooShort), errors.Is(err, whatsmeow.ErrPhoneNumberIsNotInternational):
		return errNumber
	case err != nil:
		return plain(err)
	}
	l.over.Reset(l.typing)
	l.Show(code)
	return nil
}

// A renewal has come of WhatsApp's no longer accepting the secret that is in our codes.
type renewal struct{ secret []byte }

// of returns the code with the new secret, which is its fourth part.
func (r renewal) of(code string) string {
	parts := strings.Split(code, ",")
	if len(parts) > 3 {
		parts[3] = base64.StdEncoding.EncodeToString(r.secret)
	}
	return strings.Join(parts, ",")
}

// renew makes another secret, for the codes that are shown. Nobody has it, and the phone
// proves itself by it. Where no codes are shown, the secret is one of those that phone and
// device agree on, and WhatsApp has no say in it.
func (v *visit) renew() {
	if !v.scanning.Load() {
		return
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	v.client.Store.AdvSecretKey = slices.Clone(secret)
	v.tell(renewal{secret})
}

// A noticingLog notices that whatsmeow leaves a notice unread by which WhatsApp asks for
// other codes: those that are shown cannot be used any more, and no phone says why. Since
// summer 2026 the first scan is often answered so. Later versions of whatsmeow do this
// themselves, and tell by an event.
type noticingLog struct {
	waLog.Logger
	noticed func()
}

func (l noticingLog) Debugf(format string, args ...any) {
	if format == "Unhandled notification with type %s" && len(args) == 1 && args[0] == "companion_reg_refresh" {
		l.noticed()
	}
	l.Logger.Debugf(format, args...)
}

func pairingError(err error) error {
	for _, known := range []error{whatsmeow.ErrPairInvalidDeviceIdentityHMAC, whatsmeow.ErrPairInvalidDeviceSignature} {
		if errors.Is(err, known) {
			return errWrongCode
		}
	}
	return errors.New("WhatsApp broke off the linking: try again")
}
