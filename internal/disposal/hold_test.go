package disposal

import (
	"testing"

	"muniment/internal/archive"
	"muniment/internal/people"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// Whatever a hold covers, and however: placed in the middle of a run, it keeps the rest;
// released in the middle of that run, it keeps the rest from that run all the same, which
// goes on the next list, with a notice of its own.
func TestEachScopeReleasedDuringARun(t *testing.T) {
	if testing.Short() {
		t.Skip("TestAHoldDuringARun tries one of them")
	}
	for name, cover := range map[string]archive.Cover{
		"everything":               {Scope: archive.Everything},
		"days":                     {Scope: archive.Dates, From: retention.DateOf(said), Through: retention.DateOf(said)},
		"a member":                 {Scope: archive.ByMember, Member: 1},
		"a group":                  {Scope: archive.InGroup, Group: official, GroupName: "Council"},
		"a search that goes on":    {Scope: archive.Records, Search: "culvert", Ahead: true},
		"a search in its group on": {Scope: archive.Records, Search: "in:council culvert", Group: official, GroupName: "Council", Ahead: true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCouncil(t)
			c.write(func(tx *sqlite.Tx) error {
				return people.AddMember(tx, c.now, "sysadmin", "elected", people.Member{Name: "Ann Brook", Role: "councillor"}, ann)
			})
			c.many()
			c.begun()
			c.write(func(tx *sqlite.Tx) error {
				hold, err := archive.PlaceHold(tx, c.now, "Jane Clerk", "request 7", "", cover)
				if err != nil {
					return err
				}
				return archive.ReleaseHold(tx, c.now, hold, "Jane Clerk", "a mistake")
			})
			c.nightsUntil("2032-03-05")
			c.expectKept(70)
			if cert := c.certified(1); len(cert.Destroyed) != 50 || cert.Kept != 70 {
				t.Errorf("destroyed %d, kept %d; want 50, 70", len(cert.Destroyed), cert.Kept)
			}
			c.expectLetters("disposal notice 1", "disposal certificate 1", "disposal notice 2")
			c.nightsUntil("2032-04-10")
			c.expectKept(0)
			c.expectVerified()
		})
	}
}

// What a search that goes on finds after the notice stays, and only that.
func TestASearchThatGoesOnKeepsWhatComesAfterTheNotice(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	c := newCouncil(t)
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", "the hedge wants cutting back")
	c.write(func(tx *sqlite.Tx) error {
		_, err := archive.PlaceHold(tx, c.now, "Jane Clerk", "request 7", "", archive.Cover{Scope: archive.Records, Search: "culvert", Ahead: true})
		return err
	})
	c.nightsUntil("2032-02-05")
	c.expectLetters("disposal notice 1")
	late := c.says(ann, "3EB0BBBBBBBBBBBBBBBB", culvert) // delivered years late
	c.nightsUntil("2032-04-20")
	c.expectKept(1)
	if cert := c.certified(1); len(cert.Destroyed) != 1 || cert.Destroyed[0].Seq == late {
		t.Errorf("destroyed: %+v", cert.Destroyed)
	}
	c.expectVerified()
}
