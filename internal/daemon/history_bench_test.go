package daemon_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/proto"

	"muniment/internal/history"
)

// A piece of history of 50,000 messages, of which 20,000, long ones, are of another chat, into
// the daemon as a process of its own: how long it takes, and the most memory that it ever had.
func BenchmarkHistory(b *testing.B) {
	for range b.N {
		w := found(b)
		h, ids := w.some(waHistorySync.HistorySync_RECENT, 30_000, time.Now().Add(-time.Hour))
		other := &waHistorySync.Conversation{ID: proto.String(w.ann.LID().String())}
		for i := range 20_000 {
			other.Messages = append(other.Messages, &waHistorySync.HistorySyncMsg{Message: &waWeb.WebMessageInfo{
				Key:              &waCommon.MessageKey{RemoteJID: other.ID, ID: proto.String(fmt.Sprint("other", i))},
				Message:          &waE2E.Message{Conversation: proto.String(strings.Repeat(fmt.Sprintf("Of another chat, %d. ", i), 200))},
				MessageTimestamp: proto.Uint64(uint64(time.Now().Unix())),
			}})
		}
		h.Conversations = append([]*waHistorySync.Conversation{other}, h.Conversations...)
		c := w.spawn()
		w.must(w.server.WaitOnline(w.soon()))
		time.Sleep(2 * time.Second)
		before := peak(b, c.Process.Pid)
		began := time.Now()
		w.phone.SharesHistory(h)
		var all []history.Piece
		for len(all) == 0 || all[0].Finished.IsZero() {
			if time.Since(began) > 5*time.Minute {
				b.Fatal("it does not end")
			}
			time.Sleep(200 * time.Millisecond)
			all = w.pieces()
		}
		took, most := time.Since(began), peak(b, c.Process.Pid)
		w.must(c.Process.Signal(syscall.SIGTERM))
		w.must(c.Wait())
		if all[0].New != len(ids) || all[0].Seen() != len(ids) {
			b.Errorf("%+v", all[0].Count)
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(took.Seconds(), "s")
		b.ReportMetric(float64(before)/1e6, "MB-before")
		b.ReportMetric(float64(most)/1e6, "MB-peak")
	}
}

// peak is the most memory that a process has had, in bytes.
func peak(b testing.TB, pid int) (kilobytes int64) {
	s, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("no /proc here")
	}
	_, rest, _ := strings.Cut(string(s), "VmHWM:")
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		b.Fatal(err)
	}
	return kilobytes << 10
}
