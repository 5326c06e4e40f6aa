package backup

import (
	"errors"
	"fmt"
	"os"
	"time"

	"filippo.io/age"
)

// NewIdentity makes a pair of keys for backups, writes the secret one to a file of its owner's
// only, in the form of age-keygen, and returns the public one. It refuses to overwrite a file.
func NewIdentity(path string, now time.Time) (recipient string, err error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	recipient = identity.Recipient().String()
	_, err = fmt.Fprintf(f, "# created: %s\n# public key: %s\n%s\n", now.UTC().Format(time.RFC3339), recipient, identity)
	return recipient, errors.Join(err, f.Sync(), f.Close())
}

// ReadIdentities reads a file with secret keys. Its error repeats nothing of that.
func ReadIdentities(path string) ([]age.Identity, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the secret key: %w", err)
	}
	defer f.Close()
	identities, err := age.ParseIdentities(f)
	if err != nil {
		return nil, fmt.Errorf("there is no secret key in %s: it holds a line that begins with AGE-SECRET-KEY-1, as muniment backup keygen or age-keygen wrote it", path)
	}
	return identities, nil
}
