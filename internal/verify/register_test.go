package verify_test

import (
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// Whatever somebody does to the member register besides the commands is noticed, but for
// email addresses.
func TestTheRegisterAltered(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	for _, tt := range []struct {
		name   string
		tamper []string
		want   string // empty: not to be noticed
	}{
		{"nothing", nil, ""},
		{"a name", []string{"UPDATE member SET name = 'Bo' WHERE id = 1"}, "entry 1 of the member register is not what the journal says"},
		{"a role", []string{"UPDATE member SET role = 'clerk' WHERE id = 1"}, "entry 1 of the member register is not what the journal says"},
		{"a term's beginning", []string{"UPDATE member SET from_at = '' WHERE id = 1"}, "entry 1 of the member register is not what the journal says"},
		{"its end", []string{"UPDATE member SET until = '2030-01-01T00:00:00.000Z' WHERE id = 1"}, "entry 1 of the member register is not what the journal says"},
		{"why she is not in the group", []string{"UPDATE member SET absent = 'left'"}, "entry 1 of the member register is not what the journal says"},
		{"what she gets instead", []string{"UPDATE member SET alternative = 'a letter' WHERE id = 1"}, "entry 1 of the member register is not what the journal says"},
		{"that she said so", []string{"UPDATE member SET confirmed_at = '2026-03-02T00:00:00.000Z' WHERE id = 1"}, "entry 1 of the member register is not what the journal says"},
		{"that she was given the notice", []string{"UPDATE member SET notice_at = '2025-03-02T00:00:00.000Z' WHERE id = 1"}, "entry 1 of the member register is not what the journal says"},
		{"which notice", []string{"UPDATE member SET notice_version = '9' WHERE id = 1"}, "entry 1 of the member register is not what the journal says"},
		{"when she was entered", []string{"UPDATE member SET added_at = '2020-03-02T00:00:00.000Z' WHERE id = 1"}, "entry 1 of the member register is not what the journal says"},
		{"an entry inserted", []string{"INSERT INTO member (person, name, role, added_at) SELECT person, 'Cy', 'clerk', added_at FROM member WHERE id = 2"}, "entry 3 of the member register is not in the journal"},
		{"an entry removed", []string{"DELETE FROM member WHERE id = 2"}, "entry 2 of the member register was made, as the journal says, but is gone"},
		{"whose it is, and the hold on her with it", []string{
			"UPDATE hold SET person = (SELECT person FROM member WHERE id = 2)",
			"UPDATE member SET person = (SELECT person FROM member WHERE id = 2) WHERE id = 1",
		}, "entry 1 of the member register is another person's than the journal says"},
		{"an email address", []string{"UPDATE member SET email = 'x@y.example' WHERE id = 1"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVault(t)
			v.captures(says(record.Address{JID: bo.JID}, "B1", "Before anybody was on the register."))
			v.write(func(tx *sqlite.Tx) error {
				for _, m := range []struct {
					people.Member
					record.Address
				}{
					{people.Member{Name: "Cllr Ann Brook", Role: "councillor", From: v.now.AddDate(-1, 0, 0), Email: "a@b.example"}, ann},
					{people.Member{Name: "Bo Carter", Role: "officer", Until: v.now.AddDate(1, 0, 0)}, record.Address{JID: "447700900102@s.whatsapp.net"}},
				} {
					if err := people.AddMember(tx, v.now, "sysadmin", "elected", m.Member, m.Address); err != nil {
						return err
					}
				}
				if _, err := archive.PlaceHold(tx, v.now, "Jane Clerk", "request 7", "", archive.Cover{Scope: archive.ByMember, Member: 1}); err != nil {
					return err
				}
				m, err := people.MemberByID(tx, 1)
				if err != nil {
					return err
				}
				m.Role, m.Notice = "chair", people.Notice{On: v.now.Truncate(24 * time.Hour), Version: "1"}
				if err := people.EditMember(tx, v.now, "sysadmin", "elected chair", m); err != nil {
					return err
				}
				// Bo was met by his LID before: the register's entry goes to the elder.
				_, err = people.Identify(tx, v.now, record.Address{JID: bo.JID, Alt: "447700900102@s.whatsapp.net"}, "")
				return err
			})
			v.write(archive.Reconcile)
			v.tampers(tt.tamper...)
			faults := strings.Join(v.verifies().Faults, "; ")
			if !strings.Contains(faults, tt.want) || tt.want == "" && faults != "" {
				t.Errorf("faults %q; want %q", faults, tt.want)
			}
		})
	}
}
