package mail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-smtp"
)

// Stage is how far an attempt came.
type Stage string

// The stages of an attempt, in their order.
const (
	Authorizing     Stage = "asking for a token"
	Connecting      Stage = "connecting"
	Securing        Stage = "securing"
	LoggingIn       Stage = "logging in"
	NamingSender    Stage = "sender"
	NamingRecipient Stage = "recipient"
	GivingMessage   Stage = "message"
)

// Failure is why an email was not handed over. Its text quotes the server and so
// may hold addresses: show it, never log it. Its fields may be logged.
type Failure struct {
	Stage    Stage
	Code     int    // of the server's answer, or of ours where we know it beforehand; 0 if there is none
	Enhanced string // as in "5.1.1"; empty if the server gave none
	server   string
	byToken  bool // we log in with a token, not with a password
	whole    bool // the end of the email was given
	err      error
}

func (f *Failure) Error() string {
	reason := oneLine(fmt.Sprintf("%d %s %s", f.Code, f.Enhanced, f.words()))
	if f.err != nil && f.words() == "" {
		reason = f.err.Error()
	}
	if advice := f.advice(); advice != "" {
		reason += ": " + advice
	}
	server := "the mail server " + f.server
	switch {
	case f.Unknown():
		return server + " was given the whole email and did not answer, so it may have taken it: " + reason
	case f.Stage == Authorizing:
		return "no token to log in to " + server + " with: " + reason
	case f.Stage == Connecting:
		return "cannot reach " + server + ": " + reason
	case f.Stage == Securing:
		return "no protected connection to " + server + ", so nothing was sent: " + reason
	case f.Stage == LoggingIn && f.Credentials() && !f.byToken:
		return "cannot log in to " + server + ", check user name and password: " + reason
	case f.Stage == LoggingIn:
		return "cannot log in to " + server + ": " + reason
	case f.Stage == NamingSender:
		return server + " takes no email from our address: " + reason
	case f.Stage == NamingRecipient:
		return server + " did not take the recipient: " + reason
	default:
		return server + " did not take the email: " + reason
	}
}

// advice says what to do where the server's words do not.
func (f *Failure) advice() string {
	m := f.meaning()
	switch {
	case m.advice != "":
		return m.advice
	case !f.Credentials() || f.Code == 0:
		return ""
	case f.byToken:
		return permissionAdvice
	case f.Enhanced == "5.7.30" || f.Enhanced == "5.7.139":
		return `Microsoft 365 takes no passwords here: set auth = "oauth" under [mail]`
	}
	return ""
}

// permissionAdvice is for who has a good token and is refused all the same.
const permissionAdvice = "in Microsoft 365, the application may lack its right to the mailbox (New-ServicePrincipal, Add-MailboxPermission) " +
	"or SMTP AUTH is off for it (Set-CASMailbox -SmtpClientAuthenticationDisabled $false); changes take 15 to 30 minutes"

func (f *Failure) Unwrap() error { return f.err }

// words are the server's, if it gave an answer.
func (f *Failure) words() string {
	var answer *smtp.SMTPError
	if errors.As(f.err, &answer) {
		return answer.Message
	}
	return ""
}

// Unknown reports whether the server was given the whole email and its answer was
// lost: it may have accepted it. Of every other failure it is certain that it has not.
func (f *Failure) Unknown() bool { return f.whole && f.Code/100 != 4 && f.Code/100 != 5 }

// Permanent reports whether the server has said that it will never take this
// email. Everything else is temporary or can be mended.
func (f *Failure) Permanent() bool { return f.meaning().verdict == never }

// General reports whether no other email would fare better at present: the
// server is out of reach, unprotected, or refuses us rather than this email.
func (f *Failure) General() bool {
	v := f.meaning().verdict
	return v == noneNow || v == noneUntilMended
}

// Credentials reports whether the server, or who gives us tokens for it, does not let
// us send: somebody has to see to the account, its password, secret or permissions.
// Until then no email goes, so that it is General too.
func (f *Failure) Credentials() bool { return f.meaning().verdict == noneUntilMended }

// Misleading reports whether servers are known to give this answer for something
// else than it says: it may be called temporary and last until somebody acts, or be
// called permanent and pass.
func (f *Failure) Misleading() bool { return f.meaning().misleading }

// relayAdvice is for who is not known to the mail server.
const relayAdvice = "the server does not know this machine: set username under [mail] and the port for sending (587 or 465), or have the server let this machine send"

// A verdict is what a failure means for the outbox.
type verdict int

const (
	later           verdict = iota // this email, after a while
	never                          // this email
	noneNow                        // no email at present
	noneUntilMended                // no email until somebody acts
)

// A meaning is what there is to be made of a failure.
type meaning struct {
	verdict    verdict
	misleading bool
	advice     string
}

// said lists answers that mean something else than their codes say. Code and enhanced
// code must be these, and the text must hold the words, here in lower case.
var said = []struct {
	code     int
	enhanced string
	words    string
	meaning
}{
	// Exchange Online calls it transient that an application has no right to the mailbox.
	{430, "4.2.0", "logonfailed", meaning{noneUntilMended, true, permissionAdvice}},
	{430, "4.2.0", "logon failure", meaning{noneUntilMended, true, permissionAdvice}},
	// Exchange Online: more than three connections at once.
	{432, "4.3.2", "", meaning{noneNow, false, ""}},
	// Exchange Online submits what we send from the mailbox: one code for everything.
	{554, "5.2.0", "sendasdenied", meaning{noneUntilMended, true,
		"the account may not send from this address: make from under [mail] its own, or give it the right (Add-RecipientPermission)"}},
	{554, "5.2.0", "quotaexceeded", meaning{noneNow, true, "the account has sent as much as it may in a day; it goes on when the day is over"}},
	// It keeps a copy of whatever is sent in Sent Items, until the mailbox is full.
	{554, "5.2.2", "", meaning{later, true, "a mailbox is full: make room in the recipient's, and in Sent Items of the account that sends"}},
	// Google, and Exim as cPanel sets it up: the account or domain has sent enough for now.
	{550, "5.4.5", "limit exceeded", meaning{noneNow, true, "the account has sent as much as it may in a day; it goes on when the day is over"}},
	{550, "", "per hour", meaning{noneNow, true, "the hosting company allows fewer emails in an hour: lower per_hour under [mail]"}},
	// Postfix, Sendmail, Exim, Exchange: to them we are strangers, who may not send to others.
	{554, "5.7.1", "relay access denied", meaning{noneUntilMended, true, relayAdvice}},
	{550, "5.7.1", "relaying denied", meaning{noneUntilMended, true, relayAdvice}},
	{550, "5.7.1", "unable to relay", meaning{noneUntilMended, true, relayAdvice}},
	{550, "5.7.54", "unable to relay", meaning{noneUntilMended, true, relayAdvice}},
	{550, "", "relay not permitted", meaning{noneUntilMended, true, relayAdvice}},
	// Postfix: this machine's address is on a list of those from which unwanted emails came.
	{554, "5.7.1", "blocked using", meaning{noneNow, true, "this machine's address is on the list that is named there"}},
	// RFC 4954: the account's password must be set anew.
	{432, "4.7.12", "", meaning{noneUntilMended, true, ""}},
}

// refusesUs are the enhanced codes of refusals that are about us, whatever the stage.
var refusesUs = []string{
	"5.7.3", "5.7.8", // not authenticated, credentials not valid
	"5.7.9", "5.7.14", // Google: an application's password is needed, or somebody has to log in by hand
	"5.7.30", "5.7.57", "5.7.60", "5.7.139", // Exchange Online: no passwords, not authenticated, not allowed as this sender, switched off
}

// meaning says what there is to be made of f, by its three digits first: many servers
// give no enhanced code.
func (f *Failure) meaning() meaning {
	for _, s := range said {
		if f.Code == s.code && f.Enhanced == s.enhanced && strings.Contains(strings.ToLower(f.words()), s.words) {
			return s.meaning
		}
	}
	return meaning{verdict: f.verdict()}
}

func (f *Failure) verdict() verdict {
	const closing, tooLarge = 421, 552
	refused := f.Code/100 == 5 && !strings.HasPrefix(f.Enhanced, "4.")
	aboutUs := slices.Contains([]int{530, 534, 535, 538}, f.Code) || slices.Contains(refusesUs, f.Enhanced) // RFC 4954
	var denied *denial
	switch {
	case errors.As(f.err, &denied) && denied.final:
		return noneUntilMended
	case refused && (aboutUs || f.Stage == LoggingIn):
		return noneUntilMended
	case f.Stage == Authorizing, f.Stage == Connecting, f.Stage == Securing, f.Stage == LoggingIn:
		return noneNow
	case f.Stage == NamingSender && (f.Code == 0 || f.Code == closing || refused && f.Code != tooLarge):
		return noneNow
	case refused:
		return never
	}
	return later // and so whatever we do not know
}

// ended reports whether the server had ended the session, which says nothing of the
// email that was put on it.
func (f *Failure) ended() bool {
	const closing = 421
	return f.Code == 0 || f.Code == closing || f.Credentials()
}

// failure describes err; if ctx is done and the server had not answered, that is why.
func (t *Transport) failure(ctx context.Context, stage Stage, err error) error {
	var answer *smtp.SMTPError
	answered := errors.As(err, &answer)
	if ctx.Err() != nil && !answered {
		return fmt.Errorf("mail server %s: %w", t.Server, ctx.Err())
	}
	f := &Failure{Stage: stage, server: t.Server, byToken: t.OAuth != nil, err: err}
	if answered {
		f.Code = answer.Code
		if e := answer.EnhancedCode; e != smtp.EnhancedCodeNotSet {
			f.Enhanced = fmt.Sprintf("%d.%d.%d", e[0], e[1], e[2])
		}
	}
	return f
}

// notOffered is a failure that we know of without asking: the server has said what it
// takes. code and enhanced are those that it would give.
func (t *Transport) notOffered(stage Stage, code int, enhanced, format string, args ...any) error {
	return &Failure{
		Stage: stage, Code: code, Enhanced: enhanced, server: t.Server, byToken: t.OAuth != nil,
		err: fmt.Errorf(format, args...),
	}
}

// oneLine returns a server's words on one line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
