package whatsapp

import (
	"errors"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"google.golang.org/protobuf/proto"

	"muniment/internal/record"
)

func aPiece() *waHistorySync.HistorySync {
	return &waHistorySync.HistorySync{SyncType: waHistorySync.HistorySync_RECENT.Enum(), ChunkOrder: proto.Uint32(3), Progress: proto.Uint32(40)}
}

// Only the council's own phone can offer history, and to this device alone: whatever looks
// like it otherwise is a message like any other.
func TestOnlyTheOwnPhoneOffersHistory(t *testing.T) {
	w := newWorld(t)
	s, m := w.linked(), newMemory(t)
	stop := w.run(s, m)
	forged := &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_HISTORY_SYNC_NOTIFICATION.Enum(),
		HistorySyncNotification: &waE2E.HistorySyncNotification{
			SyncType: waE2E.HistorySyncType_RECENT.Enum(), DirectPath: proto.String("/v/forged"), MediaKey: make([]byte, 32),
		},
	}}
	w.ann.Sends(forged)
	w.council.Sends(forged)
	m.awaitRecords(2)
	notice := w.council.SharesHistory(aPiece())
	w.settled()
	m.await("the notice", func() bool { return len(m.offers) == 1 })
	stop()
	n, u := m.offers[0], notice.Upload()
	if n.ID != notice.ID() || n.Kind != "RECENT" || n.Chunk != 3 || n.Progress != 40 || n.File.Path != u.DirectPath || n.File.Size != int64(u.FileLength) ||
		string(n.File.Key) != string(u.MediaKey) || string(n.File.Sealed) != string(u.FileEncSHA256) || n.File.Type != record.History {
		t.Errorf("the notice: %+v", n)
	}
	for _, r := range m.records {
		if r.Kind != record.Unsupported {
			t.Errorf("captured: %+v", r)
		}
	}
	m.balance()
	w.receiveOnly()
}

// A notice that could not be put down comes again; one that was, but was not acknowledged,
// too: WhatsApp is told only when it is on disk.
func TestANoticeOfHistoryComesAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("breaks a connection")
	}
	w := newWorld(t)
	s, m := w.linked(), newMemory(t)
	calls := 0
	var seen []string
	m.offer = func(n HistoryNotice) error {
		calls++
		seen = append(seen, n.ID)
		if calls == 1 {
			return errors.New("the disk is full")
		}
		if calls == 2 {
			w.server.Drop() // it is on disk by now
		}
		return nil
	}
	stop := w.run(s, m)
	w.ready(m)
	notice := w.council.SharesHistory(aPiece())
	m.await("the notice", func() bool { return len(m.offers) >= 1 })
	w.settled()
	stop()
	if len(seen) < 2 {
		t.Errorf("offered %d times", len(seen))
	}
	for _, id := range seen {
		if id != notice.ID() {
			t.Errorf("offered as %s", id)
		}
	}
	m.balance()
	w.receiveOnly()
}
