package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A credential is a line that stands in no configuration: systemd hands it over, or it
// stands alone in a file.
type credential struct {
	name   string // by which systemd hands it over, and the unit's file in /etc/muniment is called
	what   string // as in "the password of the mail account"
	file   string // where the configuration says it is; empty: where the unit has it from
	unless string // what to do if there is none
}

// Secret returns what we log in to the mail server by: the password of the account or,
// with [AuthOAuth], the secret that gets us tokens.
//
// It is the one that systemd hands over, else the one in the file that the configuration
// names or the unit has it from, which nobody but its owner may read. It is empty if
// there is no username: such a server asks for none. It is read anew at each call and
// kept nowhere.
func (m Mail) Secret() (string, error) {
	switch {
	case m.Username == "":
		return "", nil
	case m.Auth == AuthOAuth:
		return credential{
			name: "mail-oauth-secret", what: "the secret for mail tokens", file: m.OAuth.SecretFile,
			unless: "if the mail server takes a password, remove auth under [mail]",
		}.read()
	}
	unless := "if the server asks for none, remove username under [mail]"
	if m.OAuth.TokenURL != "" {
		unless = `to log in by tokens, as [mail.oauth] says, put auth = "oauth" under [mail]`
	}
	return credential{name: "smtp-password", what: "the password of the mail account", file: m.PasswordFile, unless: unless}.read()
}

func (c credential) read() (string, error) {
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		secret, err := c.readFile(filepath.Join(dir, c.name), false)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		// Our unit hands over an empty one if the administrator gave none.
		if secret != "" {
			return secret, nil
		}
	}
	file := cmp.Or(c.file, "/etc/muniment/"+c.name) // that only root may read
	secret, err := c.readFile(file, true)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%s is not there: put it in %s; %s", c.what, file, c.unless)
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("%s is in %s, which this user may not read: run this with sudo", c.what, file)
	case err != nil:
		return "", err
	case secret == "":
		return "", fmt.Errorf("%s is to be in %s, which is empty: write it into it", c.what, file)
	}
	return secret, nil
}

// readFile returns the one line that the file at path consists of. Files that we ask to
// be private are refused if they are not; what systemd hands over is private by its
// directory, whatever its mode.
func (c credential) readFile(path string, private bool) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", c.what, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("read %s: %w", c.what, err)
	}
	if mode := info.Mode().Perm(); private && mode&0o077 != 0 {
		return "", fmt.Errorf("%s is in %s, which can be read by others (mode %04o): chmod 0600 it, and change it if others use this machine", c.what, path, mode)
	}
	data, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", c.what, err)
	}
	secret := strings.TrimRight(string(data), "\r\n")
	if strings.ContainsAny(secret, "\r\n\x00") {
		return "", fmt.Errorf("%s must stand in %s alone, on one line", c.what, path)
	}
	return secret, nil
}
