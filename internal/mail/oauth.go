package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// OAuth is where we get tokens that a mail server takes in place of a password, and who
// we are there: an application, by client ID and secret. Tokens are kept in memory only.
type OAuth struct {
	TokenURL string // https
	ClientID string
	Secret   string
	Scope    string
	Roots    *x509.CertPool // who may vouch for the endpoint; nil: whom the system trusts

	last *oauth2.Token // of the last answer; whoever has the transport's turn may touch it
}

// early is how long before its end a token is replaced.
const early = 5 * time.Minute

// token returns a token, and whether it has just been asked for.
func (o *OAuth) token(ctx context.Context) (token string, fresh bool, err error) {
	if o.last != nil && (o.last.Expiry.IsZero() || time.Until(o.last.Expiry) > early) {
		return o.last.AccessToken, false, nil
	}
	if o.last, err = o.ask(ctx); err != nil {
		return "", false, err
	}
	return o.last.AccessToken, true, nil
}

// forget forgets a token that was refused.
func (o *OAuth) forget() { o.last = nil }

// ask asks the endpoint for a token. Its error holds no secret and no token.
func (o *OAuth) ask(ctx context.Context) (*oauth2.Token, error) {
	endpoint, err := url.Parse(o.TokenURL)
	if err != nil || endpoint.Scheme != "https" || endpoint.Host == "" {
		return nil, errors.New("the token endpoint is no https address")
	}
	client := &http.Client{
		Transport: &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			TLSClientConfig:   &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2: true,
			DisableKeepAlives: true, // it is asked once an hour
		},
		// The secret goes to this address and to no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	config := clientcredentials.Config{
		ClientID: o.ClientID, ClientSecret: o.Secret, TokenURL: o.TokenURL,
		Scopes: []string{o.Scope}, AuthStyle: oauth2.AuthStyleInParams,
	}
	token, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
	var refused *oauth2.RetrieveError
	var unreachable *url.Error
	switch {
	case err == nil:
		return token, nil
	case errors.As(err, &refused):
		return nil, o.denial(endpoint.Host, refused)
	case errors.As(err, &unreachable):
		return nil, fmt.Errorf("%s: %w", endpoint.Host, unreachable.Err)
	}
	return nil, fmt.Errorf("%s gave an answer that is no token", endpoint.Host)
}

// A denial is an answer of the token endpoint that gives no token.
type denial struct {
	text  string
	final bool // it will be the same until somebody mends something
}

func (d *denial) Error() string { return d.text }

// denial says what the endpoint at host said, in its words, and what to do.
func (o *OAuth) denial(host string, e *oauth2.RetrieveError) *denial {
	if e.ErrorCode == "" { // not an endpoint's answer: perhaps a proxy's
		return &denial{text: fmt.Sprintf("%s answered %s and gave no token", host, oneLine(e.Response.Status))}
	}
	words := essence(o.withoutSecret(e.ErrorDescription))
	if words == "" {
		words = essence(o.withoutSecret(e.ErrorCode))
	}
	d := &denial{text: fmt.Sprintf("%s said: %s", host, words)}
	switch e.ErrorCode {
	case "temporarily_unavailable", "server_error":
		return d
	}
	if status := e.Response.StatusCode; status >= 500 || status == http.StatusTooManyRequests {
		return d
	}
	d.final = true
	if advice := entraAdvice[entraCode(words)]; advice != "" {
		d.text += ": " + advice
	} else if advice := oauthAdvice[e.ErrorCode]; advice != "" {
		d.text += ": " + advice
	}
	return d
}

// withoutSecret takes the secret out of an endpoint's words, should it repeat it.
func (o *OAuth) withoutSecret(s string) string {
	if o.Secret == "" {
		return s
	}
	return strings.NewReplacer(o.Secret, "(the secret)", url.QueryEscape(o.Secret), "(the secret)").Replace(s)
}

// mostWords bounds what is repeated of an endpoint's explanation, in bytes.
const mostWords = 240

// essence returns the part of an endpoint's explanation that is for people: Microsoft's
// goes on with numbers by which its support finds the request.
func essence(description string) string {
	s := oneLine(description)
	for _, end := range []string{" Trace ID:", " Correlation ID:", " Timestamp:"} {
		s, _, _ = strings.Cut(s, end)
	}
	if len(s) > mostWords {
		s = strings.ToValidUTF8(s[:mostWords], "") + "…"
	}
	return s
}

var entraCodes = regexp.MustCompile(`\bAADSTS(\d{1,9})\b`)

// entraCode returns the number by which Microsoft Entra names an error; empty if there
// is none.
func entraCode(s string) string {
	if m := entraCodes.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return ""
}

// entraAdvice says what to do about Microsoft Entra's errors. Microsoft may change the
// numbers: nothing but these words depends on them.
var entraAdvice = map[string]string{
	"7000215": "the secret is wrong: put its Value, not its Secret ID, into the file that holds it",
	"7000222": "the secret has expired: make a new one for the application (Certificates & secrets), put it into the file and correct secret_expires under [mail.oauth]",
	"7000218": "there is no secret: put it into the file that holds it",
	"7000216": "there is no secret: put it into the file that holds it",
	"700016":  "there is no such application in this tenant: correct client_id or tenant under [mail.oauth]",
	"7000112": "the application is disabled: enable it under Enterprise applications",
	"700027":  "the application's certificate or secret is not valid: make a new secret",
	"90002":   "there is no such tenant: correct tenant under [mail.oauth]",
	"900023":  "there is no such tenant: correct tenant under [mail.oauth]",
	"900021":  "there is no such tenant: correct tenant under [mail.oauth]",
	"1002012": "the scope must end in /.default: correct or remove scope under [mail.oauth]",
	"70011":   "the scope is wrong: correct or remove scope under [mail.oauth]",
	"500011":  "this tenant has no Exchange Online of that scope: correct tenant, or remove scope, under [mail.oauth]",
	"53003":   "the tenant's Conditional Access forbids it: let this application in",
}

// oauthAdvice says what to do about the errors of RFC 6749, section 5.2.
var oauthAdvice = map[string]string{
	"invalid_client":      "correct client_id under [mail.oauth] or the secret",
	"unauthorized_client": "the application may not have tokens in this way: allow it client credentials",
	"invalid_scope":       "correct or remove scope under [mail.oauth]",
	"invalid_request":     "correct tenant, client_id and scope under [mail.oauth]",
}
