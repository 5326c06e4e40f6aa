package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func fullRecord() (Seq, []byte, time.Time, Received, []byte, [][sha256.Size]byte) {
	r := Received{
		Kind: Message, Type: Text, Group: "120363000000000001@g.us", ID: "3EB0C0FFEE",
		Sender:   Address{JID: "200000000000001@lid", Alt: "447700900123@s.whatsapp.net"},
		PushName: "Ann", Sent: time.Date(2026, 6, 30, 23, 30, 0, 123_456_789, time.UTC),
		Text:     "The culvert at Mill Lane\nis blocked again: 12:text ☔",
		Mentions: []string{"200000000000002@lid"},
		Protobuf: []byte{0x0a, 0x00, 0xff, '\n'},
	}
	seq := Seq(4117)
	return seq, []byte("origin of this"), r.Sent.Add(2 * time.Second), r, []byte("origin of that"),
		[][sha256.Size]byte{QuotationDigest([]byte("salt"), []byte("origin of that"), quotation())}
}

func quotation() Quotation {
	return Quotation{Of: Ref{ID: "3EB0BEEF", Sender: Address{JID: "200000000000002@lid"}}, Text: "Is it?", Protobuf: []byte{1, 2}}
}

// sealed returns the canonical bytes of form 2, and the leaf's salt after them.
func sealed(seq Seq, origin []byte, captured time.Time, r Received, target []byte, quotations [][sha256.Size]byte) []byte {
	canonical, salt := Canonical(Facts(seq, origin, captured, r, target, quotations), []byte("a secret of thirty-two bytes    "))
	return fmt.Appendf(canonical, "salt %x\n", salt)
}

// DO NOT UPDATE THESE GOLDEN FILES once there is an archive in use: every leaf of
// its ledger commits to this form, and verify would call every record altered.
func TestCanonicalIsFrozen(t *testing.T) {
	joined := Received{
		Kind: Participants, Type: Added, Group: "120363000000000001@g.us", Sender: Address{JID: "200000000000001@lid"}, Own: true,
		Sent: nine, Participants: []Participant{{Address: Address{JID: "200000000000003@lid", Alt: "447700900125@s.whatsapp.net"}}, {Address: Address{JID: "200000000000004@lid"}}},
		Version: "1780000000000000",
	}
	photo := Received{Kind: Message, Type: Image, Group: "g", ID: "2", Sender: Address{JID: "a"}, Sent: nine, Text: "The culvert",
		File: &File{Name: "culvert.jpg", Sealed: []byte("digest of 32 bytes")}}
	deleted := Received{Kind: Deletion, Type: ByAdmin, Group: "g", ID: "3", Sender: Address{JID: "a"}, Sent: nine, ByAdmin: true}
	present := Received{Kind: Participants, Type: Present, Group: "g", Sender: Address{JID: "a"}, Sent: nine,
		Participants: []Participant{{Address: Address{JID: "a"}, Admin: true}, {Address: Address{JID: "b"}}}}
	reacted := Received{Kind: Reaction, Type: ReactionAdded, Group: "g", ID: "1", Sender: Address{JID: "a"}, Sent: nine, Emoji: "📌"}
	poll := Received{Kind: Message, Type: Poll, Group: "g", ID: "4", Sender: Address{JID: "a"}, Sent: nine, Text: "When?\nMonday\nTuesday", Import: 2,
		Details: Details{Poll: &Ballot{Question: "When?", Options: []string{"Monday", "Tuesday"}, Choose: 1}}.Encode()}
	q := QuotationDigest([]byte("salt"), []byte("origin of that"), quotation())
	reading := ReadingDigest([]byte("salt"), 7, photo, []byte("t"))
	for name, got := range map[string][]byte{
		"message":      CanonicalBeforeSeals(fullRecord()),
		"participants": CanonicalBeforeSeals(1, []byte("o"), nine, joined, nil, nil),
		"reaction":     CanonicalBeforeSeals(2, []byte("o"), nine, reacted, []byte("t"), nil),
		"photo":        CanonicalBeforeSeals(3, []byte("o"), nine, photo, nil, nil),
		"deletion":     CanonicalBeforeSeals(4, []byte("o"), nine, deleted, []byte("t"), nil),
		"present":      CanonicalBeforeSeals(5, []byte("o"), nine, present, nil, nil),
		"poll":         CanonicalBeforeSeals(6, []byte("o"), nine, poll, nil, nil),
		"quotation":    []byte(hex.EncodeToString(q[:]) + "\n"),
		"reading":      []byte(hex.EncodeToString(reading[:]) + "\n"),

		"sealed-message":      sealed(fullRecord()),
		"sealed-participants": sealed(1, []byte("o"), nine, joined, nil, nil),
		"sealed-reaction":     sealed(2, []byte("o"), nine, reacted, []byte("t"), nil),
		"sealed-photo":        sealed(3, []byte("o"), nine, photo, nil, nil),
		"sealed-deletion":     sealed(4, []byte("o"), nine, deleted, []byte("t"), nil),
		"sealed-present":      sealed(5, []byte("o"), nine, present, nil, nil),
		"sealed-poll":         sealed(6, []byte("o"), nine, poll, nil, nil),
	} {
		path := "testdata/" + name + ".golden"
		if *update {
			if err := os.WriteFile(path, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// Every fact of a record is in its canonical form: whichever is changed, so is it.
func TestCanonicalHoldsEverything(t *testing.T) {
	t.Run("sealed", func(t *testing.T) { holdsEverything(t, sealed) })
	t.Run("before there were seals", func(t *testing.T) { holdsEverything(t, CanonicalBeforeSeals) })
}

type canonical func(Seq, []byte, time.Time, Received, []byte, [][sha256.Size]byte) []byte

func holdsEverything(t *testing.T, form canonical) {
	seq, origin, captured, full, target, digests := fullRecord()
	full.Participants = []Participant{{Address: Address{JID: "200000000000003@lid"}, Admin: true}}
	full.File = &File{Name: "Mill Lane.pdf", Sealed: []byte("digest")}
	full.Version, full.Emoji, full.Details, full.Import = "v", "e", `{"seconds":9}`, 1
	before := form(seq, origin, captured, full, target, digests)
	changes := map[string][]byte{
		"Seq":      form(seq+1, origin, captured, full, target, digests),
		"Origin":   form(seq, nil, captured, full, target, digests),
		"Captured": form(seq, origin, captured.Add(time.Millisecond), full, target, digests),
		"Target":   form(seq, origin, captured, full, nil, digests), // by its origin
		"Quotations": form(seq, origin, captured, full, target,
			[][sha256.Size]byte{QuotationDigest([]byte("another"), nil, quotation())}),
	}
	for i := range reflect.TypeFor[Received]().NumField() {
		name := reflect.TypeFor[Received]().Field(i).Name
		if _, done := changes[name]; done {
			continue
		}
		r := full
		f := reflect.ValueOf(&r).Elem().Field(i)
		switch f.Interface().(type) {
		case time.Time:
			f.Set(reflect.ValueOf(full.Sent.Add(time.Millisecond)))
		case bool:
			f.SetBool(!f.Bool())
		default:
			f.SetZero()
		}
		changes[name] = form(seq, origin, captured, r, target, digests)
	}
	for name, after := range changes {
		if bytes.Equal(before, after) {
			t.Errorf("%s is not in the canonical form", name)
		}
	}
}

// The digest of a quotation hides it without the salt and binds all of it with it.
func TestQuotationDigest(t *testing.T) {
	digest := QuotationDigest([]byte("salt"), []byte("o"), quotation())
	for name, change := range map[string]func(q *Quotation, salt, origin *string){
		"salt":     func(_ *Quotation, salt, _ *string) { *salt = "pepper" },
		"origin":   func(_ *Quotation, _, origin *string) { *origin = "p" },
		"id":       func(q *Quotation, _, _ *string) { q.Of.ID = "x" },
		"sender":   func(q *Quotation, _, _ *string) { q.Of.Sender.JID = "x" },
		"text":     func(q *Quotation, _, _ *string) { q.Text = "x" },
		"protobuf": func(q *Quotation, _, _ *string) { q.Protobuf = nil },
	} {
		q, salt, origin := quotation(), "salt", "o"
		change(&q, &salt, &origin)
		if QuotationDigest([]byte(salt), []byte(origin), q) == digest {
			t.Errorf("the digest does not depend on the %s", name)
		}
	}
}

// The digest of a reading hides it without the salt and binds all of it with it.
func TestReadingDigest(t *testing.T) {
	full := Received{Kind: Message, Type: Image, Text: "t", Emoji: "e", Mentions: []string{"m"}, Details: "d",
		Participants: []Participant{{Address: Address{JID: "p"}}}, File: &File{Name: "f", Sealed: []byte("s")}}
	digest := ReadingDigest([]byte("salt"), 7, full, []byte("o"))
	changes := map[string][sha256.Size]byte{
		"salt":   ReadingDigest([]byte("pepper"), 7, full, []byte("o")),
		"seq":    ReadingDigest([]byte("salt"), 8, full, []byte("o")),
		"target": ReadingDigest([]byte("salt"), 7, full, nil),
	}
	for name, change := range map[string]func(r *Received){
		"kind":         func(r *Received) { r.Kind = Edit },
		"type":         func(r *Received) { r.Type = Text },
		"text":         func(r *Received) { r.Text = "" },
		"emoji":        func(r *Received) { r.Emoji = "" },
		"mentions":     func(r *Received) { r.Mentions = []string{"m", "n"} },
		"participants": func(r *Received) { r.Participants = []Participant{{Address: Address{JID: "p"}, Admin: true}} },
		"details":      func(r *Received) { r.Details = "" },
		"file":         func(r *Received) { r.File = nil },
		"file's name":  func(r *Received) { r.File = &File{Sealed: []byte("s")} },
		"sealed file":  func(r *Received) { r.File = &File{Name: "f"} },
	} {
		r := full
		change(&r)
		changes[name] = ReadingDigest([]byte("salt"), 7, r, []byte("o"))
	}
	for name, changed := range changes {
		if changed == digest {
			t.Errorf("the digest does not depend on the %s", name)
		}
	}
}

// FuzzCanonical: two records that differ in what they say never look alike to the
// ledger, whatever characters the sender chose.
func FuzzCanonical(f *testing.F) {
	f.Add("a", "b", "c", []byte("d"), "a", "b", "c", []byte("d"), 0)
	f.Add("x\ntext 1:y", "", "", []byte(nil), "x", "y", "", []byte(nil), 1)
	f.Add("", "12:text\n", "3EB0", []byte("\nprotobuf 0:\n"), "", "", "12:text\n3EB0", []byte(""), 2)
	f.Add("a\nmention 1:b", "", "", []byte(nil), "a", "", "", []byte(nil), 1)
	f.Fuzz(func(t *testing.T, text1, name1, id1 string, pb1 []byte, text2, name2, id2 string, pb2 []byte, mentions int) {
		one := Received{Text: text1, PushName: name1, ID: id1, Protobuf: pb1}
		two := Received{Text: text2, PushName: name2, ID: id2, Protobuf: pb2}
		for i := range mentions % 4 {
			one.Mentions = append(one.Mentions, fmt.Sprint(name2, i))
			two.Mentions = append(two.Mentions, fmt.Sprint(text1, i))
		}
		same := text1 == text2 && name1 == name2 && id1 == id2 && bytes.Equal(pb1, pb2) && cmp.Equal(one.Mentions, two.Mentions)
		for _, form := range []canonical{CanonicalBeforeSeals, sealed} {
			if bytes.Equal(form(1, nil, nine, one, nil, nil), form(1, nil, nine, two, nil, nil)) != same {
				t.Errorf("%+v and %+v are the same: %v, but their canonical forms say otherwise", one, two, same)
			}
		}
	})
}
