package backup_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/backup"
	"muniment/internal/journal"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// names returns the sealed files in the directory.
func (c *council) names() (names []string) {
	for _, name := range c.files("backups") {
		if _, is := backup.MadeAt(name); is {
			names = append(names, name)
		}
	}
	return names
}

// A backup goes on its thirty-fifth day, and not before; the newest never does.
func TestBackupsExpire(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	c.makes()
	c.days(1)
	c.makes()
	c.days(33)
	c.must(c.target.Expire(t.Context()))
	if n := len(c.names()); n != 2 {
		t.Fatalf("after 34 days there are %d", n)
	}
	c.days(1)
	c.must(c.target.Expire(t.Context()))
	if diff := cmp.Diff([]string{"archive-20260303T040000Z.age"}, c.names()); diff != "" {
		t.Errorf("on the 35th day (-want +got):\n%s", diff)
	}
	c.days(100)
	c.must(c.target.Expire(t.Context()))
	if len(c.names()) != 1 {
		t.Error("the newest was removed, and there is no backup")
	}
	if times, _ := c.acts(); times[journal.BackupGone] != 1 {
		t.Errorf("the journal has %d as gone", times[journal.BackupGone])
	}
}

// While nobody knows whether the clock is right, nothing is removed by it; and a backup that
// was made while it was ahead neither keeps the others away nor is taken for younger than
// a run.
func TestBackupsAndAClockThatIsWrong(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	c.makes()
	c.days(400)
	c.makes()
	c.days(-399)
	c.makes()
	c.days(60)
	c.write(func(tx *sqlite.Tx) error {
		return journal.Write(tx, journal.Entry{At: c.clock, Who: journal.Daemon, Act: journal.ClockJumped})
	})
	c.must(c.target.Expire(t.Context()))
	if len(c.names()) != 3 {
		t.Fatalf("by a clock in doubt some were removed: %q", c.names())
	}
	c.write(func(tx *sqlite.Tx) error {
		return journal.Write(tx, journal.Entry{At: c.clock, Who: "Jo", Act: journal.ClockConfirmed})
	})
	if left := c.left(); left.Number != 3 {
		t.Errorf("one that was made by a clock ahead does not count: %+v", left)
	}
	c.must(c.target.Expire(t.Context()))
	if diff := cmp.Diff([]string{"archive-20260303T040000Z.age", "archive-20270406T040000Z.age"}, c.names()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// The register agrees with the directory, whatever others do there.
func TestRegisterFollowsTheDirectory(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	c.makes()
	c.days(1)
	c.makes()
	gone, kept := c.path("backups/"+c.names()[0]), c.path("elsewhere")
	c.must(os.Rename(gone, kept))
	c.must(c.target.Reconcile(t.Context()))
	if all := c.register(); all[0].Gone.IsZero() || c.left().Number != 1 {
		t.Errorf("one is not there, and the register says %+v", all)
	}
	c.must(os.Rename(kept, gone))
	unknown := c.path("backups/archive-20260201T040000Z.age")
	c.must(os.WriteFile(unknown, []byte("of before the restore"), 0o600))
	c.must(os.WriteFile(c.path("backups/archive-20260201T040000Z.age.bak"), []byte("somebody's"), 0o600))
	c.must(c.target.Reconcile(t.Context()))
	all := c.register()
	if len(all) != 3 || all[0].Verified() || !all[1].Verified() || !all[1].Gone.IsZero() || c.left().Number != 3 {
		t.Errorf("two came back, and the register says %+v", all)
	}
	times, _ := c.acts()
	if times[journal.BackupGone] != 1 || times[journal.BackupFound] != 2 {
		t.Errorf("the journal says %v", times)
	}
	var s backup.Standing
	c.read(func(tx *sqlite.Tx) (err error) { s, err = backup.StandingOf(tx); return err })
	if s.Here != 3 || !s.Last.MadeAt.Equal(monday.AddDate(0, 0, 1)) {
		t.Errorf("it stands %+v", s)
	}
}

// What backups still hold of what is destroyed decides what a certificate says.
func TestWhatBackupsStillHold(t *testing.T) {
	t.Parallel()
	type step func(c *council)
	makes := func(c *council) { c.makes() }
	round := func(c *council) { c.must(c.target.Round(c.Context(), backup.Nightly)) }
	copies := func(c *council) { c.target.Copy = c.runs("true") }
	copiesInVain := func(c *council) { c.target.Copy = c.runs("exit 3") }
	prunes := func(c *council) { c.target.Prune = c.runs("true") }
	fails := func(c *council) {
		if c.target.Round(c.Context(), backup.Nightly) == nil {
			c.Error("it did not fail")
		}
	}
	days := func(n int) step { return func(c *council) { c.days(n) } }
	on := func(day string) backup.Left { return backup.Left{Number: 1, Gone: retention.Date(day)} }
	never := backup.Left{Number: 1, Never: true}
	for _, tt := range []struct {
		name  string
		steps []step
		want  backup.Left
	}{
		{"none was made", nil, backup.Left{}},
		{"one was", []step{makes}, on("2026-04-06")},
		{"it has expired", []step{makes, days(35), round}, on("2026-05-11")}, // the newer
		{"it is copied elsewhere for good", []step{copies, round}, never},
		{"it may have been copied elsewhere", []step{copiesInVain, fails}, never},
		{"it is copied, and its copy will be removed", []step{copies, prunes, round}, on("2026-04-06")},
		{"its copy is not removed yet", []step{copies, prunes, round, days(35), func(c *council) { c.target.Prune = c.runs("false") }, fails},
			backup.Left{Number: 2, Gone: "2026-05-11"}},
		{"both have gone", []step{copies, prunes, round, days(35), round}, on("2026-05-11")},
		{"it is in a directory of before", []step{makes, func(c *council) { c.target.Directory = c.TempDir() }}, never},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCouncil(t)
			for _, do := range tt.steps {
				do(c)
			}
			if diff := cmp.Diff(tt.want, c.left()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			c.read(func(tx *sqlite.Tx) error {
				left, err := c.target.Backups(tx, monday)
				if left.Number > 0 {
					t.Errorf("a run before all of them finds %+v", left)
				}
				return err
			})
		})
	}
}

// The commands are told what they need; where they fail it is told once, and they are run
// again the next time.
func TestBackupsAreCopiedElsewhere(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	remote := c.TempDir()
	c.target.Copy = c.runs(`echo secret; printf '%s\n' "$MUNIMENT_BACKUP_FILES" >` + remote + `/told; test -e ` + remote + `/up && cp -r "$MUNIMENT_BACKUP_DIRECTORY/." ` + remote)
	c.target.Prune = c.runs(`cd ` + remote + ` && for f in $MUNIMENT_BACKUP_FILES; do rm "$f" || exit 1; done`)
	_, _ = c.shares("a survey")
	for range 2 {
		if err := c.target.Round(t.Context(), backup.Nightly); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("it did not fail, or tells what was printed: %v", err)
		}
		c.days(1)
	}
	times, why := c.acts()
	if times[journal.BackupNotCopied] != 1 || why[journal.BackupNotCopied] != "the copy command failed: exit status 1" {
		t.Errorf("the journal has it %d times: %s", times[journal.BackupNotCopied], why[journal.BackupNotCopied])
	}
	c.must(os.WriteFile(filepath.Join(remote, "up"), nil, 0o600))
	c.must(c.target.Round(t.Context(), backup.Nightly))
	told, err := os.ReadFile(filepath.Join(remote, "told"))
	c.must(err)
	if want := "archive-20260302T040000Z.age\narchive-20260303T040000Z.age\narchive-20260304T040000Z.age\n"; string(told) != want {
		t.Errorf("the command was told of %q", told)
	}
	for _, name := range c.files("backups") {
		if _, err := os.Stat(filepath.Join(remote, name)); err != nil {
			t.Error(err)
		}
	}
	var s backup.Standing
	c.read(func(tx *sqlite.Tx) (err error) { s, err = backup.StandingOf(tx); return err })
	if s.NotCopied.ID != 0 || !s.Copied.Equal(c.clock) || s.Elsewhere != 3 {
		t.Errorf("it stands %+v", s)
	}
	c.days(33)
	c.must(c.target.Round(t.Context(), backup.Nightly))
	if _, err := os.Stat(filepath.Join(remote, "archive-20260302T040000Z.age")); err == nil {
		t.Error("the copy of a backup whose time is over is still there")
	}
	if all := c.register(); all[0].RemoteGone.IsZero() || !all[len(all)-1].RemoteGone.IsZero() {
		t.Errorf("the register says %+v", all)
	}
}

// The account of a run is where it must be before there is a certificate: here and elsewhere.
func TestAccountIsPublished(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	seq, _ := c.shares("a survey")
	c.makes()
	remote := filepath.Join(c.TempDir(), "remote")
	c.target.Copy = c.runs("test -d " + remote + " && cp -r \"$MUNIMENT_BACKUP_DIRECTORY/.\" " + remote)
	c.destroys(seq)
	publish := func() error { return c.target.Publish(t.Context(), 12, "the account of run 12\n") }
	if publish() == nil {
		t.Error("it was published, though it is not elsewhere")
	}
	c.must(os.Mkdir(remote, 0o700))
	c.must(publish())
	c.must(publish()) // the run was interrupted, and taken up again
	for _, dir := range []string{c.path("backups"), remote} {
		b, err := os.ReadFile(filepath.Join(dir, "destroyed/000012.note"))
		if err != nil || string(b) != "the account of run 12\n" {
			t.Errorf("%q, %v", b, err)
		}
	}
	for _, name := range c.files("backups") {
		if strings.HasPrefix(name, backup.MediaDirectory) {
			t.Errorf("%s is still there", name)
		}
	}
}

// The day's start does not matter: a backup made late in the evening goes with its day.
func TestExpiryCountsDays(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	c.clock = monday.Add(19 * time.Hour)
	c.makes()
	c.clock = c.clock.Add(time.Hour)
	c.makes()
	c.clock = monday.AddDate(0, 0, 35)
	c.must(c.target.Expire(t.Context()))
	if len(c.names()) != 1 {
		t.Errorf("on the 35th day there are still %q", c.names())
	}
}
