package daemon

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/config"
	"muniment/internal/mail"
)

func TestWhatEmailsDependOnAndExpires(t *testing.T) {
	certificate := Expiry{What: "The mail server's certificate", Notice: 14 * 24 * time.Hour} // and no more is known before the server was met
	secret := config.OAuth{SecretExpires: time.Date(2028, 11, 2, 0, 0, 0, 0, time.UTC)}
	for _, tt := range []struct {
		name string
		mail config.Mail
		want []Expiry
	}{
		{"a password does not", config.Mail{Auth: config.AuthPassword, OAuth: secret}, []Expiry{certificate}},
		{"a secret whose day is not known", config.Mail{Auth: config.AuthOAuth}, []Expiry{certificate}},
		{"a secret", config.Mail{Auth: config.AuthOAuth, OAuth: secret},
			[]Expiry{certificate, {"The secret by which we log in to the mail server", secret.SecretExpires, 30 * 24 * time.Hour}}},
	} {
		d := &Daemon{transport: new(mail.Transport), o: Options{Config: config.Config{Mail: tt.mail}}}
		if diff := cmp.Diff(tt.want, d.mailExpiries()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
