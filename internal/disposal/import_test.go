package disposal

import (
	"archive/zip"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/transcript"
	"muniment/internal/vault"
	"muniment/internal/verify"
)

// imports imports a phone's export that has these lines and a photo.
func (c *council) imports(text, photoName, photo string) {
	c.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range map[string]string{"WhatsApp Chat with Example councillors.txt": text, photoName: photo} {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(content))
		}
		if err != nil {
			c.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		c.Fatal(err)
	}
	e, err := transcript.Read(bytes.NewReader(b.Bytes()), int64(b.Len()), "WhatsApp Chat with Mehetabel Overton.zip", transcript.Options{Zone: retention.London, Now: c.now})
	if err != nil {
		c.Fatal(err)
	}
	v := c.d.Vault
	done, err := c.archive.Import(context.Background(), archive.Import{
		Export: e, Zone: "Europe/London", Group: official, Names: []string{"Example councillors"}, Who: "Jo Marsh", Reason: "minute 26/014",
		DB: c.db, Now: func() time.Time { return c.now }, Lost: func(record.Seq) bool { return false }, Put: v.Put, Keep: vault.Keep,
		Seal: func(ctx context.Context, t record.Type, f record.File, name string) (record.File, error) {
			r, _, err := e.Open(name)
			if err != nil {
				return f, err
			}
			defer r.Close()
			return v.Seal(ctx, t, f, r)
		},
	})
	if err != nil || done.Files != 1 {
		c.Fatalf("the import: %+v, %v", done, err)
	}
}

// What a phone's export brought goes like all else, on the day that its own date tells:
// its words, the lines of the export, its author's name on that phone, its file and the
// file's key. What is not due stays, and verifies before and after.
func TestImportedRecordsGo(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	c := newCouncil(t)
	const photo = "JPEG of the grating, which is longer than two windows of what is searched for, so that a copy is found"
	c.imports(strings.Join([]string{
		"02/03/2026, 09:36 - Mehetabel Overton: " + culvert,
		"02/03/2026, 09:37 - Mehetabel Overton: IMG-20260302-WA0001.jpg (file attached)\nThe grating of the culvert at Mill Lane",
		"02/03/2026, 09:38 - Mehetabel Overton added Bartholomew Fiddler",
		"20/03/2026, 09:36 - Dorothea Marchbanks: " + fence + "\n",
	}, "\n"), "IMG-20260302-WA0001.jpg", photo)
	before := c.sealedFiles()
	if len(before) != 1 {
		t.Fatalf("%d sealed files", len(before))
	}
	c.expectFilesToo()
	c.nightsUntil("2032-03-03")
	c.certified(1)
	gone := []string{"Mill Lane", "Mehetabel", "Bartholomew", "WA0001", "09:36 - Me", "JPEG of the grating"}
	c.expectNowhere(map[retention.Date][]string{"2032-03-03": gone})
	if after := c.sealedFiles(); len(after) != 0 {
		t.Errorf("the sealed file is still there: %q", after)
	}
	c.expectKept(1)
	c.expectFilesToo()
	c.nightsUntil("2032-03-21")
	c.expectNowhere(map[retention.Date][]string{"2032-03-21": append(gone, "Dorothea", "allotments")})
}

// A photo that was planted outside of the vault would be found.
func TestResidueOfAnImportedRecord(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	for _, tt := range []struct{ name, plant string }{
		{"a line of the export", "x02/03/2026, 09:36 - Mehetabel Overton: "},
		{"its words", "x" + culvert},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCouncil(t)
			c.imports("02/03/2026, 09:36 - Mehetabel Overton: "+culvert+"\n02/03/2026, 09:37 - Mehetabel Overton: IMG-20260302-WA0001.jpg (file attached)\n", "IMG-20260302-WA0001.jpg", "JPEG")
			c.nightsUntil("2032-03-02")
			if err := os.WriteFile(filepath.Join(c.dir, "copy.txt"), []byte(tt.plant), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := c.night(); err == nil || !strings.Contains(err.Error(), "still in the files") {
				t.Errorf("the night went by with %v", err)
			}
		})
	}
}

func (c *council) sealedFiles() (names []string) {
	c.Helper()
	if err := filepath.WalkDir(c.d.Vault.Directory, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, path)
		}
		return err
	}); err != nil {
		c.Fatal(err)
	}
	return names
}

func (c *council) expectFilesToo() {
	c.Helper()
	r, err := verify.Run(context.Background(), c.db, c.key, verify.With{Files: c.d.Vault})
	if err != nil || !r.OK() {
		c.Errorf("verify: %v, %v", err, r.Faults)
	}
}
