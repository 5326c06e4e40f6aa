package mail

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
)

// What answers mean, as servers give them.
func TestWhatAnswersMean(t *testing.T) {
	const (
		cPanel    = "cPanel" // and Exim everywhere: no enhanced codes
		postfix   = "Postfix"
		microsoft = "Microsoft 365"
		google    = "Google"
	)
	for _, tt := range []struct {
		server     string
		stage      Stage
		code       int
		enhanced   [3]int
		words      string
		want       verdict
		misleading bool
	}{
		{cPanel, LoggingIn, 535, [3]int{}, "Incorrect authentication data", noneUntilMended, false},
		{cPanel, NamingRecipient, 550, [3]int{}, "No Such User Here", never, false},
		{cPanel, NamingRecipient, 451, [3]int{}, "Temporary local problem - please try later", later, false},
		{cPanel, NamingRecipient, 550, [3]int{}, "relay not permitted", noneUntilMended, true},
		{cPanel, NamingSender, 550, [3]int{}, "Sender verify failed", noneNow, false},
		{cPanel, GivingMessage, 552, [3]int{}, "Message size exceeds maximum permitted", never, false},
		{cPanel, NamingSender, 552, [3]int{}, "Message size exceeds maximum permitted", never, false},
		{cPanel, NamingSender, 421, [3]int{}, "Too many concurrent SMTP connections", noneNow, false},
		{cPanel, NamingRecipient, 550, [3]int{}, "Domain council.test has exceeded the max emails per hour (100/100 (100%)) allowed. Message discarded.", noneNow, true},
		{cPanel, GivingMessage, 550, [3]int{}, "This message was classified as spam", never, false},

		{postfix, LoggingIn, 535, [3]int{5, 7, 8}, "Error: authentication failed", noneUntilMended, false},
		{postfix, LoggingIn, 454, [3]int{4, 7, 0}, "Temporary authentication failure: Connection lost to authentication server", noneNow, false},
		{postfix, NamingRecipient, 450, [3]int{4, 2, 0}, "Greylisted", later, false},
		{postfix, NamingRecipient, 554, [3]int{5, 7, 1}, "<clerk@council.test>: Relay access denied", noneUntilMended, true},
		{postfix, NamingRecipient, 554, [3]int{5, 7, 1}, "Service unavailable; Client host [192.0.2.7] blocked using zen.example", noneNow, true},
		{postfix, NamingRecipient, 554, [3]int{5, 7, 1}, "<clerk@council.test>: Recipient address rejected: Access denied", never, false},
		{postfix, NamingSender, 452, [3]int{4, 3, 1}, "Insufficient system storage", later, false},
		{postfix, NamingSender, 553, [3]int{5, 7, 1}, "Sender address rejected: not owned by user", noneNow, false},
		{postfix, NamingRecipient, 421, [3]int{4, 7, 0}, "Error: too many errors", later, false},

		{microsoft, LoggingIn, 535, [3]int{5, 7, 139}, "Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant", noneUntilMended, false},
		{microsoft, LoggingIn, 550, [3]int{5, 7, 30}, "Basic authentication is not supported for Client Submission", noneUntilMended, false},
		{microsoft, NamingSender, 530, [3]int{5, 7, 57}, "Client not authenticated to send mail", noneUntilMended, false},
		{microsoft, GivingMessage, 550, [3]int{5, 7, 60}, "SMTP; Client does not have permissions to send as this sender", noneUntilMended, false},
		{microsoft, GivingMessage, 430, [3]int{4, 2, 0}, "STOREDRV; mailbox logon failure; STOREDRV.Submission.Exception:ConnectionFailedTransientException.MapiExceptionLogonFailed; Failed to process message due to a transient exception", noneUntilMended, true},
		{microsoft, GivingMessage, 430, [3]int{4, 2, 0}, "STOREDRV; mailbox server is too busy", later, false},
		{microsoft, NamingSender, 432, [3]int{4, 3, 2}, "Concurrent connections limit exceeded", noneNow, false},
		{microsoft, GivingMessage, 554, [3]int{5, 2, 0}, "STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied", noneUntilMended, true},
		{microsoft, GivingMessage, 554, [3]int{5, 2, 0}, "STOREDRV.Submission.Exception:SubmissionQuotaExceededException", noneNow, true},
		{microsoft, GivingMessage, 554, [3]int{5, 2, 0}, "STOREDRV.Submission.Exception:CorruptDataException", never, false},
		{microsoft, GivingMessage, 554, [3]int{5, 2, 2}, "mailbox full", later, true},
		{microsoft, GivingMessage, 451, [3]int{4, 7, 500}, "Server busy. Please try again later", later, false},

		{google, LoggingIn, 534, [3]int{5, 7, 9}, "Application-specific password required", noneUntilMended, false},
		{google, LoggingIn, 421, [3]int{4, 7, 0}, "Try again later, closing connection", noneNow, false},
		{google, NamingRecipient, 550, [3]int{5, 4, 5}, "Daily user sending limit exceeded", noneNow, true},

		{"any", LoggingIn, 432, [3]int{4, 7, 12}, "A password transition is needed", noneUntilMended, true},
		{"any", GivingMessage, 550, [3]int{4, 7, 1}, "a code that takes it back", later, false},
		{"any", GivingMessage, 454, [3]int{5, 7, 8}, "the three digits come first", later, false},
		{"any", NamingRecipient, 250, [3]int{}, "an answer where none is due", later, false},
		{"any", NamingRecipient, 999, [3]int{9, 9, 9}, "a code that does not exist", later, false},
		{"any", Securing, 554, [3]int{}, "no mail service here", noneNow, false},
	} {
		enhanced := smtp.EnhancedCode(tt.enhanced)
		var f *Failure
		err := (&Transport{Server: "mail.test:587"}).failure(t.Context(), tt.stage, &smtp.SMTPError{Code: tt.code, EnhancedCode: enhanced, Message: tt.words})
		if !errors.As(err, &f) || f.Code != tt.code || f.meaning().verdict != tt.want || f.Misleading() != tt.misleading {
			t.Errorf("%s, %s: %v: %d, misleading %v; want %d, %v", tt.server, tt.stage, err, f.meaning().verdict, f.Misleading(), tt.want, tt.misleading)
		}
		if f.Permanent() != (tt.want == never) || f.General() != (tt.want == noneNow || tt.want == noneUntilMended) ||
			f.Credentials() != (tt.want == noneUntilMended) || f.Unknown() {
			t.Errorf("%s, %s: %v: permanent %v, general %v, credentials %v, unknown %v", tt.server, tt.stage, err, f.Permanent(), f.General(), f.Credentials(), f.Unknown())
		}
	}
}

// A failure of a password that Microsoft takes none of says what to do instead.
func TestPasswordsThatMicrosoftDoesNotTake(t *testing.T) {
	f := (&Transport{}).failure(t.Context(), LoggingIn, &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 30}, Message: "Basic authentication is not supported"})
	if !strings.Contains(f.Error(), `550 5.7.30 Basic authentication is not supported: Microsoft 365 takes no passwords here: set auth = "oauth" under [mail]`) {
		t.Errorf("%q", f)
	}
}

// Who is told to stop while the server answers has its answer all the same.
func TestAnAnswerCountsThoughWeStop(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var f *Failure
	if err := (&Transport{}).failure(ctx, GivingMessage, &smtp.SMTPError{Code: 554, Message: "no"}); !errors.As(err, &f) || !f.Permanent() {
		t.Errorf("err %v; want the refusal", err)
	}
	if err := (&Transport{}).failure(ctx, GivingMessage, io.EOF); errors.As(err, &f) || !errors.Is(err, context.Canceled) {
		t.Errorf("err %v; want ctx's", err)
	}
}
