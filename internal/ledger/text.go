package ledger

import (
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// SignText signs a text that is no checkpoint, such as the account of what a run
// destroyed, and returns it with the signature. Its first line says what it is, so that
// no text can pass for another sort of text, nor for a checkpoint.
func (k *Key) SignText(text string) (string, error) {
	if first, _, _ := strings.Cut(text, "\n"); !strings.HasPrefix(first, "muniment ") {
		return "", fmt.Errorf("sign a text: its first line is %q, and does not say what it is", first)
	}
	signed, err := note.Sign(&note.Note{Text: text}, k.signer)
	if err != nil {
		return "", fmt.Errorf("sign a text: %w", err)
	}
	return string(signed), nil
}

// OpenText checks the signature under a text that [Key.SignText] signed, and returns the
// text without it.
func (k *PublicKey) OpenText(signed string) (text string, err error) {
	n, err := note.Open([]byte(signed), note.VerifierList(k.verifier))
	if err != nil {
		return "", fmt.Errorf("signed text: %w", err)
	}
	return n.Text, nil
}
