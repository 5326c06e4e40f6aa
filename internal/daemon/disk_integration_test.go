//go:build integration

package daemon_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// The same on a disk of its own that is really full.
func TestASmallDiskIsFull(t *testing.T) {
	breaksConnections(t)
	w := found(t)
	disk := w.path("disk")
	w.must(os.Mkdir(disk, 0o700))
	if err := unix.Mount("none", disk, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("no disk of its own here: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(disk, 0) })
	w.must(exec.Command("cp", "-a", w.path("state"), disk).Run())
	w.must(os.RemoveAll(w.path("state")))
	w.must(os.Symlink(filepath.Join(disk, "state"), w.path("state")))
	fat := filepath.Join(disk, "fat")
	fill := func(*exec.Cmd) {
		f, err := os.Create(fat)
		w.must(err)
		defer f.Close()
		for piece := make([]byte, 4096); err == nil; {
			_, err = f.Write(piece)
		}
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
	}
	w.talksWhileFull("is full", fill, func(*exec.Cmd) { w.must(os.Remove(fat)) })
}
