package whatsapp

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// An account may demand that whoever links a device shows a passkey of the account's: its
// owner's phone, or a computer that has one, signs a challenge, and does so for pages of
// WhatsApp only. This machine has neither. So a person runs a line in the console of a
// browser that shows such a page, and brings the answer here.

// wrongAnswers is how many answers WhatsApp may refuse before we stop.
const wrongAnswers = 3

// unlock asks for the passkey's answer until WhatsApp has accepted one. Wrong is what was
// wrong with the one before.
func (l *linking) unlock(ctx context.Context, wrong error) error {
	if l.Passkey == nil {
		return errUnasked
	}
	patience := time.Duration(l.passkey.Timeout) * time.Millisecond
	if patience < time.Minute || patience > time.Hour {
		patience = passkeyTime
	}
	asking, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the passkey did not answer in time: try again"))
	defer cancel()
	for {
		text, err := l.Passkey(asking, question(l.passkey), wrong)
		if asking.Err() != nil {
			return context.Cause(asking)
		} else if err != nil {
			return err
		}
		answer, err := readAnswer(text, l.passkey)
		if err != nil {
			wrong = err
			continue
		}
		err = l.client.SendPasskeyResponse(ctx, answer)
		l.over.Reset(agreeing)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, whatsmeow.ErrIQDisconnected), errors.Is(err, whatsmeow.ErrNotConnected):
			return errBrokenOff
		case errors.Is(err, whatsmeow.ErrIQRateOverLimit):
			return errTooOften
		}
		return l.again(ctx)
	}
}

// again asks for another answer, after one that came to nothing. A challenge is for once:
// if WhatsApp gives another one, that is what is to be answered.
func (l *linking) again(ctx context.Context) error {
	if l.refused++; l.refused == wrongAnswers {
		return errPasskey
	}
	whole := l.client.DangerousInternals() //lint:ignore SA1019 it means: dangerous
	if another, err := whole.GetPasskeyRequestOptions(ctx); err == nil {
		l.passkey = another
	}
	return l.unlock(ctx, errors.New("WhatsApp did not accept that answer"))
}

// confirm ends the pairing from our side, once the phone is known to be the right one: by
// the code that it has scanned, or else because its owner compares another one.
func (l *linking) confirm(ctx context.Context, c *events.PairPasskeyConfirmation) error {
	if !c.SkipHandoffUX {
		if l.Compare == nil {
			return errUnasked
		}
		same, err := l.Compare(ctx, c.Code)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		case !same:
			return errDiffers
		}
	}
	l.over.Reset(agreeing)
	if err := l.client.SendPasskeyConfirmation(ctx); ctx.Err() != nil {
		return context.Cause(ctx)
	} else if errors.Is(err, whatsmeow.ErrIQRateOverLimit) {
		return errTooOften
	} else if err != nil {
		return plain(err)
	}
	return nil
}

// encode writes bytes as they are written in requests of passkeys and their answers.
var encode = base64.RawURLEncoding.EncodeToString

// question is the line that asks the passkey, and prints its answer as one line of JSON.
func question(key *types.WebAuthnPublicKey) string {
	// Browsers take a list that is not there for an empty one, but not one that is null.
	type credential struct {
		ID         string   `json:"id"`
		Type       string   `json:"type"`
		Transports []string `json:"transports,omitempty"`
	}
	options := struct {
		Challenge        string         `json:"challenge"`
		Timeout          int            `json:"timeout,omitempty"`
		RelyingParty     string         `json:"rpId,omitempty"`
		Allowed          []credential   `json:"allowCredentials,omitempty"`
		UserVerification string         `json:"userVerification,omitempty"`
		Extensions       map[string]any `json:"extensions,omitempty"`
	}{encode(key.Challenge), key.Timeout, key.RelyingPartID, nil, key.UserVerification, key.Extensions}
	for _, c := range key.AllowCredentials {
		options.Allowed = append(options.Allowed, credential{encode(c.ID), c.Type, c.Transports})
	}
	b, err := json.Marshal(options) // escapes what could end a line or a script
	if err != nil {
		panic(err) // it came as JSON
	}
	return fmt.Sprintf("navigator.credentials.get({publicKey:PublicKeyCredential.parseRequestOptionsFromJSON(%s)})"+
		".then(c=>console.log(JSON.stringify(c)),e=>console.log(String(e)))", b)
}

// readAnswer reads what the browser printed, and checks all of it but the signature: the key
// that made it is known to WhatsApp only.
func readAnswer(text string, asked *types.WebAuthnPublicKey) (*types.WebAuthnResponse, error) {
	begin, end := strings.Index(text, "{"), strings.LastIndex(text, "}")
	if strings.Contains(text, "NotAllowedError") {
		return nil, errors.New("the passkey was not used, or not in time: run the line again")
	} else if begin < 0 || end < begin {
		return nil, errors.New("that is not the answer: it begins with { and ends with }")
	}
	var answer types.WebAuthnResponse
	if err := json.Unmarshal([]byte(text[begin:end+1]), &answer); err != nil {
		return nil, errors.New("that is not the whole answer, or it was changed on the way: copy the line anew")
	}
	r := answer.Response
	var client struct{ Type, Challenge, Origin string }
	switch {
	case len(r.ClientDataJSON) == 0, len(r.AuthenticatorData) == 0, len(r.Signature) == 0, len(answer.RawID) == 0:
		return nil, errors.New("that is not the answer of a passkey: something is missing in it")
	case json.Unmarshal(r.ClientDataJSON, &client) != nil, client.Type != "webauthn.get":
		return nil, errors.New("that is not the answer of a passkey to a page that asks for it")
	case client.Challenge != encode(asked.Challenge):
		return nil, errors.New("that is the answer to another line: run the one above")
	}
	site := cmp.Or(asked.RelyingPartID, "web.whatsapp.com") // the page's own, if it does not say
	origin, err := url.Parse(client.Origin)
	if err != nil || origin.Scheme != "https" || origin.Hostname() != site && !strings.HasSuffix(origin.Hostname(), "."+site) {
		return nil, fmt.Errorf("that was answered on another page: run the line on one of %s", site)
	}
	if of := sha256.Sum256([]byte(site)); !bytes.HasPrefix(r.AuthenticatorData, of[:]) {
		return nil, fmt.Errorf("that is the answer of another site's passkey, not of one for %s", site)
	}
	return &answer, nil
}
