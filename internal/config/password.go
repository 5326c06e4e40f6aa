package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// credential is the name under which systemd hands over the password.
const credential = "smtp-password"

// Password returns the password of the mail account: the one systemd hands
// over, else the one in PasswordFile, which nobody but its owner may read.
//
// It is empty if there is no username: such a server asks for none. It is read
// anew at each call and kept nowhere.
func (m Mail) Password() (string, error) {
	if m.Username == "" {
		return "", nil
	}
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		password, err := readPassword(filepath.Join(dir, credential), false)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		// Our unit hands over an empty password if the administrator gave none.
		if password != "" {
			return password, nil
		}
	}
	if m.PasswordFile == "" {
		return "", errors.New("there is no password for the mail account: put it in /etc/muniment/smtp-password for the service, " +
			"or name a file that only its user can read in password_file under [mail]; if the server asks for none, remove username")
	}
	password, err := readPassword(m.PasswordFile, true)
	if err != nil {
		return "", err
	}
	if password == "" {
		return "", fmt.Errorf("the password file %s is empty: write the password of the mail account into it", m.PasswordFile)
	}
	return password, nil
}

// readPassword returns the one line that the file at path consists of. Files
// that we ask to be private are refused if they are not; what systemd hands over
// is private by its directory, whatever its mode.
func readPassword(path string, private bool) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the password of the mail account: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("read the password of the mail account: %w", err)
	}
	if mode := info.Mode().Perm(); private && mode&0o077 != 0 {
		return "", fmt.Errorf("the password file %s can be read by others (mode %04o): chmod 0600 it, and change the password if others use this machine", path, mode)
	}
	data, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", fmt.Errorf("read the password of the mail account: %w", err)
	}
	password := strings.TrimRight(string(data), "\r\n")
	if strings.ContainsAny(password, "\r\n\x00") {
		return "", fmt.Errorf("the password file %s must hold the password alone, on one line", path)
	}
	return password, nil
}
