package content

import (
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"

	"muniment/internal/record"
)

// The larger copy of a photo is a photo of its own, although it may come as an edit of the
// first: the caption of that one stays. An edit within an album is an edit.
func TestLargerCopyThatComesAsAnEdit(t *testing.T) {
	key := keyOf(true, "")
	edit := func(as waE2E.MessageAssociation_AssociationType, m *waE2E.Message) *waE2E.Message {
		m = &waE2E.Message{EditedMessage: wrapped(editOf(key, m))}
		m.MessageContextInfo = &waE2E.MessageContextInfo{MessageAssociation: &waE2E.MessageAssociation{AssociationType: as.Enum(), ParentMessageKey: key}}
		return m
	}
	larger := &waE2E.Message{AssociatedChildMessage: wrapped(picture("", nil))}
	of, file := &record.Ref{ID: "ID0", Sender: ann}, theFile
	reads(t, edit(waE2E.MessageAssociation_HD_IMAGE_DUAL_UPLOAD, larger),
		record.Received{Kind: record.Message, Type: record.Image, Target: of, File: &file, Details: `{"part":"larger copy"}`})
	reads(t, edit(waE2E.MessageAssociation_MEDIA_ALBUM, picture("The culvert", nil)),
		record.Received{Kind: record.Edit, Type: record.Image, Target: of, Text: "The culvert"})
}
