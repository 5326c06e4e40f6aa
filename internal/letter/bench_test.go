package letter

import (
	"bytes"
	"fmt"
	"syscall"
	"testing"
	"time"

	"muniment/internal/corpus"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// A conversation of 200 messages, 20 of them photos: as phones send them unless somebody
// asks for more, as they come then, and without.
func BenchmarkCompose(b *testing.B) {
	for _, bm := range []struct {
		name          string
		width, height int
	}{{"no photos", 0, 0}, {"20 photos of 1600 px", 1600, 1200}, {"20 photos of 4000 px", 4000, 3000}} {
		b.Run(bm.name, func(b *testing.B) {
			c, dir := newCouncil(b), b.TempDir()
			var photo []byte
			if bm.width > 0 {
				photo = corpus.Photo(1, bm.width, bm.height)
			}
			var last said
			for i := range 200 {
				when := at("2026-11-17 10:01").Add(time.Duration(i) * time.Second)
				if i%10 == 5 && photo != nil {
					c.keepsFile(dir, sam, when, record.Image, "", "image/jpeg", append(bytes.Clone(photo), byte(i)))
				} else {
					last = c.says(bo, when, fmt.Sprintf("Item %d: the stile on the path behind the church is loose again, and the handrail with it.", i))
				}
			}
			c.reacts(ann, at("2026-11-17 10:05"), last, "📌")
			w, h, whole := c.withFiles(dir), header("conversation.1", at("2026-11-17 10:10")), c.settled(1)
			size := 0
			began := cpu(b)
			for b.Loop() {
				c.write(func(tx *sqlite.Tx) error {
					parts, err := w.Divide(tx, h, whole)
					if err != nil {
						return err
					}
					size = 0
					for i, seqs := range parts {
						part := whole
						part.Part, part.Parts, part.Seqs = i+1, parts, seqs
						msg, err := w.Conversation(tx, h, part)
						if err != nil {
							return err
						}
						size += len(msg)
					}
					return nil
				})
			}
			b.ReportMetric(float64((cpu(b)-began).Milliseconds())/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(size), "bytes")
		})
	}
}

// cpu returns the time that this process has spent at work.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
