package people

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// A fact is what WhatsApp tells of addresses: that there is one, that two are one
// person's, or that a number was changed for another.
type fact struct {
	a     record.Address
	renum string // the number before; empty: none
}

func (f fact) String() string { return fmt.Sprintf("%s=%s<-%s", f.a.JID, f.a.Alt, f.renum) }

func (f fact) tell(tx *sqlite.Tx) error {
	if f.renum != "" {
		return Renumbered(tx, monday, record.Address{JID: f.renum}, f.a)
	}
	_, err := Identify(tx, monday, f.a, "")
	return err
}

// somebody returns all that can be told of a person with a LID, or none, and numbers.
func somebody(n, numbers int, hasLID bool) (facts []fact) {
	lid := fmt.Sprintf("20000000000010%d@lid", n)
	before := ""
	for i := range numbers {
		number := annJID(fmt.Sprintf("4477009001%d%d", n, i))
		facts = append(facts, fact{a: record.Address{JID: number}})
		if before != "" {
			facts = append(facts, fact{record.Address{JID: number}, before})
		}
		if hasLID {
			facts = append(facts, fact{a: record.Address{JID: lid, Alt: number}}, fact{a: record.Address{JID: number, Alt: lid}})
		}
		before = number
	}
	if hasLID {
		facts = append(facts, fact{a: record.Address{JID: lid}})
	}
	return facts
}

// partition returns who is whom: the addresses of each person, and the persons that he
// was taken for, sorted.
func (r *register) partition() (all [][]string) {
	r.Helper()
	of := make(map[ID][]string)
	r.write(func(tx *sqlite.Tx) error {
		return scan(tx, "SELECT a.jid, a.person, p.same_as IS NOT NULL FROM address a JOIN person p ON p.id = a.person", func(rows *sql.Rows) error {
			var jid string
			var p ID
			var alias bool
			err := rows.Scan(&jid, &p, &alias)
			if alias {
				r.Errorf("%s is an alias's address", jid)
			}
			of[p] = append(of[p], jid)
			return err
		})
	})
	for _, jids := range of {
		slices.Sort(jids)
		if n := len(slices.DeleteFunc(slices.Clone(jids), func(jid string) bool { return !isLID(jid) })); n > 1 {
			r.Errorf("%v are one person with %d LIDs", jids, n)
		}
		all = append(all, jids)
	}
	slices.SortFunc(all, slices.Compare)
	return all
}

// In whatever order it is told, and however often, it comes to the same people.
func TestAnyOrderOfFactsGivesTheSamePeople(t *testing.T) {
	facts := slices.Concat(somebody(1, 1, true), somebody(2, 3, true), somebody(3, 2, false), somebody(4, 0, true))
	var want [][]string
	for seed := range uint64(30) {
		r := newRegister(t)
		random := rand.New(rand.NewPCG(seed, 2))
		told := slices.Concat(facts, facts[:len(facts)/2])
		random.Shuffle(len(told), func(i, j int) { told[i], told[j] = told[j], told[i] })
		r.write(func(tx *sqlite.Tx) error {
			for _, f := range told {
				if err := f.tell(tx); err != nil {
					return err
				}
			}
			return nil
		})
		got := r.partition()
		if want == nil {
			want = got
			if len(want) != 4 {
				t.Errorf("four people are %v", want)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("told %v (-first +now)\n%s", told, diff)
		}
		r.aliasesAreFlat()
	}
}

func (r *register) aliasesAreFlat() {
	r.Helper()
	r.write(func(tx *sqlite.Tx) error {
		is, err := Aliases(tx)
		for alias, p := range is {
			if _, chain := is[p]; chain || p >= alias {
				r.Errorf("person %d is said to be %d", alias, p)
			}
		}
		return err
	})
}

// Numbers are given to others, and WhatsApp contradicts itself: then what it said last
// of a number counts, and never are two LIDs one person.
func TestContradictionsMakeNoTwoLIDsOne(t *testing.T) {
	var facts []fact
	for n := range 3 {
		for i := range 3 {
			lid, number := fmt.Sprintf("20000000000010%d@lid", n), annJID(fmt.Sprintf("44770090010%d", i))
			facts = append(facts, fact{a: record.Address{JID: lid, Alt: number}}, fact{a: record.Address{JID: number, Alt: lid}},
				fact{a: record.Address{JID: number}}, fact{record.Address{JID: number}, annJID(fmt.Sprintf("44770090010%d", n))},
				fact{a: record.Address{JID: lid, Alt: fmt.Sprintf("20000000000010%d@lid", i)}})
		}
	}
	for seed := range uint64(10) {
		r := newRegister(t)
		random := rand.New(rand.NewPCG(seed, 3))
		for range 40 {
			f := facts[random.IntN(len(facts))]
			r.write(func(tx *sqlite.Tx) error {
				if err := f.tell(tx); err != nil {
					return err
				}
				p, err := behind(tx, f.a.JID)
				if err != nil {
					return err
				}
				q, err := behind(tx, f.a.Alt)
				if pair := f.a.Alt != "" && isLID(f.a.JID) != isLID(f.a.Alt); pair && p != q {
					t.Errorf("after %v they are persons %d and %d", f, p, q)
				}
				return err
			})
			r.partition()
			r.aliasesAreFlat()
		}
	}
}

func TestRenumbered(t *testing.T) {
	const newPN = "447700900177@s.whatsapp.net"
	for _, tt := range []struct {
		name     string
		before   func(r *register)
		old, new record.Address
		one      bool // old and new are one person
		journal  journal.Act
	}{
		{"both met before", func(r *register) { r.meets(annPN, "", "Ann"); r.meets(newPN, "", "Ann") },
			record.Address{JID: annPN}, record.Address{JID: newPN}, true, journal.NumberChanged},
		{"the new number first seen with it", func(r *register) { r.meets(annPN, "", "Ann") },
			record.Address{JID: annPN}, record.Address{JID: newPN}, true, journal.NumberChanged},
		{"known to be one by the LID", func(r *register) { r.meets(annPN, annLID, "Ann") },
			record.Address{JID: annPN}, record.Address{JID: newPN, Alt: annLID}, true, ""},
		{"of different LIDs", func(r *register) { r.meets(annPN, annLID, "Ann"); r.meets(newPN, boLID, "Bo") },
			record.Address{JID: annPN}, record.Address{JID: newPN}, false, ""},
		{"the LID of the old number is not known", func(r *register) { r.meets(annPN, "", "Ann") },
			record.Address{JID: annPN}, record.Address{JID: newPN, Alt: annLID}, true, journal.NumberChanged},
		{"the new number was another member's", func(r *register) {
			if err := errors.Join(r.enters("Ann", "clerk", annPN), r.enters("Bo", "chair", newPN)); err != nil {
				r.Fatal(err)
			}
		}, record.Address{JID: annPN}, record.Address{JID: newPN}, true, journal.NumberMoved},
		{"entered under both numbers", func(r *register) {
			if err := errors.Join(r.enters("Ann", "clerk", annPN), r.enters("Ann", "clerk", newPN)); err != nil {
				r.Fatal(err)
			}
		}, record.Address{JID: annPN}, record.Address{JID: newPN}, true, journal.NumberChanged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRegister(t)
			tt.before(r)
			var told []journal.Act
			r.write(func(tx *sqlite.Tx) error {
				for range 2 { // it may be told twice
					if err := Renumbered(tx, monday, tt.old, tt.new); err != nil {
						return err
					}
				}
				return journal.Each(tx, func(e journal.Entry) error {
					if e.Act != journal.MemberAdded {
						told = append(told, e.Act)
					}
					return nil
				})
			})
			if old, now := r.meets(tt.old.JID, "", ""), r.meets(tt.new.JID, "", ""); (old.ID == now.ID) != tt.one {
				t.Errorf("persons %d and %d", old.ID, now.ID)
			}
			if want := slices.DeleteFunc([]journal.Act{tt.journal}, func(a journal.Act) bool { return a == "" }); !slices.Equal(told, want) {
				t.Errorf("journal: %q; want %q", told, want)
			}
			for _, m := range r.members() {
				if m.Name == "Bo" && m.Person == r.meets(tt.new.JID, "", "").ID {
					t.Error("Bo's entry went with his number")
				}
			}
		})
	}

}

// In the group the new number has the place of the old one, whether they are known to be
// one or not, and whichever of them WhatsApp names first.
func TestANewNumberInTheGroup(t *testing.T) {
	const newPN = "447700900177@s.whatsapp.net"
	for _, tt := range []struct {
		name   string
		before func(r *register)
		same   bool
	}{
		{"not met before", func(*register) {}, true},
		{"of another LID", func(r *register) { r.meets(newPN, boLID, "") }, false},
		{"another member's once", func(r *register) {
			if err := errors.Join(r.enters("Ann", "clerk", annPN), r.enters("Bo", "chair", newPN)); err != nil {
				r.Fatal(err)
			}
		}, true},
	} {
		for _, first := range []string{annPN, newPN} {
			t.Run(tt.name, func(t *testing.T) {
				r := newRegister(t)
				ann := r.meets(annPN, annLID, "Ann").ID
				tt.before(r)
				second := map[string]string{annPN: newPN, newPN: annPN}[first]
				r.write(func(tx *sqlite.Tx) error {
					if err := errors.Join(Join(tx, group, ann), Promote(tx, group, ann, true)); err != nil {
						return err
					}
					return Changed(tx, monday, record.Received{Kind: record.Participants, Type: record.Renumbered, Group: group,
						Sender: record.Address{JID: first}, Participants: []record.Participant{{Address: record.Address{JID: second}}}})
				})
				p := r.meets(newPN, "", "").ID
				r.write(func(tx *sqlite.Tx) error {
					in, err := Participants(tx, group)
					admins, err2 := Admins(tx, group)
					if diff := cmp.Diff(map[ID]bool{p: true}, in); diff != "" || !admins[p] || (p == ann) != tt.same {
						t.Errorf("Ann %d, new %d, admins %v; in the group (-want +got)\n%s", ann, p, admins, diff)
					}
					return errors.Join(err, err2)
				})
			})
		}
	}
}

// Who of two members has the other's number, when nobody knows who was in the group, is
// not guessed.
func TestANewNumberOfNobodyInTheGroup(t *testing.T) {
	r := newRegister(t)
	const newPN = "447700900177@s.whatsapp.net"
	if err := errors.Join(r.enters("Ann", "clerk", annPN), r.enters("Bo", "chair", newPN)); err != nil {
		t.Fatal(err)
	}
	r.write(func(tx *sqlite.Tx) error {
		return Changed(tx, monday, record.Received{Kind: record.Participants, Type: record.Renumbered, Group: group,
			Sender: record.Address{JID: newPN}, Participants: []record.Participant{{Address: record.Address{JID: annPN}}}})
	})
	if names := r.names(); names.OfJID(annPN) != "Ann" || names.OfJID(newPN) != "Bo" {
		t.Errorf("the numbers are of %s and %s", names.OfJID(annPN), names.OfJID(newPN))
	}
}

func TestIdentifyMember(t *testing.T) {
	allotments := Exported("Ann from the allotments")
	for _, tt := range []struct {
		name   string
		before func(r *register)
		is     record.Address
		err    error
		by     string
	}{
		{name: "a hidden number, and a member entered by number", is: record.Address{JID: annLID}, by: "LID",
			before: func(r *register) { r.meets(annLID, "", "Annie") }},
		{name: "met before she was entered", is: record.Address{JID: "200000000000001@lid"}, by: "LID"},
		{name: "a LID that nobody has", is: record.Address{JID: annLID}, err: ErrNeverMet},
		{name: "she has another", is: record.Address{JID: boLID}, err: ErrAnotherLID,
			before: func(r *register) { r.meets(annPN, annLID, ""); r.meets(boLID, "", "") }},
		{name: "her own", is: record.Address{JID: annLID}, err: ErrUnchanged,
			before: func(r *register) { r.meets(annPN, annLID, "") }},
		{name: "that of another member", is: record.Address{JID: boLID}, err: ErrOnRegister,
			before: func(r *register) {
				if err := r.enters("Bo", "chair", boLID); err != nil {
					r.Fatal(err)
				}
			}},
		{name: "a name in an imported chat", is: allotments, by: "name in an imported chat",
			before: func(r *register) { r.meets(allotments.JID, "", ""); r.meets(annPN, annLID, "") }},
		{name: "a name that no imported chat has", is: allotments, err: ErrNeverMet},
		{name: "another number that nobody has", is: record.Address{JID: "447700900177@s.whatsapp.net"}, by: "number"},
		{name: "another number, met with a LID", is: record.Address{JID: "447700900177@s.whatsapp.net"}, by: "number",
			before: func(r *register) { r.meets("447700900177@s.whatsapp.net", annLID, "") }},
		{name: "a number of another LID", is: record.Address{JID: "447700900177@s.whatsapp.net"}, err: ErrAnotherLID,
			before: func(r *register) { r.meets(annPN, annLID, ""); r.meets("447700900177@s.whatsapp.net", boLID, "") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRegister(t)
			r.meets("200000000000001@lid", "", "")
			if err := r.enters("Cllr Ann Archer", "councillor", annPN); err != nil {
				t.Fatal(err)
			}
			if tt.before != nil {
				tt.before(r)
			}
			err := r.db.Write(context.Background(), func(tx *sqlite.Tx) error {
				return IdentifyMember(tx, monday, "clerk", "she says so", 1, tt.is)
			})
			if !errors.Is(err, tt.err) {
				t.Fatalf("%v; want %v", err, tt.err)
			}
			var told []string
			r.write(func(tx *sqlite.Tx) error {
				return journal.Of(tx, journal.MemberIdentified, func(e journal.Entry, _ int64) error {
					told = append(told, fmt.Sprint(e.Who, ", ", e.Reason, ", ", e.About["name"], ", ", e.About["by"]))
					return nil
				})
			})
			if tt.err != nil {
				if len(told) > 0 {
					t.Errorf("journal: %q", told)
				}
				return
			}
			if want := []string{"clerk, she says so, Cllr Ann Archer, " + tt.by}; !slices.Equal(told, want) {
				t.Errorf("journal: %q; want %q", told, want)
			}
			if name := r.names().OfJID(tt.is.JID); name != "Cllr Ann Archer" {
				t.Errorf("called %q", name)
			}
			r.partition()
		})
	}
}

func TestExported(t *testing.T) {
	for author, want := range map[string]string{
		"Ann from the allotments":               "Ann from the allotments@export",
		"\u200eAnn\u00a0Archer ":                "Ann Archer@export",
		"~\u202fAnn":                            "~ Ann@export",
		"ann@example.org":                       "ann@example.org@export",
		"\u202a+44\u00a07700\u00a0900101\u202c": annPN,
		"+44 7700 900101":                       annPN,
		"+44 7700":                              "+44 7700@export",
		"07700 900101":                          "07700 900101@export", // a name that somebody chose
		"\u200e":                                "",
		"Dorothy \U0001F469\u200d\U0001F33E Green": "Dorothy \U0001F469\u200d\U0001F33E Green@export",
	} {
		a := Exported(author)
		if a.JID != want {
			t.Errorf("Exported(%q) = %q; want %q", author, a.JID, want)
		}
		if name, ok := ExportedName(a); ok != strings.HasSuffix(want, "@export") || ok && name+"@export" != want {
			t.Errorf("ExportedName(%q) = %q, %v", a.JID, name, ok)
		}
	}
}

// An author in an imported chat is called as there, and found by that name.
func TestWhatAnImportedChatCallsSomebody(t *testing.T) {
	r := newRegister(t)
	a := Exported("Ann from the allotments")
	p := r.meets(a.JID, "", "").ID
	names := r.names()
	if name := names.Of(p); name != "Ann from the allotments (name in an imported chat, not verified)" {
		t.Errorf("called %q", name)
	}
	if who := names.Called("allot"); !slices.Equal(who, []ID{p}) {
		t.Errorf("Called: %v", who)
	}
	r.write(func(tx *sqlite.Tx) error {
		numbers, err := Addresses(tx)
		if len(numbers) != 0 {
			t.Errorf("her address is %q", numbers[p])
		}
		return err
	})
	r.write(func(tx *sqlite.Tx) error { return ForgetStrangers(tx, map[string]bool{a.JID: true}, nil, nil) })
	if got := r.partition(); len(got) != 1 {
		t.Errorf("needed, and forgotten: %v", got)
	}
	r.write(func(tx *sqlite.Tx) error { return ForgetStrangers(tx, nil, nil, nil) })
	if got := r.partition(); len(got) != 0 {
		t.Errorf("not forgotten: %v", got)
	}
}
