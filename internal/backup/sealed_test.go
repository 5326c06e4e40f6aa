package backup

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
)

// A sealed backup brings back what was put into it, for who has the secret key, and for
// nobody else.
func TestSealedBackupIsOpened(t *testing.T) {
	secret, sealed, files := sealedBackup(t)
	if bytes.Contains(sealed, []byte("the whole archive")) {
		t.Error("it can be read without the key")
	}
	o, err := Open(bytes.NewReader(sealed), secret)
	if err != nil {
		t.Fatal(err)
	}
	if o.Manifest.Leaves != 7 || o.Manifest.Council != "Cranford" || len(o.Manifest.Members) != 3 {
		t.Errorf("its manifest is %+v", o.Manifest)
	}
	out := t.TempDir()
	if err := o.Extract(out); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for name := range files {
		b, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		got[name] = string(b)
	}
	if diff := cmp.Diff(files, got); diff != "" {
		t.Errorf("what came out (-in +out):\n%s", diff)
	}
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(bytes.NewReader(sealed), stranger); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("with a stranger's key: %v", err)
	}
}

// What is damaged anywhere, or cut off, is not taken for a backup.
func TestDamagedBackupIsRefused(t *testing.T) {
	secret, sealed, _ := sealedBackup(t)
	open := func(b []byte) error {
		o, err := Open(bytes.NewReader(b), secret)
		if err != nil {
			return err
		}
		return o.Extract(t.TempDir())
	}
	if err := open(sealed); err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(sealed); at += 997 {
		b := bytes.Clone(sealed)
		b[at] ^= 1
		if open(b) == nil {
			t.Errorf("byte %d altered: it opens", at)
		}
		if open(sealed[:at]) == nil {
			t.Errorf("cut off at %d: it opens", at)
		}
	}
}

// sealedBackup seals three files, and returns what is needed to open them.
func sealedBackup(t *testing.T) (*age.X25519Identity, []byte, map[string]string) {
	t.Helper()
	secret, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{ArchiveName: strings.Repeat("the whole archive ", 9000), KeyName: "a key", ConfigName: ""}
	var members []member
	dir := t.TempDir()
	for _, name := range []string{ArchiveName, KeyName, ConfigName} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(files[name]), 0o600); err != nil {
			t.Fatal(err)
		}
		members = append(members, member{name, path})
	}
	var sealed bytes.Buffer
	m := Manifest{MadeAt: time.Date(2026, 11, 23, 2, 30, 0, 0, time.UTC), Council: "Cranford", Leaves: 7}
	if err := seal(&sealed, secret.Recipient(), m, members); err != nil {
		t.Fatal(err)
	}
	return secret, sealed.Bytes(), files
}

// A file that changes while it is sealed is not what the manifest says.
func TestFileThatChangesIsNotSealed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := copyMember(io.Discard, path, Member{Name: ConfigName, Bytes: 3, SHA256: "00"}); err == nil {
		t.Error("it was")
	}
}

func TestNamesTellWhenABackupWasMade(t *testing.T) {
	at := time.Date(2026, 6, 23, 2, 30, 15, 0, time.UTC)
	if got := NameOf(at.In(time.FixedZone("BST", 3600))); got != "archive-20260623T023015Z.age" {
		t.Errorf("the name is %s", got)
	}
	for name, is := range map[string]bool{
		"archive-20260623T023015Z.age":      true,
		"archive-20260623T023015Z.age.part": false,
		"archive-20261323T023015Z.age":      false,
		"archive-20260623T023015.5Z.age":    false,
		"archive.age":                       false,
		"":                                  false,
	} {
		if got, ok := MadeAt(name); ok != is || is && !got.Equal(at) {
			t.Errorf("%q: %v, %v", name, got, ok)
		}
	}
	if got := AccountName(12); got != "destroyed/000012.note" {
		t.Errorf("an account is at %s", got)
	}
}

func TestRecipientsAreRead(t *testing.T) {
	secret, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseRecipient(secret.Recipient().String()); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]string{
		secret.String(): "the secret key",
		strings.Replace(secret.Recipient().String(), "age1", "age1q", 1): "not a public key",
		"age1": "not a public key",
		"":     "not a public key",
	} {
		if _, err := ParseRecipient(text); err == nil || !strings.Contains(err.Error(), want) || text != "" && strings.Contains(err.Error(), text) && len(text) > 4 {
			t.Errorf("%v; want it to say %q", err, want)
		}
	}
}
