package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// older ARCHIVE LID captures what somebody sent, as a version does that can read none of
// it: two messages, a reaction to the first and an edit of it, a vote in a poll that is
// not here, and what no version can read. And a message in words that are not those that
// it is read as.
func older() {
	err := func() error {
		db, err := sqlite.Open(context.Background(), os.Args[1])
		if err != nil {
			return err
		}
		err = db.Write(context.Background(), func(tx *sqlite.Tx) error {
			a, err := archive.Load(tx, retention.ForYears(6))
			if err != nil {
				return err
			}
			return capturesOlder(tx, a, record.Address{JID: os.Args[2] + "@lid"})
		})
		return errors.Join(err, db.Close())
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func capturesOlder(tx *sqlite.Tx, a *archive.Archive, who record.Address) error {
	own := &waCommon.MessageKey{ID: proto.String("OLD1"), FromMe: proto.Bool(true)}
	future := &waE2E.Message{}
	future.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 9999, protowire.BytesType), []byte("?")))
	poll := &waCommon.MessageKey{ID: proto.String("POLL"), FromMe: proto.Bool(true)}
	otherwise := record.Received{Kind: record.Message, Type: record.Text, Text: "read in another way"}
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for i, m := range []struct {
		m  *waE2E.Message
		as record.Received
	}{
		{&waE2E.Message{Conversation: proto.String("The culvert is blocked.")}, record.Received{}},
		{&waE2E.Message{Conversation: proto.String("So is the weir.")}, record.Received{}},
		{&waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Key: own, Text: proto.String("👍")}}, record.Received{}},
		{&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Key: own, Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(),
			EditedMessage: &waE2E.Message{Conversation: proto.String("The culvert is clear.")}}}, record.Received{}},
		{&waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{PollCreationMessageKey: poll}},
			record.Received{Kind: record.Vote, Type: record.Sealed, Target: &record.Ref{ID: "POLL", Sender: who}}},
		{future, record.Received{}},
		{&waE2E.Message{Conversation: proto.String("as it is read now")}, otherwise},
	} {
		r := m.as
		if r.Kind == "" {
			r.Kind, r.Type = record.Unsupported, "oldMessage"
		}
		at = at.Add(time.Minute)
		r.Group, r.ID, r.Sender, r.Sent = "120363000000000001@g.us", fmt.Sprintf("OLD%d", i+1), who, at
		var err error
		if r.Protobuf, err = proto.Marshal(m.m); err != nil {
			return err
		}
		if _, err := a.Capture(tx, at, r); err != nil {
			return err
		}
	}
	return nil
}
