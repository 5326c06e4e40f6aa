package ledger_test

import (
	"path/filepath"
	"strings"
	"testing"

	"muniment/internal/ledger"
)

// What is signed says what it is, cannot be altered, and is of one archive only.
func TestASignedText(t *testing.T) {
	key, another := newKey(t), newKey(t)
	const text = "muniment destroyed 1\nrun 7\n{\"seq\":1}\n"
	signed, err := key.SignText(text)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := key.OpenText(signed); err != nil || got != text {
		t.Errorf("opened %q, err %v", got, err)
	}
	if _, err := key.OpenText(strings.Replace(signed, "run 7", "run 8", 1)); err == nil {
		t.Error("an altered text was opened")
	}
	if _, err := another.OpenText(signed); err == nil {
		t.Error("another archive's text was opened")
	}
	if _, err := key.Open(signed); err == nil {
		t.Error("a text passed for a checkpoint")
	}
	for _, unnamed := range []string{"muniment\n12\nAAAA\n", "example.gov.uk\n12\nAAAA\n", ""} {
		if _, err := key.SignText(unnamed); err == nil {
			t.Errorf("%q was signed, and could pass for a checkpoint", unnamed)
		}
	}
}

func newKey(t *testing.T) *ledger.Key {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.key")
	if err := ledger.NewKey(path, "example.gov.uk"); err != nil {
		t.Fatal(err)
	}
	key, err := ledger.LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
