package backup

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
)

// The members of a sealed backup, in this order; the last is there only if the council
// has a schedule of its own. What the link to WhatsApp consists of is never among them.
const (
	ManifestName = "manifest.json"
	ArchiveName  = "archive.db"
	KeyName      = "ledger.key"
	ConfigName   = "muniment.toml"
	ScheduleName = "retention.toml"
)

// form is the number of the form of sealed backups that this program writes. What it reads
// of another, it would read wrongly.
const form = 1

// Manifest is the first member of a sealed backup: what the others are.
type Manifest struct {
	Form       int       `json:"form"`
	MadeAt     time.Time `json:"made_at"`
	Program    string    `json:"program"`
	Council    string    `json:"council"`
	Leaves     int64     `json:"leaves"` // of the ledger
	Root       string    `json:"root"`   // its head, in base64
	Checkpoint string    `json:"checkpoint"`
	Journal    int64     `json:"journal"` // the number of the last entry
	Records    int64     `json:"records"` // that are kept
	Members    []Member  `json:"members"`
}

// Member is another member of a sealed backup.
type Member struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // in hexadecimal digits
}

// nameLayout is how the file name of a sealed backup tells when it was made, in UTC.
const nameLayout = "archive-20060102T150405Z.age"

// NameOf is the file name of the sealed backup that was made at that time.
func NameOf(madeAt time.Time) string { return madeAt.UTC().Format(nameLayout) }

// MadeAt returns when the sealed backup of that file name was made; false if it is not the
// name of one.
func MadeAt(name string) (time.Time, bool) {
	t, err := time.Parse(nameLayout, name)
	return t, err == nil && NameOf(t) == name
}

// The directories beside the sealed backups.
const (
	MediaDirectory     = "media"     // the vault's files as they are, under the same names
	DestroyedDirectory = "destroyed" // what runs destroyed, a signed account of each
)

// AccountName is where the account of a run lies in the backup directory.
func AccountName(run int64) string {
	return filepath.Join(DestroyedDirectory, fmt.Sprintf("%06d.note", run))
}

// ParseRecipient reads the public key that backups are encrypted to. Its error does not
// repeat what was given: that might be the secret one.
func ParseRecipient(text string) (age.Recipient, error) {
	if strings.HasPrefix(strings.ToUpper(text), "AGE-SECRET-KEY-") {
		return nil, errors.New("this is the secret key, which must not be on this machine: put the public key there, which begins with age1, and make a new pair, since this one is not secret any more")
	}
	recipient, err := age.ParseX25519Recipient(text)
	if err != nil {
		return nil, errors.New("this is not a public key of age: copy it again, all 62 characters from age1 on, as age-keygen showed it")
	}
	return recipient, nil
}

// member is a file that is to be a member.
type member struct{ name, path string }

// describe reads what the manifest says of a file.
func describe(m member) (Member, error) {
	f, err := os.Open(m.path)
	if err != nil {
		return Member{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return Member{Name: m.name, Bytes: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

// seal writes the manifest, completed by what it says of the members, and these to w,
// encrypted to the recipient.
func seal(w io.Writer, to age.Recipient, m Manifest, members []member) error {
	m.Form, m.Members = form, nil
	for _, one := range members {
		d, err := describe(one)
		if err != nil {
			return err
		}
		m.Members = append(m.Members, d)
	}
	manifest, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return err
	}
	sealed, err := age.Encrypt(w, to)
	if err != nil {
		return err
	}
	t := tar.NewWriter(sealed)
	header := func(name string, size int64) error {
		return t.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: m.MadeAt.UTC().Truncate(time.Second), Format: tar.FormatPAX})
	}
	if err := header(ManifestName, int64(len(manifest))); err != nil {
		return err
	}
	if _, err := t.Write(manifest); err != nil {
		return err
	}
	for i, one := range members {
		if err := header(one.name, m.Members[i].Bytes); err != nil {
			return err
		}
		if err := copyMember(t, one.path, m.Members[i]); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), sealed.Close())
}

// copyMember writes a file, which must still be what the manifest says.
func copyMember(w io.Writer, path string, m Member) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, h), f); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != m.SHA256 {
		return fmt.Errorf("%s changed while it was read", m.Name)
	}
	return nil
}

// Opened is a sealed backup that has been opened. Its members follow one after the other, so
// they can be taken out once.
type Opened struct {
	Manifest Manifest
	plain    io.Reader
	tar      *tar.Reader // of plain
}

// Open opens a sealed backup with the secret key. Nothing in it is to be believed before
// [Opened.Extract] has returned nil: until then it is not known whether it is whole.
func Open(r io.Reader, identities ...age.Identity) (*Opened, error) {
	plain, err := age.Decrypt(r, identities...)
	if no := new(age.NoIdentityMatchError); errors.As(err, &no) {
		return nil, errors.New("the backup was sealed for another key than the one given")
	} else if err != nil {
		return nil, fmt.Errorf("open the backup: it is damaged, or not a backup: %w", err)
	}
	o := &Opened{plain: plain, tar: tar.NewReader(plain)}
	h, err := o.tar.Next()
	if err != nil {
		return nil, fmt.Errorf("open the backup: %w", err)
	}
	if h.Name != ManifestName {
		return nil, errors.New("open the backup: it does not begin with a manifest, so muniment did not make it")
	}
	if err := json.NewDecoder(io.LimitReader(o.tar, 1<<20)).Decode(&o.Manifest); err != nil {
		return nil, fmt.Errorf("open the backup: its manifest: %w", err)
	}
	if o.Manifest.Form != form {
		return nil, fmt.Errorf("open the backup: it has form %d, and this program knows form %d: use the version that made it, %s", o.Manifest.Form, form, o.Manifest.Program)
	}
	return o, nil
}

// Extract writes the members into an existing directory, each under its own name and for
// its owner only. It returns nil once all are there, on disk, and as the manifest says;
// after an error, what is there is of no use.
func (o *Opened) Extract(directory string) error {
	for _, m := range o.Manifest.Members {
		h, err := o.tar.Next()
		if err != nil {
			return fmt.Errorf("open the backup: %s: %w", m.Name, err)
		}
		switch m.Name {
		case ArchiveName, KeyName, ConfigName, ScheduleName: // and no path that leads elsewhere
		default:
			return errors.New("open the backup: it has a member that no backup has")
		}
		if h.Name != m.Name {
			return fmt.Errorf("open the backup: %s is not where its manifest says", m.Name)
		}
		if err := o.extract(filepath.Join(directory, m.Name), m); err != nil {
			return fmt.Errorf("open the backup: %s: %w", m.Name, err)
		}
	}
	if _, err := o.tar.Next(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("open the backup: it goes on after its last member: %w", err)
	}
	if _, err := io.Copy(io.Discard, o.plain); err != nil { // its end proves that it was not cut off
		return fmt.Errorf("open the backup: %w", err)
	}
	return syncDirectory(directory)
}

func (o *Opened) extract(path string, m Member) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, h), o.tar)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if n != m.Bytes || hex.EncodeToString(h.Sum(nil)) != m.SHA256 {
		return errors.New("it is not what the manifest says: the backup is damaged")
	}
	return nil
}

// syncDirectory returns nil once what was done in a directory is on disk.
func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
