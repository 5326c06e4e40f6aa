package main

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"muniment/internal/ledger"
	"muniment/internal/saying"
	"muniment/internal/verify"
)

// errNotProved is returned when a proof does not hold.
var errNotProved = errors.New("the proof does not hold")

// checkProof checks the proof in a file and says what it proves. Trusted is the public
// key that it must rest on, others the checkpoints of an email; both may be empty.
func checkProof(out io.Writer, path, trusted string, others []string) error {
	if trusted != "" {
		k, err := ledger.ParsePublicKey(trusted)
		if err != nil {
			return usageError{fmt.Errorf("--key: %w", err)}
		}
		trusted = k.Public()
	}
	f, err := os.Open(path)
	if err != nil {
		return usageError{fmt.Errorf("read the proof: %w", err)}
	}
	defer f.Close()
	p, err := verify.ReadProof(f)
	var proven verify.Proven
	if err == nil {
		proven, err = p.Check()
	}
	if err == nil && trusted != "" && p.Key != trusted {
		err = errors.New("it is signed with another key than the one given: it is of another archive, or made up")
	}
	if err == nil {
		err = sameLedger(p, proven, others)
	}
	if err != nil {
		fmt.Fprintf(out, "The proof does NOT hold:\n\n  %s\n\nIt proves nothing. If the file may have been damaged on its way, ask for it again.\n", printable(err.Error()))
		return errNotProved
	}
	if proven.Destroyed != nil {
		printDestroyed(out, proven)
	} else {
		printProven(out, proven)
	}
	printGround(out, p, proven, trusted != "", len(others) > 0)
	return nil
}

// sameLedger compares a proof with the checkpoints of an email: its key must have signed
// one of them, and what is signed must not contradict it.
func sameLedger(p verify.Proof, proven verify.Proven, others []string) error {
	if len(others) == 0 {
		return nil
	}
	key, err := ledger.ParsePublicKey(p.Key)
	if err != nil {
		return err
	}
	signed := 0
	for _, note := range others {
		c, err := key.Open(note)
		if err != nil {
			continue
		}
		if signed++; c.Size == proven.Checkpoint.Size && c.Root != proven.Checkpoint.Root {
			return errors.New("the checkpoint given is of the same size and says otherwise: there are two ledgers signed with one key")
		}
	}
	if signed == 0 {
		return errors.New("its key has not signed the checkpoint given: it is of another archive, or made up")
	}
	return nil
}

// facts are what a proof shows, in the order in which a person is told.
var facts = []struct{ name, called string }{
	{"text", "text"}, {"words", "text"}, {"emoji", "emoji"}, {"file-name", "file's name"}, {"file-sealed", "file, SHA-256"},
	{"push-name", "sender's own name"}, {"sent", "sent"}, {"captured", "captured"}, {"details", "details"}, {"id", "WhatsApp's ID"},
}

// sealed is what can be withheld.
var sealed = map[string]string{
	"group": "by which address WhatsApp knows the group", "sender": "by which address or number it knows the sender",
	"push-name": "what the sender calls himself", "text": "the words, with the numbers of people that stand in them",
	"words": "the words", "mentions": "whom it mentions", "participants": "whom it concerns", "details": "what else it says, in fields",
	"protobuf": "the whole message in WhatsApp's own form",
}

func printProven(out io.Writer, p verify.Proven) {
	get := func(name string) string { v, _ := p.Value(name); return v }
	fmt.Fprintf(out, "The proof holds.\n\nRecord %s stands in the ledger as it was captured. It says:\n\n", printable(get("seq")))
	line := func(called, value string) {
		for _, l := range strings.Split(strings.TrimRight(value, "\n"), "\n") {
			fmt.Fprintf(out, "  %-18s %s\n", called, printable(l))
			called = ""
		}
	}
	what := strings.Join(nonEmpty(get("kind"), get("type")), ", ")
	if get("target") != "" {
		what += ", about an earlier message"
	}
	line("what it is", what)
	shown := make(map[string]bool)
	for _, f := range facts {
		value := get(f.name)
		if value == "" || shown[f.called] {
			continue
		}
		shown[f.called] = true
		switch t, err := time.Parse(time.RFC3339, value); {
		case f.name == "push-name":
			value += " (as WhatsApp gave it; nobody has checked whose it is)"
		case f.name == "sent" && err == nil:
			value = fmt.Sprintf("%s, as WhatsApp says (%s)", saying.Moment(t), value)
		case f.name == "captured" && err == nil:
			value = fmt.Sprintf("%s, by the archive's clock (%s)", saying.Moment(t), value)
		case f.name == "file-sealed":
			value += " (encrypted, as WhatsApp delivered it)"
		}
		line(f.called, value)
	}
	for _, f := range []struct{ name, says string }{
		{"own", "It was sent from the council's own account."},
		{"supplied", "The council's own phone supplied it later; WhatsApp did not deliver it here at the time."},
		{"import", "It was taken from a phone's export of the chat; WhatsApp did not deliver it here."},
		{"quotation", "It quotes an earlier message, which is not shown."},
	} {
		if get(f.name) != "" {
			fmt.Fprintf(out, "\n  %s\n", f.says)
		}
	}
	if withheld := p.Withheld(); len(withheld) > 0 {
		fmt.Fprint(out, "\nWithheld, and fixed as firmly as the rest:\n\n")
		for _, name := range withheld {
			fmt.Fprintf(out, "  %s\n", cmp.Or(sealed[name], printable(name)))
		}
		fmt.Fprint(out, "\nThese hold, or may hold, the numbers by which WhatsApp knows people.\n")
	}
	fmt.Fprint(out, `
It does not prove who the person is that sent it, nor what became of it afterwards: it may
have been edited or deleted since, in records of their own.
`)
}

func printDestroyed(out io.Writer, p verify.Proven) {
	d := p.Destroyed
	fmt.Fprintf(out, `The proof holds.

A record stood in the ledger, at place %d, and was destroyed. The archive states, signed
with its key, that this was record %d, sent on %s, and that it was destroyed
on %s under the rule “%s”, on the authority of %s.
`, d.Leaf, d.Seq, d.SentOn.Long(), d.On.Long(), printable(d.Rule), printable(d.Authority))
	if !p.At.IsZero() {
		fmt.Fprintf(out, "\nThe journal, a part of the same ledger, tells of the destruction of that record on %s.\n", saying.Moment(p.At))
	}
	fmt.Fprint(out, "\nWhat the record said is gone, and this proof tells nothing of it.\n")
}

// printGround says what all rests on.
func printGround(out io.Writer, p verify.Proof, proven verify.Proven, given, witnessed bool) {
	fmt.Fprintf(out, `
The ledger had %d entries when it was signed; its head begins %s. All of
this rests on the ledger's public key:

    %s

`, proven.Checkpoint.Size, base64.StdEncoding.EncodeToString(proven.Checkpoint.Root[:])[:12], printable(p.Key))
	switch {
	case given:
		fmt.Fprint(out, "That is the key that you gave.\n")
	case witnessed:
		fmt.Fprint(out, "It has signed the checkpoint that you gave, too.\n")
	default:
		fmt.Fprint(out, `Anybody can make a key and sign with it. Compare this line with the one in a digest that
the council received, or give that with --key: only then does the proof count.
`)
	}
}
