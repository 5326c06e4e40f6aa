package disposal

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/sqlite"
)

// expectLists compares what is said of every list, oldest first, with want.
func (c *council) expectLists(want ...string) {
	c.Helper()
	var got []string
	c.write(func(tx *sqlite.Tx) error {
		lists, err := Lists(tx)
		if err != nil {
			return err
		}
		lapses, err := Lapses(tx)
		if err != nil {
			return err
		}
		for _, l := range lists {
			said := ""
			switch lapse, lapsed := lapses[l.ID]; {
			case l.Closed.IsZero():
				if said, err = c.d.Outlook(tx, l); err != nil {
					return err
				}
			case lapsed:
				if said = lapse.Why; lapse.Records != 1 {
					c.Errorf("list %d lapsed with %d records; want 1", l.ID, lapse.Records)
				}
			default:
				if said = l.Authority; l.Destroyed != 1 || l.Run != 1 {
					c.Errorf("list %d: run %d destroyed %d records; want 1 by run 1", l.ID, l.Run, l.Destroyed)
				}
			}
			got = append([]string{said}, got...)
		}
		return nil
	})
	if diff := cmp.Diff(want, got); diff != "" {
		c.Errorf("what is said of the lists (-want +got)\n%s", diff)
	}
}

// What is shown of a list says why it waits, what is to become of it, and what
// became of it when nothing stands on it any more.
func TestWhatIsSaidOfAList(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	c := newCouncil(t)
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.nightsUntil("2032-02-20")
	c.expectLists("waits: its day is 3 March 2032")
	hold := c.holds()
	c.nightsUntil("2032-03-10")
	c.expectLists("waits: everything on it is on hold")
	c.releases(hold)
	c.expectLists("lapses tonight: a hold was released since it was drawn up; a new list follows")
	c.nightsUntil("2032-03-11")
	c.expectLists("a hold was released since it was drawn up; a new list follows", "waits: its day is 10 April 2032")
	c.nightsUntil("2032-04-09")
	c.now = c.now.AddDate(0, 0, 1)
	c.expectLists("a hold was released since it was drawn up; a new list follows", "to be destroyed tonight, if the archive verifies")
	c.now = c.now.AddDate(0, 0, -1)
	c.nightsUntil("2032-04-10")
	c.expectLists("a hold was released since it was drawn up; a new list follows", "standing approval, minute "+c.d.Policy.Minute)

	c.write(func(tx *sqlite.Tx) error {
		_, err := Approve(tx, c.now, 2, Approver{Who: "Jane Clerk", Role: "clerk", Reason: "late"})
		if !errors.Is(err, ErrNoList) || err.Error() != "list 2 was closed on 10 April 2032" {
			t.Errorf("approval of a closed list: %v", err)
		}
		return nil
	})
}
