package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What we log in by is found in the same way, whether it is a password or the secret
// that gets us tokens.
func TestSecret(t *testing.T) {
	t.Run("password", func(t *testing.T) {
		testSecret(t, "smtp-password", func(m *Mail, file string) { m.PasswordFile = file })
	})
	t.Run("oauth", func(t *testing.T) {
		testSecret(t, "mail-oauth-secret", func(m *Mail, file string) { m.Auth, m.OAuth.SecretFile = AuthOAuth, file })
	})
}

// Who has set up tokens, and forgot to say that they are to be used, is not sent for a
// password.
func TestTokensThatAreNotUsed(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", t.TempDir())
	m := Mail{Auth: AuthPassword, Username: "record", PasswordFile: filepath.Join(t.TempDir(), "none"), OAuth: OAuth{TokenURL: "https://login.example/token"}}
	if _, err := m.Secret(); err == nil || !strings.HasSuffix(err.Error(), `put auth = "oauth" under [mail]`) {
		t.Errorf("err %v", err)
	}
}

func testSecret(t *testing.T, credential string, set func(m *Mail, file string)) {
	const unset = "(none)"
	for _, tt := range []struct {
		name       string
		anonymous  bool
		credential string // what systemd hands over
		file       string // what password_file holds
		mode       os.FileMode
		want       string
		wantErr    string
	}{
		{name: "no username needs no password", anonymous: true, credential: unset, file: unset},
		{name: "systemd hands it over", credential: "s3cret\n", file: unset, want: "s3cret"},
		{name: "what systemd hands over wins", credential: "s3cret", file: "other", mode: 0o600, want: "s3cret"},
		{name: "what systemd hands over is private whatever its mode", credential: "s3cret", mode: 0o440, file: unset, want: "s3cret"},
		{name: "an empty one from systemd gives way to the file", credential: "", file: "s3cret\r\n", mode: 0o400, want: "s3cret"},
		{name: "none from systemd gives way to the file", credential: unset, file: "s3cret", mode: 0o600, want: "s3cret"},
		{name: "spaces belong to it", credential: unset, file: " s3 cret \n", mode: 0o600, want: " s3 cret "},
		{name: "none anywhere", credential: unset, file: unset, wantErr: "put it in /etc/muniment/" + credential},
		{name: "an empty one from systemd and no file", credential: "\n", file: unset, wantErr: "put it in /etc/muniment/" + credential},
		{name: "a file that is empty", credential: unset, file: "\n", mode: 0o600, wantErr: "is empty: write it into it"},
		{name: "a file that its group can read", credential: unset, file: "s3cret", mode: 0o640, wantErr: "(mode 0640): chmod 0600 it"},
		{name: "a file that all can read", credential: unset, file: "s3cret", mode: 0o604, wantErr: "(mode 0604): chmod 0600 it"},
		{name: "a file of two lines", credential: unset, file: "s3cret\nmore\n", mode: 0o600, wantErr: "on one line"},
		{name: "two lines from systemd", credential: "s3cret\nmore\n", file: unset, wantErr: "on one line"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(path, content string, mode os.FileMode) {
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(path, mode); err != nil {
					t.Fatal(err)
				}
			}
			m := Mail{Username: "record"}
			if tt.anonymous {
				m.Username = ""
			}
			t.Setenv("CREDENTIALS_DIRECTORY", dir)
			if tt.credential != unset {
				write(filepath.Join(dir, credential), tt.credential, 0o440)
			}
			set(&m, "")
			if tt.file != unset {
				file := filepath.Join(dir, "file")
				set(&m, file)
				write(file, tt.file, tt.mode)
			}
			got, err := m.Secret()
			if got != tt.want {
				t.Errorf("Secret = %q, want %q", got, tt.want)
			}
			switch {
			case tt.wantErr == "" && err != nil:
				t.Errorf("Secret: %v", err)
			case tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)):
				t.Errorf("Secret: %v; want an error with %q", err, tt.wantErr)
			case err != nil && strings.Contains(err.Error(), "s3cret"):
				t.Errorf("the error quotes it: %v", err)
			}
		})
	}
}

func TestSecretNamesTheFileThatIsMissing(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	missing := filepath.Join(t.TempDir(), "none")
	_, err := Mail{Username: "record", PasswordFile: missing}.Secret()
	if err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("Secret: %v; want an error that names %s", err, missing)
	}
}
