//go:build integration

package verify_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"muniment/internal/record"
)

// A program that shares no line with this one, written from FORMAT.md alone, comes to the
// same: of the vectors, of proofs made long ago and of those that are made now.
func TestAStrangersProgram(t *testing.T) {
	v := newVault(t)
	v.story()
	told := v.tells()
	v.now = v.now.AddDate(7, 0, 0)
	v.destroys(1, 3)
	for range 20 { // so that the paths differ
		v.captures(says(ann, "N"+v.now.Format("150405.000"), "New."))
	}
	files := []string{vectorsPath, earlier("kept"), earlier("destroyed")}
	for _, seq := range []record.Seq{2, told, 1, 20} {
		path := filepath.Join(t.TempDir(), "proof.json")
		if err := os.WriteFile(path, v.proves(seq), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	for _, path := range files {
		if out, err := check(path); err != nil {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
	}
	altered := filepath.Join(t.TempDir(), "altered.json")
	for _, from := range []string{"culvert", "Ann", `"leaf": 6`} {
		file := bytes.Replace(read(t, earlier("kept")), []byte(from), []byte(strings.ToUpper(from[:len(from)-1])+"7"), 1)
		if err := os.WriteFile(altered, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := check(altered); err == nil {
			t.Errorf("%s was altered, and it holds:\n%s", from, out)
		}
	}
}

func check(path string) (string, error) {
	out, err := exec.Command("python3", "../ledger/testdata/check.py", path).CombinedOutput()
	return string(out), err
}
