package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"
)

// addresses are all that WhatsApp supplies of people in [fullRecord] and what is added here.
var addresses = []string{"120363000000000001", "200000000000001", "200000000000002", "447700900123", "447700900999"}

func mentioning() (Seq, []byte, time.Time, Received, []byte, [][sha256.Size]byte) {
	seq, origin, captured, r, target, digests := fullRecord()
	r.Text = "@200000000000002 and @447700900999: the culvert; not @12"
	r.Mentions = []string{"200000000000002@lid", "447700900999@s.whatsapp.net"}
	r.Participants = []Participant{{Address: Address{JID: "200000000000002@lid", Alt: "447700900999@s.whatsapp.net"}}}
	r.PushName = "447700900123"
	r.Details = `{"contacts":[{"name":"Ann","numbers":["447700900123"]}]}`
	r.Protobuf = []byte("… 200000000000001@lid …")
	return seq, origin, captured, r, target, digests
}

// The canonical bytes and the words of a record can be shown to anybody: by which numbers
// WhatsApp knows people is in neither.
func TestCanonicalTellsNoAddress(t *testing.T) {
	canonical := string(sealed(mentioning()))
	for _, a := range addresses {
		if strings.Contains(canonical, a) {
			t.Errorf("the canonical bytes hold %s:\n%s", a, canonical)
		}
	}
	_, _, _, r, _, _ := mentioning()
	words := Words(r.Text, r.Mentions)
	if want := "@[mention 1] and @[mention 2]: the culvert; not @12"; words != want {
		t.Errorf("the words are %q, want %q", words, want)
	}
	if same := Words(r.Text, nil); same != r.Text {
		t.Errorf("without mentions the words are %q", same)
	}
}

// Nothing that is withheld can be guessed: who has the canonical bytes, the leaf's salt
// and all salts but one cannot tell which of a few values the last one is.
func TestWhatIsSealedCannotBeGuessed(t *testing.T) {
	secret := bytes.Repeat([]byte{7}, SecretSize)
	facts := Facts(mentioning())
	canonical, leafSalt := Canonical(facts, secret)
	names := []string{leaf}
	for _, f := range facts {
		if f.Sealed {
			names = append(names, f.Name)
		}
	}
	if want := []string{leaf, "group", "sender", "push-name", "text", "words", "mentions", "participants", "details", "protobuf"}; !slices.Equal(names, want) {
		t.Fatalf("sealed are %v, want %v", names, want)
	}
	for _, f := range facts {
		if !f.Sealed {
			continue
		}
		own := Seal(Salt(secret, f.Name), f.Value)
		if !bytes.Contains(canonical, []byte(f.Name+" sha256:"+hex.EncodeToString(own[:]))) {
			t.Errorf("%s does not open with its own salt", f.Name)
		}
		for _, other := range names {
			if other == f.Name {
				continue
			}
			salt := Salt(secret, other)
			if other == leaf {
				salt = leafSalt
			}
			if guess := Seal(salt, f.Value); guess == own {
				t.Errorf("%s can be guessed with the salt of %s", f.Name, other)
			}
		}
		if guess := Seal(nil, f.Value); guess == own {
			t.Errorf("%s can be guessed without a salt", f.Name)
		}
	}
}

func BenchmarkCanonical(b *testing.B) {
	seq, origin, captured, r, target, digests := fullRecord()
	secret := bytes.Repeat([]byte{7}, SecretSize)
	b.Run("sealed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Canonical(Facts(seq, origin, captured, r, target, digests), secret)
		}
	})
	b.Run("before there were seals", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			CanonicalBeforeSeals(seq, origin, captured, r, target, digests)
		}
	})
}
