package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/verify"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// open shows the words and nothing else that is sealed.
func open(f record.Fact) bool { return f.Name == "text" || f.Name == "words" || f.Name == "push-name" }

func (v *vault) proves(seq record.Seq) []byte {
	v.Helper()
	var p verify.Proof
	v.write(func(tx *sqlite.Tx) (err error) { p, err = verify.Prove(tx, v.key, v.now, seq, open); return err })
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		v.Fatal(err)
	}
	return b
}

func checked(b []byte) (verify.Proven, error) {
	p, err := verify.ReadProof(bytes.NewReader(b))
	if err != nil {
		return verify.Proven{}, err
	}
	return p.Check()
}

func value(p verify.Proven, name string) string {
	v, proved := p.Value(name)
	if !proved {
		return "(withheld)"
	}
	return v
}

// tells: a message from somebody whose number WhatsApp has told, who mentions another.
func (v *vault) tells() record.Seq {
	v.Helper()
	r := says(record.Address{JID: ann.JID, Alt: "447700900101@s.whatsapp.net"}, "A9", "The culvert is blocked, @200000000000102.")
	r.Mentions, r.PushName = []string{bo.JID}, "Ann"
	r.Details = `{"forwarded":1}`
	r.Protobuf = []byte("\xff 447700900101 200000000000102")
	return v.captures(r)
}

// Who has nothing but the file learns what was written, when and under which name, that
// this stood in the ledger; and no number of anybody.
func TestAProofNeedsNothingButItself(t *testing.T) {
	v := newVault(t)
	v.story()
	seq := v.tells()
	file := v.proves(seq)
	p, err := checked(file)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, name := range []string{"seq", "kind", "type", "text", "words", "push-name", "sent", "sender", "group", "mentions", "details", "protobuf", "emoji"} {
		got[name] = value(p, name)
	}
	if diff := cmp.Diff(map[string]string{
		"seq": "6", "kind": "message", "type": "text", "words": "The culvert is blocked, @[mention 1].",
		"push-name": "Ann", "sent": "2026-03-02T09:06:00.000Z", "emoji": "",
		"text":   "The culvert is blocked, @200000000000102.", // the command would withhold it
		"sender": "(withheld)", "group": "(withheld)", "mentions": "(withheld)", "details": "(withheld)", "protobuf": "(withheld)",
	}, got); diff != "" {
		t.Errorf("proved (-want +got)\n%s", diff)
	}
	if p.Checkpoint.Size != 7 {
		t.Errorf("it rests on a checkpoint of %d leaves, want the one that was signed for it, of 7", p.Checkpoint.Size)
	}
	for _, secret := range []string{"200000000000101", "447700900101", official} {
		if bytes.Contains(file, []byte(secret)) {
			t.Errorf("the file holds %s:\n%s", secret, file)
		}
	}
	// The first checkpoint that covers a record is the one that proves most.
	if p, err := checked(v.proves(2)); err != nil || p.Checkpoint.Size != 5 {
		t.Errorf("record 2 rests on a checkpoint of %d leaves, err %v; want the one of the story, of 5", p.Checkpoint.Size, err)
	}
	v.expectFaults(v.verifies())
}

// Of a destroyed record it is proved where it stood, and that it was destroyed.
func TestAProofOfADestroyedRecord(t *testing.T) {
	v := newVault(t)
	v.story()
	v.now = v.now.AddDate(7, 0, 0)
	v.destroys(1, 3)
	file := v.proves(1)
	p, err := checked(file)
	if err != nil {
		t.Fatal(err)
	}
	d := p.Destroyed
	if d == nil || d.Seq != 1 || d.Leaf != 1 || d.SentOn != "2026-03-02" || d.On != "2033-03-02" || d.Authority != "minute 12" {
		t.Errorf("proved of it: %+v", d)
	}
	if !p.At.Equal(v.now) {
		t.Errorf("the journal tells of it at %v, want %v", p.At, v.now)
	}
	if bytes.Contains(file, []byte("culvert")) {
		t.Errorf("the file says what is gone:\n%s", file)
	}
	v.expectFaults(v.verifies())
}

// What cannot be proved is refused, with the reason.
func TestWhatCannotBeProved(t *testing.T) {
	prove := func(v *vault, seq record.Seq) error {
		return v.db.Write(context.Background(), func(tx *sqlite.Tx) error {
			_, err := verify.Prove(tx, v.key, v.now, seq, open)
			return err
		})
	}
	v := newVault(t)
	v.story()
	if err := prove(v, 99); !errors.Is(err, verify.ErrNoRecord) {
		t.Errorf("no such record: %v", err)
	}
	v.tampers("UPDATE record SET text = 'All is well.' WHERE seq = 4")
	if err := prove(v, 4); err == nil || !strings.Contains(err.Error(), "muniment verify") {
		t.Errorf("an altered record: %v", err)
	}
	old := openOld(t, "testdata/before-seals")
	if err := prove(old, 4); !errors.Is(err, verify.ErrBeforeSeals) {
		t.Errorf("a record from before there were seals: %v", err)
	}
	if err := prove(old, 1); err != nil {
		t.Errorf("a destroyed record from then: %v", err)
	}
}

// Whatever in the file is altered, left out or added, it does not hold any more: but for
// the words that say what it is, and the journal's account, without which less is proved.
func TestNothingInAProofCanBeAltered(t *testing.T) {
	v := newVault(t)
	v.story()
	told := v.tells()
	v.now = v.now.AddDate(7, 0, 0)
	v.destroys(1, 3)
	v.captures(says(ann, "A10", "New."))
	for name, file := range map[string][]byte{"kept": v.proves(told), "destroyed": v.proves(1)} {
		altered := 0
		each(decode(t, file), "", func(path string, alter func() any, restore func()) {
			if strings.HasPrefix(path, ".about") || path == ".destruction left out" {
				return
			}
			root := alter()
			b, err := json.Marshal(root)
			restore()
			if err != nil {
				t.Fatal(err)
			}
			altered++
			if _, err := checked(b); err == nil {
				t.Errorf("%s: %s was altered, and it holds:\n%s", name, path, b)
			}
		})
		if altered < 20 {
			t.Errorf("%s: only %d things were altered", name, altered)
		}
	}
}

func decode(t *testing.T, file []byte) map[string]any {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal(file, &root); err != nil {
		t.Fatal(err)
	}
	return root
}

// each calls f for everything in root: with a function that alters it, or takes it out,
// and returns the root; and one that puts it back.
func each(root map[string]any, _ string, f func(path string, alter func() any, restore func())) {
	var walk func(at any, path string, set func(any))
	walk = func(at any, path string, set func(any)) {
		change := func(how string, to any) {
			f(path+how, func() any { set(to); return root }, func() { set(at) })
		}
		switch x := at.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(x)) {
				v := x[k]
				walk(v, path+"."+k, func(to any) { x[k] = to })
				f(path+"."+k+" left out", func() any { delete(x, k); return root }, func() { x[k] = v })
			}
		case []any:
			for i, v := range x {
				walk(v, fmt.Sprintf("%s[%d]", path, i), func(to any) { x[i] = to })
				change(fmt.Sprintf("[%d] left out", i), slices.Delete(slices.Clone(x), i, i+1))
				change(fmt.Sprintf("[%d] doubled", i), slices.Insert(slices.Clone(x), i, v))
			}
		case string:
			if x == "" {
				return
			}
			flipped := []byte(x)
			if flipped[0]++; flipped[0] > 'z' {
				flipped[0] = 'a'
			}
			change(" altered", string(flipped))
			change(" cut", x[:len(x)/2])
			change(" emptied", "")
		case float64:
			change(" counted up", x+1)
			change(" negative", -x-1)
		}
	}
	walk(root, "", func(any) {})
}

// The proofs in testdata were made once: what reads proofs must read them for ever. To make
// them anew is to say that no proof is in anybody's hands yet.
func TestProofsOfEarlierVersions(t *testing.T) {
	if *update {
		v := newVault(t)
		v.story()
		told := v.tells()
		v.now = v.now.AddDate(7, 0, 0)
		v.destroys(1, 3)
		for name, seq := range map[string]record.Seq{"kept": told, "destroyed": 1} {
			if err := os.WriteFile(earlier(name), v.proves(seq), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	kept, err := checked(read(t, earlier("kept")))
	if err != nil || value(kept, "words") != "The culvert is blocked, @[mention 1]." {
		t.Errorf("kept: %+v, err %v", kept, err)
	}
	destroyed, err := checked(read(t, earlier("destroyed")))
	if err != nil || destroyed.Destroyed == nil || destroyed.Destroyed.Seq != 1 || destroyed.At.IsZero() {
		t.Errorf("destroyed: %+v, err %v", destroyed, err)
	}
}

func earlier(name string) string { return "testdata/proof-" + name + ".json" }

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzProof: whatever somebody makes of a proof, reading and checking it ends; and if it
// holds, it proves what it proved before.
func FuzzProof(f *testing.F) {
	var sound []verify.Proven
	for _, name := range []string{"kept", "destroyed"} {
		file := read(f, earlier(name))
		f.Add(file)
		p, err := checked(file)
		if err != nil {
			f.Fatal(err)
		}
		sound = append(sound, p)
	}
	f.Add([]byte(`{"muniment_proof": 2}`))
	f.Add([]byte(`{"muniment_proof": 1, "record": {"facts": [{"name": "text", "bytes": "AA=="}]}}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := checked(file)
		if err != nil {
			return
		}
		p.Withheld()
		if !slices.ContainsFunc(sound, func(s verify.Proven) bool { return whatItProves(p) == whatItProves(s) }) {
			t.Errorf("it holds, and is none that was made:\n%s", file)
		}
	})
}

// whatItProves is all that a proof proves.
func whatItProves(p verify.Proven) string {
	s := fmt.Sprint(p.Checkpoint.Size, p.Checkpoint.Root, p.Destroyed)
	for _, f := range p.Facts {
		v, shown := p.Value(f.Name)
		s += fmt.Sprintf(" %s %q %v", f.Name, v, shown)
	}
	return s
}
