package backup_test

import (
	"os"
	"testing"

	"muniment/internal/backup"
)

// A run whose number was given before must not overwrite that run's account.
func TestAccountIsNotOverwritten(t *testing.T) {
	c := newCouncil(t)
	old := c.says(culvert)
	c.says("stays")
	second := c.says("also")
	c.makes()
	c.days(1)
	c.disposes(1, old)
	before, err := os.ReadFile(c.path("backups/destroyed/000001.note"))
	c.must(err)
	r := c.restoring()
	r.Accounts = nil // lost sight of
	c.restores(r)
	c.disposes(1, second)
	kept := 0
	for _, name := range c.files("backups/destroyed") {
		b, err := os.ReadFile(c.path("backups/destroyed/" + name))
		c.must(err)
		if string(b) == string(before) {
			kept++
		}
	}
	if kept != 1 {
		t.Error("account of run 1 was overwritten: what it named comes back from every older backup")
	}
	if done := c.restores(c.restoring()); done.Again.Destroyed != 2 {
		t.Errorf("destroyed again: %+v", done.Again)
	}
}

// After a restore of an older backup, the files of newer backups are kept.
func TestFilesOfNewerBackupsStay(t *testing.T) {
	c := newCouncil(t)
	c.says("x")
	c.makes()
	older, _ := backup.Newest(c.path("backups"))
	c.days(1)
	c.shares("the survey of the culvert")
	c.makes()
	n := len(c.files("backups/media"))
	r := c.restoring()
	r.From = older
	c.restores(r)
	c.days(1)
	c.makes()
	if n != 1 || len(c.files("backups/media")) != n {
		t.Errorf("files: %d, then %d; the newer backup has lost its own", n, len(c.files("backups/media")))
	}
}

// What was found in the directory is not the newest for being found last.
func TestFoundIsNotTheNewest(t *testing.T) {
	c := newCouncil(t)
	c.makes()
	good := c.names()[0]
	c.must(os.WriteFile(c.path("backups/archive-20260201T040000Z.age"), []byte("rubbish"), 0o600))
	c.must(c.target.Reconcile(t.Context()))
	c.days(40)
	c.must(c.target.Expire(t.Context()))
	if _, err := os.Stat(c.path("backups/" + good)); err != nil {
		t.Errorf("the only verified backup was removed, left: %q", c.names())
	}
}
