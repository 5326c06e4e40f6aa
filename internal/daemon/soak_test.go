package daemon_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"muniment/internal/record"
)

var soakFor = flag.Duration("soak", 0, "how long TestSoak takes; 0: it is skipped")

// For a while twenty people speak twenty times a second, with what goes wrong on any day.
// What the daemon takes of the machine does not grow: the last third of the time is
// compared with the one before.
//
//	go test -run Soak -v -timeout 1h ./internal/daemon -soak 10m
func TestSoak(t *testing.T) {
	if *soakFor == 0 {
		t.Skip("takes minutes: say -soak 10m")
	}
	o := endure(found(t), 1)
	o.begins()
	o.must(o.server.WaitOnline(o.soon()))
	var usual []harm
	for _, h := range harms {
		switch h.name {
		case "cut", "cut later", "turned out by the server", "outage", "delivered again", "delivered again, encrypted anew", "files refused":
			usual = append(usual, h)
		}
	}
	began := time.Now()
	every := *soakFor / 120
	var samples []sample
	for tick := time.NewTicker(50 * time.Millisecond); time.Since(began) < *soakFor; <-tick.C {
		o.says()
		switch d := o.draw.IntN(1000); {
		case d < 15:
			h := usual[o.draw.IntN(len(usual))]
			o.deeds[h.name]++
			h.do(o)
		case d < 17:
			o.marks()
		}
		o.settles(300)
		if time.Since(began) > time.Duration(len(samples)+1)*every {
			samples = append(samples, o.sample())
		}
	}
	t.Logf("%d sent in %s; %v", len(o.said), time.Since(began).Round(time.Second), o.deeds)
	third := len(samples) / 3
	before, after := samples[third:2*third], samples[2*third:]
	t.Logf("%-24s %12s %12s", "", "second third", "last third")
	for _, m := range []struct {
		name  string
		of    func(sample) float64
		worst bool    // the most is compared, not the mean
		grown float64 // by how much it may have grown, by its nature
	}{
		{"memory, MB", func(s sample) float64 { return s.memory / 1e6 }, false, 2},
		{"goroutines", func(s sample) float64 { return s.goroutines }, false, 4},
		{"files", func(s sample) float64 { return s.files }, false, 3},
		{"log of archive.db, MB", func(s sample) float64 { return s.archiveLog / 1e6 }, true, 1},
		{"log of session.db, MB", func(s sample) float64 { return s.sessionLog / 1e6 }, true, 1},
	} {
		was, is := summed(before, m.of, m.worst), summed(after, m.of, m.worst)
		t.Logf("%-24s %12.1f %12.1f", m.name, was, is)
		if is > was+m.grown {
			t.Errorf("%s has grown from %.1f to %.1f", m.name, was, is)
		}
	}
	for _, name := range []string{"archive.db", "session.db"} {
		fi, err := os.Stat(filepath.Join(o.path("state"), name))
		o.must(err)
		t.Logf("%s: %.1f MB, %d bytes for each time that somebody spoke", name, float64(fi.Size())/1e6, fi.Size()/int64(o.told))
	}
	o.calms()
	o.allIsKept()
	o.gapsAreTold()
	o.accounted()
	o.verifies()
	o.onlyReceives()
}

// marks has a councillor mark what was said.
func (o *ordeal) marks() {
	u := &utterance{kind: record.Reaction, emoji: "📌", of: o.some()}
	u.Message = o.ann.Reacts(u.of.Message, u.emoji)
	o.said = append(o.said, u)
}

// A sample is what the daemon takes of the machine at a moment, in bytes and numbers.
type sample struct{ memory, goroutines, files, archiveLog, sessionLog float64 }

func (o *ordeal) sample() (s sample) {
	o.t.Helper()
	pid := o.daemon.Process.Pid
	s.memory = float64(rss(o.t, pid))
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	o.must(err)
	s.files = float64(len(files))
	b, err := os.ReadFile(o.path("child/goroutines"))
	o.must(err)
	s.goroutines, _ = strconv.ParseFloat(strings.TrimSpace(string(b)), 64) // it may just be written
	for name, size := range map[string]*float64{"archive.db-wal": &s.archiveLog, "session.db-wal": &s.sessionLog} {
		if fi, err := os.Stat(filepath.Join(o.path("state"), name)); err == nil {
			*size = float64(fi.Size())
		}
	}
	return s
}

// summed is the mean of the samples, or the worst of them.
func summed(samples []sample, of func(sample) float64, worst bool) (sum float64) {
	for _, s := range samples {
		if worst {
			sum = max(sum, of(s))
		} else {
			sum += of(s) / float64(len(samples))
		}
	}
	return sum
}
