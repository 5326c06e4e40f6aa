package people

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/sqlite/sqlitetest"
)

const (
	group  = "120363000000000001@g.us"
	annPN  = "447700900101@s.whatsapp.net"
	annLID = "200000000000101@lid"
	boLID  = "200000000000102@lid"
)

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// register is an archive in which only people are known.
type register struct {
	*testing.T
	db *sqlite.DB
}

func newRegister(t *testing.T) *register {
	t.Helper()
	db, err := sqlitetest.Create(context.Background(), filepath.Join(t.TempDir(), "archive.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &register{t, db}
}

func (r *register) write(f func(tx *sqlite.Tx) error) {
	r.Helper()
	if err := r.db.Write(context.Background(), f); err != nil {
		r.Fatal(err)
	}
}

func (r *register) meets(jid, alt, pushName string) (is Identity) {
	r.Helper()
	r.write(func(tx *sqlite.Tx) (err error) {
		is, err = Identify(tx, monday, record.Address{JID: jid, Alt: alt}, pushName)
		return err
	})
	return is
}

func (r *register) enters(name, role, jid string) error {
	return r.db.Write(context.Background(), func(tx *sqlite.Tx) error {
		return AddMember(tx, monday, "sysadmin", "elected", Member{Name: name, Role: role}, record.Address{JID: jid})
	})
}

func (r *register) names() (n *Names) {
	r.Helper()
	r.write(func(tx *sqlite.Tx) (err error) { n, err = LoadNames(tx); return err })
	return n
}

func (r *register) members() (ms []Member) {
	r.Helper()
	r.write(func(tx *sqlite.Tx) (err error) { ms, err = Members(tx); return err })
	return ms
}

func TestTheSameAddressIsTheSamePerson(t *testing.T) {
	r := newRegister(t)
	first := r.meets(annLID, "", "Ann")
	for _, again := range []Identity{r.meets(annLID, "", ""), r.meets(annLID, annPN, ""), r.meets(annPN, "", ""), r.meets(annPN, annLID, "")} {
		if again.ID != first.ID || len(again.Aliases) != 0 {
			t.Errorf("met again as %+v; want person %d", again, first.ID)
		}
	}
	if bo := r.meets(boLID, "", ""); bo.ID == first.ID {
		t.Error("another address is the same person")
	}
	if diff := cmp.Diff([]string{annPN, annLID}, r.meets(annPN, "", "").JIDs); diff != "" {
		t.Errorf("known by (-want +got)\n%s", diff)
	}
}

func TestNobodyIsRefused(t *testing.T) {
	r := newRegister(t)
	if err := r.db.Write(context.Background(), func(tx *sqlite.Tx) error {
		_, err := Identify(tx, monday, record.Address{}, "Nobody")
		return err
	}); err == nil {
		t.Error("a person without an address was made")
	}
}

// Ann is met by her number, then by her LID, and only then says WhatsApp that both
// are one. Nothing that was known of either is lost.
func TestTwoTurnOutToBeOne(t *testing.T) {
	r := newRegister(t)
	elder := r.meets(annPN, "", "")
	if err := r.enters("Ann Archer", "chair", annPN); err != nil {
		t.Fatal(err)
	}
	younger := r.meets(annLID, "", "Ann")
	r.write(func(tx *sqlite.Tx) error { return Join(tx, group, younger.ID) })
	if elder.ID == younger.ID {
		t.Fatal("they were known to be one all along")
	}
	now := r.meets(annLID, annPN, "")
	want := Identity{ID: elder.ID, JIDs: []string{annLID, annPN}, Aliases: []ID{younger.ID}}
	if diff := cmp.Diff(want, now); diff != "" {
		t.Errorf("identity (-want +got)\n%s", diff)
	}
	names := r.names()
	for _, id := range []ID{elder.ID, younger.ID} {
		if name := names.Of(id); name != "Ann Archer" {
			t.Errorf("person %d is called %q", id, name)
		}
		if m, ok := names.Member(id); !ok || m.Role != "chair" {
			t.Errorf("person %d is member %+v, %v", id, m, ok)
		}
	}
	r.write(func(tx *sqlite.Tx) error {
		in, err := Participants(tx, group)
		if diff := cmp.Diff(map[ID]bool{elder.ID: true}, in); diff != "" {
			t.Errorf("in the group (-want +got)\n%s", diff)
		}
		return err
	})
}

// A third address joins two persons of whom one was two before: aliases do not
// form chains.
func TestThreeTurnOutToBeOne(t *testing.T) {
	r := newRegister(t)
	first, second := annJID("447700900111"), annJID("447700900112")
	a, b, c := r.meets(first, "", "A"), r.meets(second, "", ""), r.meets(annLID, "", "")
	r.meets(annLID, second, "")
	now := r.meets(annLID, first, "")
	slices.Sort(now.Aliases)
	if now.ID != a.ID || !slices.Equal(now.Aliases, []ID{b.ID, c.ID}) || len(now.JIDs) != 3 {
		t.Errorf("all three are %+v", now)
	}
	if name := r.names().Of(c.ID); name != "A (name not verified)" {
		t.Errorf("the third is called %q", name)
	}
}

// Ann leaves and gives up her number. A year later it is Zed's, whose LID is
// another: he gets neither her name nor her entry in the register.
func TestANumberIsGivenToSomebodyElse(t *testing.T) {
	const zedLID = "200000000000199@lid"
	for _, tt := range []struct {
		name     string
		jid, alt string // by which Zed is met
		known    bool   // he was known by his LID before
	}{
		{name: "met by his LID", jid: zedLID, alt: annPN},
		{name: "met by the number", jid: annPN, alt: zedLID},
		{name: "known already", jid: zedLID, alt: annPN, known: true},
		{name: "known already, met by the number", jid: annPN, alt: zedLID, known: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRegister(t)
			if err := r.enters("Cllr Ann Archer", "councillor", annPN); err != nil {
				t.Fatal(err)
			}
			ann := r.meets(annLID, annPN, "Ann")
			if tt.known {
				r.meets(zedLID, "", "")
			}
			zed := r.meets(tt.jid, tt.alt, "Zed")
			want := Identity{ID: zed.ID, JIDs: []string{tt.jid, tt.alt}, Aliases: []ID{}}
			if diff := cmp.Diff(want, zed); diff != "" || zed.ID == ann.ID {
				t.Errorf("Ann is person %d, Zed (-want +got)\n%s", ann.ID, diff)
			}
			if again := r.meets(annLID, "", ""); again.ID != ann.ID || !slices.Equal(again.JIDs, []string{annLID}) {
				t.Errorf("Ann is met again as %+v", again)
			}
			names := r.names()
			for jid, want := range map[string]string{annLID: "Cllr Ann Archer", zedLID: "Zed (name not verified)", annPN: "Zed (name not verified)"} {
				if got := names.OfJID(jid); got != want {
					t.Errorf("%s is called %q; want %q", jid, got, want)
				}
			}
			if m, ok := names.Member(zed.ID); ok {
				t.Errorf("Zed is on the register as %+v", m)
			}
			var moved []journal.About
			r.write(func(tx *sqlite.Tx) error {
				return journal.Each(tx, func(e journal.Entry) error {
					if e.Act == journal.NumberMoved {
						moved = append(moved, e.About)
					}
					return nil
				})
			})
			if diff := cmp.Diff([]journal.About{{"from person": float64(ann.ID), "to person": float64(zed.ID)}}, moved); diff != "" {
				t.Errorf("journal (-want +got)\n%s", diff)
			}
		})
	}
}

// One account may have another number than before, and keeps both for us.
func TestSomebodyHasANewNumber(t *testing.T) {
	r := newRegister(t)
	ann := r.meets(annLID, annPN, "")
	number := annJID("447700900113")
	if again := r.meets(annLID, number, ""); again.ID != ann.ID || !slices.Equal(again.JIDs, []string{annLID, number, annPN}) {
		t.Errorf("with a new number she is %+v; want person %d", again, ann.ID)
	}
	if bo := r.meets(boLID, annLID, ""); bo.ID == ann.ID {
		t.Error("two LIDs are one person")
	}
}

// The member register changes only by an act that is journaled: entries for two
// persons who are one both stay.
func TestMergingNeverDeletesFromTheRegister(t *testing.T) {
	r := newRegister(t)
	if err := errors.Join(r.enters("Ann Archer", "chair", annPN), r.enters("A. Archer", "councillor", annLID)); err != nil {
		t.Fatal(err)
	}
	is := r.meets(annPN, annLID, "")
	if ms := r.members(); len(ms) != 2 {
		t.Errorf("the register has %d entries; want both", len(ms))
	}
	if m, _ := r.names().Member(is.ID); m.Name != "Ann Archer" {
		t.Errorf("the entry that counts is %+v; want the elder's", m)
	}
}

func TestWhatPeopleAreCalled(t *testing.T) {
	r := newRegister(t)
	ann, bo, cy, dee := r.meets(annLID, "", "Annie"), r.meets(boLID, "", "Bo"), r.meets("3@lid", "", ""), r.meets("4@lid", "", "")
	if err := r.enters("Cllr Ann Archer", "councillor", annLID); err != nil {
		t.Fatal(err)
	}
	r.meets(boLID, "", "Bo B.")
	names := r.names()
	for _, tt := range []struct {
		name string
		p    ID
		want string
	}{
		{"a member as the register has it, whatever she calls herself", ann.ID, "Cllr Ann Archer"},
		{"somebody else as he calls himself now, and marked so", bo.ID, "Bo B. (name not verified)"},
		{"who never said a name has a number", dee.ID, "Unidentified participant 1"},
		{"each a number of his own", cy.ID, "Unidentified participant 2"},
		{"which stays", dee.ID, "Unidentified participant 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := names.Of(tt.p); got != tt.want {
				t.Errorf("called %q; want %q", got, tt.want)
			}
		})
	}
}

func TestMentions(t *testing.T) {
	r := newRegister(t)
	r.meets(annPN, annLID, "")
	r.meets("12@lid", "", "Eve")
	r.meets("3@lid", "", "@12")
	if err := r.enters("Ann", "councillor", annPN); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, text string
		mentions   []string
		want       string
	}{
		{"a number becomes a name", "ask @447700900101 please", []string{annPN}, "ask @Ann please"},
		{"a LID becomes the same name", "ask @200000000000101, please", []string{annLID}, "ask @Ann, please"},
		{"every time", "@447700900101 @447700900101", []string{annPN}, "@Ann @Ann"},
		{"what a member typed is content", "ring @447700900999", []string{annPN}, "ring @447700900999"},
		{"without mentions nothing changes", "ask @447700900101", nil, "ask @447700900101"},
		{"a mention that begins another leaves no digits", "@12 @1234 @12", []string{"12@lid", "1234@lid"},
			"@Eve (name not verified) @Unidentified participant 1 @Eve (name not verified)"},
		{"a crafted mention of one digit disturbs no number", "@447700900101", []string{"4@lid", annPN}, "@Ann"},
		{"a crafted mention of nobody replaces no @", "clerk@example.gov.uk", []string{"@s.whatsapp.net"}, "clerk@example.gov.uk"},
		{"a name that looks like a mention is not replaced again", "@3 @12", []string{"3@lid", "12@lid"},
			"@@12 (name not verified) @Eve (name not verified)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := r.names().Mentioning(tt.text, tt.mentions); got != tt.want {
				t.Errorf("Mentioning(%q, %q) = %q; want %q", tt.text, tt.mentions, got, tt.want)
			}
		})
	}
}

func TestParseNumber(t *testing.T) {
	for _, tt := range []struct {
		name, number, jid string
	}{
		{"as it is written in Britain", "07700 900123", annJID("447700900123")},
		{"without spaces", "07700900123", annJID("447700900123")},
		{"with the country code", "+44 7700 900123", annJID("447700900123")},
		{"with the country code and the zero in brackets", "+44 (0)7700 900123", annJID("447700900123")},
		{"with 0044", "0044 7700 900123", annJID("447700900123")},
		{"with dashes", "07700-900-123", annJID("447700900123")},
		{"a landline of a drama", "020 7946 0018", annJID("442079460018")},
		{"of another country", "+353 20 915 0123", annJID("353209150123")},
		{"no number", "the clerk", ""},
		{"nothing", "", ""},
		{"half of it is missing", "07700 9", ""},
		{"digits too many", "07700 900123456", ""},
		{"a digit is missing", "07700 90012", ""},
		{"a digit is missing, with the country code", "+44 7700 90012", ""},
		{"a digit of a landline is missing", "020 7946 001", ""},
		{"a digit too many", "07700 9001234", ""},
		{"an old landline of nine digits", "016977 3999", annJID("44169773999")},
		{"without the area code", "946 0018", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := ParseNumber(tt.number)
			if a.JID != tt.jid || (err == nil) != (tt.jid != "") {
				t.Errorf("ParseNumber(%q) = %q, %v; want %q", tt.number, a.JID, err, tt.jid)
			}
		})
	}
}

func annJID(user string) string { return user + "@s.whatsapp.net" }

func TestTheRegisterIsJournaled(t *testing.T) {
	r := newRegister(t)
	if err := r.enters("Ann Archer", "chair", annPN); err != nil {
		t.Fatal(err)
	}
	if err := r.enters("Ann Archer", "councillor", annPN); !errors.Is(err, ErrOnRegister) {
		t.Errorf("entered twice: %v; want ErrOnRegister", err)
	}
	var told []string
	r.write(func(tx *sqlite.Tx) error {
		return journal.Each(tx, func(e journal.Entry) error {
			told = append(told, strings.Join([]string{e.Who, string(e.Act), e.Reason, e.About["name"].(string)}, ", "))
			return nil
		})
	})
	if diff := cmp.Diff([]string{"sysadmin, member added, elected, Ann Archer"}, told); diff != "" {
		t.Errorf("journal (-want +got)\n%s", diff)
	}
}

// What was done to the register, from first entry to last, with what the journal
// keeps of it.
func TestEveryChangeIsJournaled(t *testing.T) {
	r := newRegister(t)
	is := r.meets(annPN, "", "Annie")
	if err := r.enters("Ann Archer", "councillor", annPN); err != nil {
		t.Fatal(err)
	}
	r.write(func(tx *sqlite.Tx) error {
		to := Member{ID: 1, Name: "Cllr Ann Archer", Role: "chair", Email: "ann@example.gov.uk"}
		if err := EditMember(tx, monday, "clerk", "elected chair", to); err != nil {
			return err
		}
		if err := EditMember(tx, monday, "clerk", "again", to); !errors.Is(err, ErrUnchanged) {
			t.Errorf("changed to what it was: %v; want ErrUnchanged", err)
		}
		if err := EndMember(tx, monday, "clerk", "resigned", 1, monday.AddDate(0, 1, 0)); err != nil {
			return err
		}
		return RemoveMember(tx, monday, "clerk", "never was", 1)
	})
	if name := r.names().Of(is.ID); name != "Annie (name not verified)" || len(r.members()) != 0 {
		t.Errorf("removed, she is called %q, and the register has %v", name, r.members())
	}
	var told []journal.Entry
	r.write(func(tx *sqlite.Tx) error {
		for _, err := range []error{
			EditMember(tx, monday, "clerk", "", Member{ID: 1}), EndMember(tx, monday, "clerk", "", 1, monday), RemoveMember(tx, monday, "clerk", "", 1),
		} {
			if !errors.Is(err, ErrNotOnRegister) {
				t.Errorf("of an entry that is not there: %v", err)
			}
		}
		return journal.Each(tx, func(e journal.Entry) error { told = append(told, e); return nil })
	})
	want := []journal.Entry{
		{ID: 1, At: monday, Who: "sysadmin", Act: journal.MemberAdded, Reason: "elected",
			About: journal.About{"member": 1.0, "person": 1.0, "name": "Ann Archer", "role": "councillor"}},
		{ID: 2, At: monday, Who: "clerk", Act: journal.MemberChanged, Reason: "elected chair",
			About: journal.About{"member": 1.0, "name": "Ann Archer", "role": "councillor", "email": "changed",
				"before": map[string]any{"name": "Ann Archer", "role": "councillor"},
				"after":  map[string]any{"name": "Cllr Ann Archer", "role": "chair"}}},
		{ID: 3, At: monday, Who: "clerk", Act: journal.MemberEnded, Reason: "resigned",
			About: journal.About{"member": 1.0, "name": "Cllr Ann Archer", "role": "chair",
				"before": map[string]any{"until": ""}, "after": map[string]any{"until": "2026-04-02T09:00:00.000Z"}}},
		{ID: 4, At: monday, Who: "clerk", Act: journal.MemberRemoved, Reason: "never was",
			About: journal.About{"member": 1.0, "name": "Cllr Ann Archer", "role": "chair"}},
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("journal (-want +got)\n%s", diff)
	}
}

// Who left office keeps the name; who came back is what he is now.
func TestWhoLeavesAndComesBack(t *testing.T) {
	r := newRegister(t)
	is := r.meets(annPN, annLID, "Annie")
	if err := r.enters("Cllr Ann Archer", "councillor", annPN); err != nil {
		t.Fatal(err)
	}
	end := monday.AddDate(0, 2, 0)
	r.write(func(tx *sqlite.Tx) error { return EndMember(tx, monday, "clerk", "did not stand", 1, end) })
	m, _ := r.names().Member(is.ID)
	if r.names().Of(is.ID) != "Cllr Ann Archer" || m.Ended(end.Add(-time.Second)) || !m.Ended(end) {
		t.Errorf("after her end she is %q, %+v", r.names().Of(is.ID), m)
	}
	if err := r.enters("Ann Archer", "clerk", annLID); err != nil {
		t.Fatal(err)
	}
	if m, _ := r.names().Member(is.ID); m.Role != "clerk" || m.Ended(end) {
		t.Errorf("came back as %+v", m)
	}
	if err := r.enters("Ann", "officer", annPN); !errors.Is(err, ErrOnRegister) {
		t.Errorf("entered a third time: %v", err)
	}
	r.write(func(tx *sqlite.Tx) error {
		for _, a := range []string{annPN, annLID} {
			if m, err := MemberAt(tx, record.Address{JID: a}); err != nil || m.Role != "clerk" {
				t.Errorf("MemberAt(%s) = %+v, %v", a, m, err)
			}
		}
		if m, err := MemberNamed(tx, "Cllr Ann Archer"); err != nil || m.ID != 1 {
			t.Errorf("by her earlier name: %+v, %v", m, err)
		}
		for _, a := range []string{boLID, ""} {
			if _, err := MemberAt(tx, record.Address{JID: a}); !errors.Is(err, ErrNotOnRegister) {
				t.Errorf("MemberAt(%q): %v; want ErrNotOnRegister", a, err)
			}
		}
		return nil
	})
}

// Two who share a name are told apart, but not by it.
func TestTwoOfTheSameName(t *testing.T) {
	r := newRegister(t)
	if err := errors.Join(r.enters("Ann Archer", "chair", annPN), r.enters("Ann Archer", "clerk", boLID)); err != nil {
		t.Fatal(err)
	}
	r.write(func(tx *sqlite.Tx) error {
		if _, err := MemberNamed(tx, "Ann Archer"); !errors.Is(err, ErrAmbiguous) {
			t.Errorf("by name: %v; want ErrAmbiguous", err)
		}
		if m, err := MemberAt(tx, record.Address{JID: boLID}); err != nil || m.Role != "clerk" {
			t.Errorf("by address: %+v, %v", m, err)
		}
		return nil
	})
	r.meets(annPN, boLID, "") // they are one after all
	r.write(func(tx *sqlite.Tx) error {
		m, err := MemberNamed(tx, "Ann Archer")
		if m.Role != "chair" {
			t.Errorf("of two entries of one person %+v counts; want the first", m)
		}
		return err
	})
}

// A number is written as the register reads it, so that it can be copied.
func TestAddresses(t *testing.T) {
	r := newRegister(t)
	want := map[ID]string{
		r.meets(annLID, annPN, "").ID:                           "07700 900101",
		r.meets(boLID, "", "").ID:                               boLID,
		r.meets("353209150123@s.whatsapp.net", "", "").ID:       "+353 20 915 0123",
		r.meets("999000000000000001@s.whatsapp.net", "", "").ID: "+999000000000000001",
	}
	r.write(func(tx *sqlite.Tx) error {
		got, err := Addresses(tx)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("addresses (-want +got)\n%s", diff)
		}
		return err
	})
	if a, err := ParseNumber("+353 20 915 0123"); err != nil || a.JID != "353209150123@s.whatsapp.net" {
		t.Errorf("read again: %v, %v", a, err)
	}
}

func TestWhoIsInTheGroup(t *testing.T) {
	r := newRegister(t)
	change := func(kind record.Type, jids ...string) record.Received {
		c := record.Received{Kind: record.Participants, Type: kind, Group: group}
		for _, jid := range jids {
			c.Participants = append(c.Participants, record.Participant{Address: record.Address{JID: jid}})
		}
		return c
	}
	ann, bo := r.meets(annLID, "", "").ID, r.meets(boLID, "", "").ID
	for _, tt := range []struct {
		name   string
		change record.Received
		in     map[ID]bool
	}{
		{"one joins before the list of all has come", change(record.Joined, boLID), map[ID]bool{}},
		{"all who are present", change(record.Present, annLID, boLID), map[ID]bool{ann: true, bo: true}},
		{"one leaves", change(record.Left, boLID), map[ID]bool{ann: true}},
		{"leaving twice is leaving", change(record.Left, boLID), map[ID]bool{ann: true}},
		{"and joins again", change(record.Joined, boLID), map[ID]bool{ann: true, bo: true}},
		{"is removed", change(record.Removed, boLID), map[ID]bool{ann: true}},
		{"and is added", change(record.Added, boLID), map[ID]bool{ann: true, bo: true}},
		{"who is not on the new list has left", change(record.Present, boLID), map[ID]bool{bo: true}},
	} {
		r.write(func(tx *sqlite.Tx) error {
			if err := Changed(tx, monday, tt.change); err != nil {
				return err
			}
			in, err := Participants(tx, group)
			if diff := cmp.Diff(tt.in, in); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tt.name, diff)
			}
			return err
		})
	}
	for _, tt := range []struct {
		list  record.Received
		known bool
	}{
		{change(record.Present, boLID), true}, {change(record.Present, annLID), false},
		{change(record.Present, annLID, boLID), false}, {change(record.Present), false},
	} {
		r.write(func(tx *sqlite.Tx) error {
			if known, err := Known(tx, monday, tt.list); err != nil || known != tt.known {
				t.Errorf("Known(%v) = %v, %v", tt.list.Participants, known, err)
			}
			return nil
		})
	}
}

// Who may delete other people's messages follows the changes too, and a list on which
// somebody is an admin who was none says something new.
func TestAdmins(t *testing.T) {
	r := newRegister(t)
	ann, bo := r.meets(annLID, "", "").ID, r.meets(boLID, "", "").ID
	of := func(kind record.Type, jid string, admin bool) record.Received {
		return record.Received{Kind: record.Participants, Type: kind, Group: group,
			Participants: []record.Participant{{Address: record.Address{JID: jid}, Admin: admin}}}
	}
	all := of(record.Present, annLID, true)
	all.Participants = append(all.Participants, record.Participant{Address: record.Address{JID: boLID}})
	for _, tt := range []struct {
		name   string
		change record.Received
		admins map[ID]bool
	}{
		{"the list of all", all, map[ID]bool{ann: true}},
		{"one is promoted", of(record.Promoted, boLID, false), map[ID]bool{ann: true, bo: true}},
		{"one is demoted", of(record.Demoted, annLID, false), map[ID]bool{bo: true}},
		{"who leaves is none", of(record.Left, boLID, false), map[ID]bool{}},
		{"nor when he comes back", of(record.Joined, boLID, false), map[ID]bool{}},
	} {
		r.write(func(tx *sqlite.Tx) error {
			if err := Changed(tx, monday, tt.change); err != nil {
				return err
			}
			admins, err := Admins(tx, group)
			if diff := cmp.Diff(tt.admins, admins); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tt.name, diff)
			}
			return err
		})
	}
	r.write(func(tx *sqlite.Tx) error {
		if known, err := Known(tx, monday, all); err != nil || known {
			t.Errorf("a list with an admin more is known: %v, %v", known, err)
		}
		return nil
	})
	younger := r.meets(annPN, "", "").ID
	r.write(func(tx *sqlite.Tx) error {
		if err := Join(tx, group, younger); err != nil {
			return err
		}
		return Promote(tx, group, younger, true)
	})
	r.meets(annLID, annPN, "")
	r.write(func(tx *sqlite.Tx) error {
		admins, err := Admins(tx, group)
		if !admins[ann] {
			t.Error("when two turned out to be one, the admin's rights were lost")
		}
		return err
	})
}

// After a disposal run only those are known who are in a group, on the register,
// or named by a surviving record.
func TestForgetStrangers(t *testing.T) {
	r := newRegister(t)
	r.meets(annPN, "", "")
	if err := r.enters("Ann", "councillor", annPN); err != nil {
		t.Fatal(err)
	}
	bo := r.meets(boLID, "", "Bo")
	r.write(func(tx *sqlite.Tx) error { return Join(tx, group, bo.ID) })
	r.meets("named@lid", "named@pn", "Named")
	r.meets("one@lid", "", "One")
	r.meets("one@pn", "", "")
	r.meets("one@lid", "one@pn", "") // a stranger with an alias
	r.meets("stranger@lid", "stranger@pn", "A Stranger's Name")
	r.meets(boLID, "", "Bo by a former name")
	r.meets(boLID, "", "Bo by a name that a record bears")
	r.meets(boLID, "", "Bo by his latest name")
	r.meets("Ann from the allotments@export", "", "")
	r.meets("Ann from the choir@export", "", "")
	r.write(func(tx *sqlite.Tx) error {
		for _, name := range []string{"Ann from the allotments", "Ann from the choir"} {
			if err := IdentifyMember(tx, monday, "clerk", "she says so", 1, Exported(name)); err != nil {
				return err
			}
		}
		return ForgetStrangers(tx, map[string]bool{"": true, "named@pn": true, "Ann from the choir@export": true}, nil,
			map[string]bool{"Bo by a name that a record bears": true})
	})
	var known []string
	r.write(func(tx *sqlite.Tx) error {
		rows, err := tx.Query("SELECT jid FROM address ORDER BY jid")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var jid string
			if err := rows.Scan(&jid); err != nil {
				return err
			}
			known = append(known, jid)
		}
		return rows.Err()
	})
	if diff := cmp.Diff([]string{boLID, annPN, "Ann from the choir@export", "named@lid", "named@pn"}, known); diff != "" {
		t.Errorf("still known (-want +got)\n%s", diff)
	}
	for fragment, want := range map[string]bool{
		"A Stranger's Name": false, "One": false, "Named": true, "allotments": false, "choir": true,
		"Bo by a former name": false, "Bo by a name that a record bears": true, "Bo by his latest name": true,
	} {
		r.write(func(tx *sqlite.Tx) error {
			if says, err := Says(tx, []byte(fragment)); err != nil || says != want {
				t.Errorf("Says(%q) = %v, %v; want %v", fragment, says, err, want)
			}
			return nil
		})
	}
}

// What somebody has called himself is kept with its times: written when it changes, not
// with every message.
func TestPushNames(t *testing.T) {
	r := newRegister(t)
	at := func(hours int) time.Time { return monday.Add(time.Duration(hours) * time.Hour) }
	says := func(hours int, jid, alt, name string) ID {
		var is Identity
		r.write(func(tx *sqlite.Tx) (err error) {
			is, err = Identify(tx, at(hours), record.Address{JID: jid, Alt: alt}, name)
			return err
		})
		return is.ID
	}
	check := func(p ID, want ...PushName) {
		t.Helper()
		if diff := cmp.Diff(want, r.names().PushNames(p)); diff != "" {
			t.Errorf("push names (-want +got)\n%s", diff)
		}
	}
	ann := says(0, annPN, "", "Ann")
	says(1, annPN, "", "")
	says(2, annPN, "", "Ann")
	check(ann, PushName{"Ann", at(0), time.Time{}})
	says(3, annPN, "", "Annie Archer")
	check(ann, PushName{"Annie Archer", at(3), time.Time{}}, PushName{"Ann", at(0), at(3)})
	says(4, annPN, "", "Ann")
	check(ann, PushName{"Ann", at(0), time.Time{}}, PushName{"Annie Archer", at(3), at(4)})

	younger := says(5, annLID, "", "A")
	says(6, annLID, "", "Annie Archer")
	if diff := cmp.Diff([]ID{ann, younger}, r.names().Called("ann arch")); diff != "" {
		t.Errorf("Called (-want +got)\n%s", diff)
	}
	says(7, annLID, annPN, "")
	check(ann, PushName{"Annie Archer", at(3), time.Time{}}, PushName{"Ann", at(0), at(7)}, PushName{"A", at(5), at(6)})
	names := r.names()
	for _, name := range []string{"ann", "A", "annie", "archer ANN"} {
		if diff := cmp.Diff([]ID{ann}, names.Called(name)); diff != "" {
			t.Errorf("Called(%q) (-want +got)\n%s", name, diff)
		}
	}
	if name := names.Of(younger); name != "Annie Archer (name not verified)" {
		t.Errorf("called %q", name)
	}
}
