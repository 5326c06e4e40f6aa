package verify_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/ledger"
	"muniment/internal/record"
)

// vectors are what a stranger's program can be tried on; see FORMAT.md beside them. All
// bytes are in hexadecimal.
type vectors struct {
	Records    []recordVector    `json:"records"`
	Before     []leafVector      `json:"records_of_form_1"`
	Journal    []journalVector   `json:"journal"`
	Quotations []quotationVector `json:"quotations"`
	Tree       treeVector        `json:"tree"`
}

type recordVector struct {
	Secret string       `json:"secret"`
	Facts  []factVector `json:"facts"`
	leafVector
}

type factVector struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Sealed bool   `json:"sealed"`
}

type leafVector struct {
	Canonical string `json:"canonical"`
	Salt      string `json:"salt"`
	Leaf      string `json:"leaf"`
}

// journalVector is compared with what package journal writes by a test there.
type journalVector struct {
	ID     int64  `json:"id"`
	At     string `json:"at"`
	Who    string `json:"who"`
	Act    string `json:"act"`
	Reason string `json:"reason"`
	About  string `json:"about"`
	leafVector
}

type quotationVector struct {
	Salt     string `json:"salt"`
	Origin   string `json:"origin"`
	ID       string `json:"id"`
	Sender   string `json:"sender"`
	Text     string `json:"text"`
	Protobuf string `json:"protobuf"`
	Digest   string `json:"digest"`
}

type treeVector struct {
	Leaves []string `json:"leaves"`
	Heads  []string `json:"heads"` // of the first leaf, of the first two, and so on
}

const vectorsPath = "../ledger/testdata/vectors.json"

// DO NOT UPDATE the vectors once there is an archive in use: other programs are tried on
// them, and leaves are made so.
func TestVectors(t *testing.T) {
	got := makeVectors()
	if *update {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(got); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsPath, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var want vectors
	if err := json.Unmarshal(read(t, vectorsPath), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(recordVector{}, journalVector{})); diff != "" {
		t.Errorf("vectors (-want +got)\n%s", diff)
	}
}

func makeVectors() (v vectors) {
	origin, target := bytes.Repeat([]byte{0xa1}, 32), bytes.Repeat([]byte{0xb2}, 32)
	sent := time.Date(2026, 3, 2, 9, 0, 0, 123_000_000, time.UTC)
	quotation := record.Quotation{
		Of:   record.Ref{ID: "3EB0BEEF", Sender: record.Address{JID: "200000000000102@lid"}},
		Text: "Is the culvert blocked?", Protobuf: []byte{0x0a, 0xff},
	}
	salt := bytes.Repeat([]byte{0x5a}, 32)
	digest := record.QuotationDigest(salt, target, quotation)
	v.Quotations = []quotationVector{{Salt: hex.EncodeToString(salt), Origin: hex.EncodeToString(target), ID: quotation.Of.ID, Sender: quotation.Of.Sender.JID,
		Text: quotation.Text, Protobuf: hex.EncodeToString(quotation.Protobuf), Digest: hex.EncodeToString(digest[:])}}

	reply := record.Received{
		Kind: record.Message, Type: record.Image, Group: official, ID: "3EB0C0FFEE",
		Sender:   record.Address{JID: "200000000000101@lid", Alt: "447700900101@s.whatsapp.net"},
		PushName: "Ann ☔", Sent: sent, Text: "Yes, @200000000000102.\nSince Tuesday.", Mentions: []string{"200000000000102@lid"},
		File:    &record.File{Name: "culvert.jpg", Sealed: bytes.Repeat([]byte{0xc3}, 32)},
		Details: `{"forwarded":1}`, Protobuf: []byte{0x0a, 0x00, 0xff},
	}
	joined := record.Received{
		Kind: record.Participants, Type: record.Added, Group: official, Sender: record.Address{JID: "200000000000101@lid"}, Own: true, Sent: sent,
		Participants: []record.Participant{
			{Address: record.Address{JID: "200000000000103@lid", Alt: "447700900103@s.whatsapp.net"}},
			{Address: record.Address{JID: "200000000000104@lid"}, Admin: true},
		},
		Version: "1780000000000000",
	}
	secret := bytes.Repeat([]byte{0x11}, 32)
	for _, facts := range [][]record.Fact{
		record.Facts(14, origin, sent.Add(time.Second), reply, target, [][sha256.Size]byte{digest}),
		record.Facts(15, target, sent, joined, nil, nil),
	} {
		r := recordVector{Secret: hex.EncodeToString(secret)}
		for _, f := range facts {
			r.Facts = append(r.Facts, factVector{f.Name, hex.EncodeToString([]byte(f.Value)), f.Sealed})
		}
		canonical, salt := record.Canonical(facts, secret)
		r.leafVector = leaf(salt, canonical)
		v.Records = append(v.Records, r)
	}
	v.Before = []leafVector{leaf(salt, record.CanonicalBeforeSeals(14, origin, sent, reply, target, [][sha256.Size]byte{digest}))}
	v.Journal = []journalVector{{ID: 7, At: "2032-11-23T02:30:01.000Z", Who: "muniment", Act: "records destroyed", Reason: "minute 12",
		About: `{"records":[14],"run":3}`, leafVector: leaf(salt, []byte("muniment journal 1\nid 1:7\nat 24:2032-11-23T02:30:01.000Z\nwho 8:muniment\n"+
			"act 17:records destroyed\nreason 9:minute 12\nabout 24:{\"records\":[14],\"run\":3}\n"))}}
	v.Tree = heads()
	return v
}

func leaf(salt, canonical []byte) leafVector {
	h := ledger.LeafHash(salt, canonical)
	return leafVector{Canonical: hex.EncodeToString(canonical), Salt: hex.EncodeToString(salt), Leaf: hex.EncodeToString(h[:])}
}

// heads returns the heads of a tree of seven leaves, as RFC 6962 defines them.
func heads() (v treeVector) {
	var leaves []ledger.Hash
	var head func(of []ledger.Hash) ledger.Hash
	head = func(of []ledger.Hash) ledger.Hash {
		if len(of) == 1 {
			return of[0]
		}
		half := 1
		for 2*half < len(of) {
			half *= 2
		}
		return ledger.NodeHash(head(of[:half]), head(of[half:]))
	}
	for n := range byte(7) {
		h := ledger.LeafHash(bytes.Repeat([]byte{n}, 32), []byte{n})
		leaves = append(leaves, h)
		v.Leaves = append(v.Leaves, hex.EncodeToString(h[:]))
		h = head(leaves)
		v.Heads = append(v.Heads, hex.EncodeToString(h[:]))
	}
	return v
}
