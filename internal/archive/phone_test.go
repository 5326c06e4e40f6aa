package archive

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"muniment/internal/corpus"
	"muniment/internal/journal"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/transcript"
)

// phone is somebody's phone, which exports what the council of the corpus says.
type phone struct {
	iPhone bool
	media  bool             // photos are named in the export, and not only left out
	calls  func(int) string // what its owner calls somebody
}

// export writes messages as the phone does: the latest text of each, and that it was
// deleted.
func (p phone) export(messages []corpus.Message) string {
	last := make(map[int]corpus.Message)
	for _, m := range messages {
		if m.Kind == corpus.KindEdit || m.Kind == corpus.KindDeletion {
			last[m.Target] = m
		}
	}
	var b strings.Builder
	if p.iPhone {
		fmt.Fprintf(&b, "\u200e%sCranford councillors: \u200eMessages and calls are end-to-end encrypted.\r\n", p.head(messages[0].Sent))
	} else {
		fmt.Fprintf(&b, "%sMessages and calls are end-to-end encrypted.\n", p.head(messages[0].Sent))
	}
	for _, m := range messages {
		if m.Kind == corpus.KindEdit || m.Kind == corpus.KindDeletion {
			continue
		}
		body := p.body(m)
		if change, ok := last[m.N]; ok && change.Kind == corpus.KindDeletion {
			body = p.own("This message was deleted")
		} else if ok {
			m.Text = change.Text
			body = p.body(m) + " " + p.own("<This message was edited>")
		}
		end := "\n"
		if p.iPhone {
			end = "\r\n"
		}
		fmt.Fprintf(&b, "%s%s: %s%s", p.head(m.Sent), p.calls(m.Sender), body, end)
	}
	return b.String()
}

// own writes what the phone itself says.
func (p phone) own(s string) string {
	if p.iPhone {
		return "\u200e" + s
	}
	return s
}

func (p phone) head(t time.Time) string {
	if t = t.In(retention.London); p.iPhone {
		return t.Format("[02/01/2006, 15:04:05] ")
	}
	return t.Format("02/01/2006, 15:04 - ")
}

func (p phone) body(m corpus.Message) string {
	what := map[corpus.Kind]string{corpus.KindPhoto: "image", corpus.KindDocument: "document"}[m.Kind]
	name := cmp.Or(m.FileName, fmt.Sprintf("IMG-%s-WA%04d.jpg", m.Sent.Format("20060102"), m.N))
	switch {
	case what == "":
		return m.Text
	case p.iPhone && p.media && what == "image":
		return strings.TrimSpace(m.Text + " \u200e<attached: " + fmt.Sprintf("%08d-PHOTO-%s.jpg>", m.N, m.Sent.Format("2006-01-02-15-04-05")))
	case p.iPhone && p.media:
		return strings.TrimSpace(m.Text + " \u200e<attached: " + fmt.Sprintf("%08d-%s>", m.N, name))
	case p.iPhone:
		return strings.TrimSpace(m.Text + " \u200e" + what + " omitted")
	case p.media:
		return strings.TrimSuffix(name+" (file attached)\n"+m.Text, "\n")
	}
	return strings.TrimSuffix("<Media omitted>\n"+m.Text, "\n")
}

// council is the made-up one, as WhatsApp delivers what it says.
type council struct {
	people   []corpus.Person
	messages []corpus.Message
}

func newCouncil(seed uint64, n int, begin time.Time) council {
	return council{corpus.People(10), slices.Collect(corpus.Chat(seed, corpus.Options{Begin: begin, Count: n, PerDay: 40}))}
}

func (c council) address(i int) record.Address {
	return record.Address{JID: fmt.Sprintf("2000000000%05d@lid", i), Alt: c.people[i].Number[1:] + "@s.whatsapp.net"}
}

func (c council) received(m corpus.Message) record.Received {
	r := record.Received{Kind: record.Message, Type: record.Text, Group: official, ID: fmt.Sprint("3EB0", m.N), Sender: c.address(m.Sender),
		PushName: c.people[m.Sender].First, Sent: m.Sent, Text: m.Text, Protobuf: []byte("pb")}
	switch m.Kind {
	case corpus.KindEdit:
		r.Kind = record.Edit
	case corpus.KindDeletion:
		r.Kind, r.Type = record.Deletion, record.ByAuthor
	case corpus.KindPhoto:
		r.Type, r.File = record.Image, &record.File{Sealed: []byte{1}}
	case corpus.KindDocument:
		r.Type, r.File = record.Document, &record.File{Name: m.FileName, Sealed: []byte{1}}
	}
	if m.Target >= 0 {
		r.Target = &record.Ref{ID: fmt.Sprint("3EB0", m.Target), Sender: c.address(c.messages[m.Target].Sender)}
	}
	return r
}

// Whatever part of a chat was captured, and whatever phone exports it: what the archive
// lacks are the messages that were not captured, each once, and nothing else.
func TestWhatEveryPhoneHas(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	c := newCouncil(7, 1500, time.Time{})
	names := func(i int) string { return c.people[i].Name }
	numbers := func(i int) string {
		n := c.people[i].Number
		return "\u202a" + n[:3] + " " + n[3:7] + " " + n[7:] + "\u202c"
	}
	nicknames := func(i int) string { return "The " + strings.Fields(c.people[i].Name)[0] + string(rune('A'+i)) }
	for _, tt := range []struct {
		name string
		phone
		part int // of ten messages are captured
	}{
		{"Android, all captured", phone{calls: names}, 10},
		{"Android, most captured", phone{calls: names}, 9},
		{"Android with photos, half captured", phone{calls: nicknames, media: true}, 5},
		{"Android, numbers, few captured", phone{calls: numbers}, 1},
		{"iPhone, all captured", phone{iPhone: true, calls: nicknames}, 10},
		{"iPhone with photos, most captured", phone{iPhone: true, media: true, calls: numbers}, 9},
		{"iPhone, half captured", phone{iPhone: true, calls: nicknames}, 5},
		{"iPhone, none captured", phone{iPhone: true, calls: names}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			dice := rand.New(rand.NewPCG(1, uint64(tt.part)))
			lacking := make(map[string]int)
			o.write(func(tx *sqlite.Tx) error {
				for _, m := range c.messages {
					changes := m.Kind == corpus.KindEdit || m.Kind == corpus.KindDeletion
					if !changes && dice.IntN(10) >= tt.part {
						lacking[m.Sent.Format("02 15:04")+names(m.Sender)]++
						continue
					}
					if _, err := o.archive.Capture(tx, m.Sent, c.received(m)); err != nil {
						return err
					}
				}
				return nil
			})
			o.now = c.messages[len(c.messages)-1].Sent.AddDate(0, 0, 7)
			e := o.parsed(tt.export(c.messages))
			cmp := o.compares(e)
			by := make(map[string]string)
			for i := range c.people {
				by[strings.Trim(tt.calls(i), "\u202a\u202c")] = names(i)
			}
			for _, i := range append(cmp.New, cmp.Later...) {
				if n := e.Entries[i]; n.Sort != transcript.Notice {
					lacking[n.At.Format("02 15:04")+by[n.Author]]--
				}
			}
			for what, n := range lacking {
				if n > 0 {
					t.Errorf("%s: %d messages were not captured and are not found lacking", what, n)
				} else if n < 0 {
					t.Errorf("%s: %d messages are found lacking that were captured", what, -n)
				}
			}
			if len(cmp.Lacks) > 0 {
				t.Errorf("the phone is said to lack %v", cmp.Lacks)
			}
		})
	}
}

// manyLines are to be imported in one go: more than a phone exports with media, half of
// what it exports without.
const manyLines = 20_000

func bigExport(t testing.TB, lines int) *transcript.Export {
	t.Helper()
	c := newCouncil(3, lines, time.Date(2024, 9, 7, 7, 0, 0, 0, time.UTC))
	text := phone{calls: func(i int) string { return c.people[i].Name }}.export(c.messages)
	e, err := transcript.Read(strings.NewReader(text), int64(len(text)), "WhatsApp Chat with Cranford councillors.txt",
		transcript.Options{Zone: retention.London, Now: monday.AddDate(5, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// 20,000 lines in one go, and once more without change.
func TestALongExport(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes longer than five seconds")
	}
	o := newOffice(t)
	o.now = monday.AddDate(2, 0, 0)
	e := bigExport(t, manyLines)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	first := o.imports(e)
	took := time.Since(began)
	runtime.GC()
	runtime.ReadMemStats(&after)
	began = time.Now()
	again := o.imports(e)
	t.Logf("%d lines: %d messages in %v, again in %v; the heap grew by %d MiB, %d MiB were allocated", e.Lines, first.Messages, took.Round(time.Millisecond),
		time.Since(began).Round(time.Millisecond), (int64(after.HeapAlloc)-int64(before.HeapAlloc))>>20, (after.TotalAlloc-before.TotalAlloc)>>20)
	if n := o.number("SELECT count(*) FROM record"); int(n) != len(e.Entries) || again.ID != 0 || len(again.New) != 0 {
		t.Errorf("%d entries, %d records; again %d new", len(e.Entries), n, len(again.New))
	}
	o.expectSound()
}

// BenchmarkImport imports 20,000 lines, and compares them once more.
//
//	go test -run - -bench Import -benchtime 1x ./internal/archive
func BenchmarkImport(b *testing.B) {
	e := bigExport(b, manyLines)
	perLine := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(e.Entries)), "µs/line")
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			o := newOffice(b)
			o.now = monday.AddDate(2, 0, 0)
			o.imports(e)
		}
		perLine(b)
	})
	b.Run("again", func(b *testing.B) {
		o := newOffice(b)
		o.now = monday.AddDate(2, 0, 0)
		o.imports(e)
		for b.Loop() {
			o.imports(e)
		}
		perLine(b)
	})
}

// childArchive in the environment of the test binary makes TestImportInChild import.
const childArchive = "ARCHIVE_TEST_IMPORT"

// TestImportInChild does nothing but in a process of TestKilledWhileImporting.
func TestImportInChild(t *testing.T) {
	path := os.Getenv(childArchive)
	if path == "" {
		t.Skip("it is run by TestKilledWhileImporting")
	}
	db, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	o := &office{TB: t, db: db, now: monday.AddDate(2, 0, 0)}
	o.write(func(tx *sqlite.Tx) (err error) {
		o.archive, err = Load(tx, retention.ForYears(6))
		return err
	})
	o.imports(bigExport(t, 3000))
}

// A process that imports is killed without warning, anywhere. Whoever does it again gets
// all of it, each once.
func TestKilledWhileImporting(t *testing.T) {
	if testing.Short() {
		t.Skip("kills the import time and again")
	}
	o := newOffice(t)
	dice := rand.New(rand.NewPCG(5, 6))
	kills := 0
	for {
		command := exec.Command(os.Args[0], "-test.run", "^TestImportInChild$")
		command.Env = append(os.Environ(), childArchive+"="+o.db.Path())
		var said bytes.Buffer
		command.Stdout, command.Stderr = &said, &said
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- command.Wait() }()
		var killer <-chan time.Time
		if kills < 4 {
			target := o.number("SELECT count(*) FROM record") + int64(1+dice.IntN(500))
			killer = after(t, o, target)
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("the import: %v\n%s", err, said.String())
			}
		case <-killer:
			_ = command.Process.Signal(syscall.SIGKILL)
			<-ended
			kills++
			continue
		}
		break
	}
	e := bigExport(t, 3000)
	if n := o.number("SELECT count(*) FROM record"); int(n) != len(e.Entries) {
		t.Errorf("%d records of %d entries", n, len(e.Entries))
	}
	if n := o.number("SELECT count(*) FROM import"); n != 1 {
		t.Errorf("%d imports; want 1", n)
	}
	if kills == 0 || o.journaled(journal.ImportFinished) != 1 {
		t.Errorf("killed %d times, finished %d times", kills, o.journaled(journal.ImportFinished))
	}
	o.expectSound()
}

// after tells when there are so many records.
func after(t *testing.T, o *office, records int64) <-chan time.Time {
	c := make(chan time.Time, 1)
	go func() {
		for t.Context().Err() == nil {
			var n int64
			if err := o.db.Read(t.Context(), func(tx *sqlite.Tx) error {
				return tx.QueryRow("SELECT count(*) FROM record").Scan(&n)
			}); err == nil && n >= records {
				c <- time.Now()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	return c
}
