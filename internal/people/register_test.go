package people

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Whatever is done to the register, what the journal tells of each moment is what the
// register said then.
func TestTheRegisterAsItWas(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := newRegister(t)
			random := rand.New(rand.NewPCG(seed, 1))
			said := make(map[time.Time][]Member)
			for hour := range 60 {
				now := monday.Add(time.Duration(hour) * time.Hour)
				r.write(func(tx *sqlite.Tx) error {
					if err := anything(tx, random, now); err != nil {
						return err
					}
					ms, err := Members(tx)
					said[now] = ms
					return err
				})
			}
			r.write(func(tx *sqlite.Tx) error {
				is, err := Aliases(tx)
				if err != nil {
					return err
				}
				for at, want := range said {
					for i, m := range want {
						want[i].Email = "" // the journal says only that it changed
						if p, alias := is[m.Person]; alias {
							want[i].Person = p
						}
					}
					got, err := RegisterAt(tx, at.Add(time.Minute))
					if diff := cmp.Diff(want, got); err != nil || diff != "" {
						t.Errorf("at %s: %v (-want +got)\n%s", at, err, diff)
					}
				}
				return nil
			})
		})
	}
}

// Each change of the register is told with what the entry said before and says from then
// on, who made it and why.
func TestRegisterChanges(t *testing.T) {
	r := newRegister(t)
	ann := record.Address{JID: "447700900101@s.whatsapp.net"}
	ed := Member{Name: "Cllr Ed Frost", Role: "councillor"}
	day := func(n int) time.Time { return monday.AddDate(0, 0, n) }
	r.write(func(tx *sqlite.Tx) error {
		found := record.Address{JID: "200000000000101@lid"}
		if _, err := Identify(tx, monday, found, ""); err != nil {
			return err
		}
		m := Member{ID: 1, Name: "Cllr Ann Brook", Role: "councillor"}
		chair := m
		chair.Role, chair.Absence = "chair", Absence{Reason: "chose not to", Alternative: "digest by email", Confirmed: day(1)}
		return errors.Join(
			AddMember(tx, day(0), "Jo", "elected", m, ann),
			AddMember(tx, day(0), "Jo", "elected", ed, record.Address{}),
			EditMember(tx, day(1), "Jo", "minute 4", chair),
			IdentifyMember(tx, day(2), "Jo", "she says so", 1, found),
			EndMember(tx, day(3), "Mo", "moved away", 1, day(5)),
			RemoveMember(tx, day(4), "Mo", "a mistake", 2),
		)
	})
	var got []string
	r.write(func(tx *sqlite.Tx) error {
		all, err := RegisterChanges(tx, day(1), day(5))
		for _, c := range all {
			got = append(got, fmt.Sprintf("%s %s, %s: %s %s %q %s -> %s %s %q %s %v", c.At.Format("2"), c.Who, c.Reason,
				c.Was.Name, c.Was.Role, c.Was.Absence.Alternative, formatTime(c.Was.Until),
				c.Is.Name, c.Is.Role, c.Is.Absence.Alternative, formatTime(c.Is.Until), c.Identified))
		}
		return err
	})
	want := []string{
		`3 Jo, minute 4: Cllr Ann Brook councillor ""  -> Cllr Ann Brook chair "digest by email"  false`,
		`4 Jo, she says so: Cllr Ann Brook chair "digest by email"  -> Cllr Ann Brook chair "digest by email"  true`,
		`5 Mo, moved away: Cllr Ann Brook chair "digest by email"  -> Cllr Ann Brook chair "digest by email" ` + formatTime(day(5)) + ` false`,
		`6 Mo, a mistake: Cllr Ed Frost councillor ""  ->   ""  false`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got)\n%s", diff)
	}
}

// anything does to the register what somebody may, or has WhatsApp tell that two are one.
func anything(tx *sqlite.Tx, random *rand.Rand, now time.Time) error {
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	day := func() time.Time {
		return either(random, time.Time{}, now.AddDate(0, 0, random.IntN(9)))
	}
	ms, err := Members(tx)
	if err != nil {
		return err
	}
	m := Member{
		Name: pick("Ann", "Bo", "Cy", "Dee"), Role: pick(Roles...), Email: pick("", "a@council.example"), From: day(), Until: day(),
		Absence: Absence{Reason: pick(append(Reasons, "")...), Alternative: pick("", "a digest"), Confirmed: day()},
		Notice:  Notice{On: day(), Version: pick("", "1", "2")},
	}
	n := random.IntN(4)
	address := either(random, record.Address{}, record.Address{JID: annJID(fmt.Sprintf("44770090010%d", n))})
	if what := random.IntN(9); len(ms) == 0 || what < 3 {
		err = AddMember(tx, now, "clerk", "because", m, address)
	} else {
		m.ID = ms[random.IntN(len(ms))].ID
		switch what {
		case 3, 4, 5:
			err = EditMember(tx, now, "clerk", "because", m)
		case 6:
			err = EndMember(tx, now, "clerk", "because", m.ID, now.AddDate(0, 1, 0))
		case 7:
			err = RemoveMember(tx, now, "clerk", "because", m.ID)
		case 8:
			_, err = Identify(tx, now, record.Address{JID: fmt.Sprintf("20000000000010%d@lid", n), Alt: address.JID}, "")
		}
	}
	if errors.Is(err, ErrOnRegister) || errors.Is(err, ErrAmbiguous) || errors.Is(err, ErrUnchanged) {
		return nil
	}
	return err
}

func either[T any](random *rand.Rand, a, b T) T {
	if random.IntN(2) == 0 {
		return a
	}
	return b
}

// Who has no WhatsApp number is known by the name, and keeps his place when he comes back.
func TestAMemberWithoutANumber(t *testing.T) {
	r := newRegister(t)
	enter := func(role string) error {
		return r.db.Write(context.Background(), func(tx *sqlite.Tx) error {
			return AddMember(tx, monday, "clerk", "elected", Member{Name: "Cllr Pat Quill", Role: role,
				Absence: Absence{Reason: "does not use WhatsApp", Alternative: "a letter"}}, record.Address{})
		})
	}
	if err := enter("councillor"); err != nil {
		t.Fatal(err)
	}
	if err := enter("councillor"); !errors.Is(err, ErrOnRegister) {
		t.Errorf("entered twice: %v; want ErrOnRegister", err)
	}
	r.write(func(tx *sqlite.Tx) error {
		if err := ForgetStrangers(tx, nil, nil, nil); err != nil {
			return err
		}
		return EndMember(tx, monday, "clerk", "resigned", 1, monday.AddDate(0, 1, 0))
	})
	if err := enter("clerk"); err != nil {
		t.Fatal(err)
	}
	ms := r.members()
	if len(ms) != 2 || ms[0].Person != ms[1].Person || ms[0].Person == 0 {
		t.Errorf("the register has %+v", ms)
	}
	if name := r.names().Of(ms[0].Person); name != "Cllr Pat Quill" {
		t.Errorf("called %q", name)
	}
}

// A number of an entry is never given again: holds name it.
func TestTheNumberOfAnEntryIsNotGivenAgain(t *testing.T) {
	r := newRegister(t)
	if err := r.enters("Ann", "clerk", annPN); err != nil {
		t.Fatal(err)
	}
	r.write(func(tx *sqlite.Tx) error { return RemoveMember(tx, monday, "clerk", "never was", 1) })
	if err := r.enters("Bo", "clerk", annPN); err != nil {
		t.Fatal(err)
	}
	if ms := r.members(); len(ms) != 1 || ms[0].ID != 2 {
		t.Errorf("the register has %+v", ms)
	}
}

// Which office somebody is in depends on the day, though two entries stand there.
func TestInOffice(t *testing.T) {
	r := newRegister(t)
	may := monday.AddDate(0, 2, 0)
	add := func(m Member) {
		r.write(func(tx *sqlite.Tx) error { return AddMember(tx, monday, "clerk", "", m, record.Address{JID: annPN}) })
	}
	add(Member{Name: "Cllr Ann Archer", Role: "councillor", Until: may})
	add(Member{Name: "Ann Archer", Role: "clerk", From: may})
	p := r.meets(annPN, "", "").ID
	names := r.names()
	for at, want := range map[time.Time]string{monday: "councillor", may.Add(-time.Second): "councillor", may: "clerk"} {
		if m, ok := names.InOffice(p, at); !ok || m.Role != want {
			t.Errorf("at %s she is in office as %q, %v; want %q", at, m.Role, ok, want)
		}
	}
	if m, ok := names.InOffice(r.meets(boLID, "", "").ID, may); ok {
		t.Errorf("a stranger is in office as %+v", m)
	}
	if name := names.Of(p); name != "Ann Archer" {
		t.Errorf("called %q", name)
	}
}

// The journal tells of the register without a number or an address.
func TestTheJournalHoldsNoNumber(t *testing.T) {
	r := newRegister(t)
	if err := r.enters("Ann", "clerk", annPN); err != nil {
		t.Fatal(err)
	}
	r.write(func(tx *sqlite.Tx) error {
		for _, fragment := range []string{"900101", "@s.whatsapp", "447700"} {
			if says, err := journal.Says(tx, []byte(fragment)); err != nil || says {
				t.Errorf("the journal says %q: %v", fragment, err)
			}
		}
		return nil
	})
}
