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
// over, else the one in PasswordFile or where the unit has it from, which nobody but its
// owner may read.
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
	file := m.PasswordFile
	if file == "" {
		file = serviceFile
	}
	password, err := readPassword(file, true)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("there is no password for the mail account: put it in %s; if the server asks for none, remove username under [mail]", file)
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("the password of the mail account is in %s, which this user may not read: run this with sudo", file)
	case err != nil:
		return "", err
	case password == "":
		return "", fmt.Errorf("the password file %s is empty: write the password of the mail account into it", file)
	}
	return password, nil
}

// serviceFile is where the unit has systemd take the password from. Only root
// may read it.
const serviceFile = "/etc/muniment/smtp-password"

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
