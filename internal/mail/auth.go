package mail

import (
	"fmt"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// logIn authenticates us, if there is a user name, and returns by which mechanism.
// With a token, it is shown; otherwise the password is.
func (t *Transport) logIn(c *smtp.Client, token string) (mechanism string, err error) {
	if t.Username == "" {
		return "", nil
	}
	if t.OAuth != nil {
		switch {
		case c.SupportsAuth(xoauth2Name):
			return xoauth2Name, c.Auth(xoauth2{t.Username, token})
		case c.SupportsAuth(sasl.OAuthBearer):
			return sasl.OAuthBearer, c.Auth(oauthBearer{sasl.NewOAuthBearerClient(
				&sasl.OAuthBearerOptions{Username: t.Username, Token: token})})
		}
		return "", offers(c, "XOAUTH2 nor OAUTHBEARER, which a token needs")
	}
	switch {
	case c.SupportsAuth(sasl.Plain):
		return sasl.Plain, c.Auth(sasl.NewPlainClient("", t.Username, t.Password))
	case c.SupportsAuth(sasl.Login): // Exchange Online offers no PLAIN
		return sasl.Login, c.Auth(sasl.NewLoginClient(t.Username, t.Password))
	}
	return "", offers(c, "PLAIN nor LOGIN, which a password needs")
}

// offers says that the server offers neither of two mechanisms, and what it does.
func offers(c *smtp.Client, neither string) error {
	is, mechanisms := c.Extension("AUTH")
	if !is {
		return fmt.Errorf("the server offers neither %s; it offers no login at all: is this the port for sending?", neither)
	}
	return fmt.Errorf("the server offers neither %s; it offers %s", neither, mechanisms)
}

const xoauth2Name = "XOAUTH2"

// xoauth2 is the client's side of the mechanism by which Microsoft and Google take
// tokens, which go-sasl does not have.
type xoauth2 struct{ user, token string }

func (x xoauth2) Start() (mechanism string, response []byte, err error) {
	return xoauth2Name, []byte("user=" + x.user + "\x01auth=Bearer " + x.token + "\x01\x01"), nil
}

// Next answers the only challenge there is, by which the server explains that it does
// not take the token: with nothing. It then refuses with a code.
func (x xoauth2) Next([]byte) ([]byte, error) { return []byte{}, nil }

// oauthBearer is go-sasl's, except that it lets the server refuse with a code: see
// RFC 7628, section 3.2.3.
type oauthBearer struct{ sasl.Client }

func (oauthBearer) Next([]byte) ([]byte, error) { return []byte{1}, nil }
