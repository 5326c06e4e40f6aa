package content

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"go.mau.fi/whatsmeow/proto/waE2E"

	"muniment/internal/record"
)

// maxItems bounds what one message can cost: how many options, contacts, mentions and
// the like of it are read. A group has at most 1024 participants. The protobuf keeps all.
const maxItems = 1024

// part reads a part of a message, if it can be read.
func (r *reading) part(p part) bool {
	if p.edited && !p.amends() {
		if _, is := p.value.(*waE2E.SecretEncryptedMessage); !is {
			return false // the new text without the frame that says of what
		}
	}
	if c, is := p.value.(interface{ GetContextInfo() *waE2E.ContextInfo }); is {
		r.context = c.GetContextInfo()
	}
	if a, is := p.value.(attachment); is {
		return r.file(a, p)
	}
	switch m := p.value.(type) {
	case string:
		return p.field == "conversation" && r.says(record.Text, m)
	case *waE2E.ExtendedTextMessage:
		return r.text(m)
	case *waE2E.ContactMessage:
		return r.contacts("", m)
	case *waE2E.ContactsArrayMessage:
		return r.contacts(m.GetDisplayName(), m.GetContacts()...)
	case *waE2E.LocationMessage:
		return r.location(m)
	case *waE2E.LiveLocationMessage:
		return r.liveLocation(m)
	case *waE2E.AlbumMessage:
		r.details.Photos, r.details.Videos = int(m.GetExpectedImageCount()), int(m.GetExpectedVideoCount())
		return r.says(record.Album)
	case *waE2E.PollCreationMessage:
		return r.poll(m)
	case *waE2E.PollResultSnapshotMessage:
		return r.result(m)
	case *waE2E.EventMessage:
		return r.event(m)
	case *waE2E.CommentMessage:
		return r.about(m.GetTargetMessageKey()) && r.comment(m.GetMessage())
	case *waE2E.GroupInviteMessage, *waE2E.NewsletterAdminInviteMessage, *waE2E.NewsletterFollowerInviteMessage, *waE2E.EventInviteMessage:
		return r.invite(m)
	case *waE2E.Call, *waE2E.CallLogMessage, *waE2E.BCallMessage, *waE2E.ScheduledCallCreationMessage, *waE2E.ScheduledCallEditMessage:
		return r.call(m)
	case *waE2E.MessageHistoryBundle:
		return r.history(m.GetMessageHistoryMetadata())
	case *waE2E.MessageHistoryNotice:
		return r.history(m.GetMessageHistoryMetadata())
	case *waE2E.ListMessage, *waE2E.ButtonsMessage, *waE2E.TemplateMessage, *waE2E.HighlyStructuredMessage, *waE2E.InteractiveMessage:
		return r.menu(p)
	case *waE2E.ListResponseMessage, *waE2E.ButtonsResponseMessage, *waE2E.TemplateButtonReplyMessage, *waE2E.InteractiveResponseMessage:
		return r.choice(m)
	case *waE2E.SendPaymentMessage, *waE2E.RequestPaymentMessage, *waE2E.DeclinePaymentRequestMessage, *waE2E.CancelPaymentRequestMessage,
		*waE2E.PaymentInviteMessage, *waE2E.PaymentReminderMessage, *waE2E.SplitPaymentMessage, *waE2E.SplitPaymentUpdateMessage, *waE2E.InvoiceMessage:
		return r.payment(m)
	case *waE2E.OrderMessage, *waE2E.ProductMessage:
		return r.order(p)
	case *waE2E.AIRichResponseMessage, *waE2E.QuestionResponseMessage, *waE2E.StatusQuestionAnswerMessage, *waE2E.StatusQuotedMessage, *waE2E.MusicMessage:
		return r.otherText(m)
	}
	return r.amendment(p) || r.sealed(p)
}

// says makes r a message that people wrote.
func (r *reading) says(typ record.Type, words ...string) bool {
	r.Kind, r.Type, r.Text = record.Message, typ, lines(words...)
	return true
}

func (r *reading) text(m *waE2E.ExtendedTextMessage) bool {
	link := record.Link{URL: OneLine(m.GetMatchedText()), Title: OneLine(m.GetTitle()), Description: Valid(m.GetDescription())}
	if link.Title != "" || link.Description != "" {
		r.details.Link = &link
	}
	return r.says(record.Text, m.GetText())
}

// otherText reads what is words and little else.
func (r *reading) otherText(m any) bool {
	switch m := m.(type) {
	case *waE2E.AIRichResponseMessage:
		var words []string
		for _, s := range m.GetSubmessages() {
			words = append(words, s.GetMessageText(), s.GetCodeMetadata().GetCodeLanguage())
		}
		return r.says(record.Text, words...)
	case *waE2E.QuestionResponseMessage:
		return r.says(record.Text, m.GetText())
	case *waE2E.StatusQuestionAnswerMessage:
		return r.says(record.Text, m.GetText())
	case *waE2E.StatusQuotedMessage:
		return r.says(record.Text, m.GetText())
	case *waE2E.MusicMessage:
		song := m.GetEmbeddedMusic()
		return r.says(record.Text, OneLine(song.GetTitle()), OneLine(song.GetAuthor()))
	}
	return false
}

// comment reads what is said on the message that Target names.
func (r *reading) comment(m *waE2E.Message) bool {
	said := r.within(m)
	if said.Kind != record.Message || said.Type == record.Sealed {
		return false
	}
	r.Kind, r.Type, r.Text, r.Mentions, r.details = record.Message, record.Comment, said.Text, said.Mentions, said.details
	r.details.Part = "" // it is on Target, whatever it says else
	if said.Type == record.ViewOnce {
		r.Type = record.ViewOnce
	}
	if said.File != nil {
		r.File = said.File
		r.File.Type = said.FileType()
	}
	return true
}

// belongs reads what a message says of others: what it answers or is part of, whom it
// mentions, that it was forwarded, and when it disappears.
func (r *reading) belongs() {
	if r.Kind != record.Message || r.Type == record.Sealed {
		return
	}
	c := r.context
	if r.details.Forwarded == 0 && (c.GetIsForwarded() || c.GetForwardingScore() > 0) {
		r.details.Forwarded = int(max(1, min(c.GetForwardingScore(), 5)))
	}
	if s := c.GetExpiration(); s > 0 {
		r.details.Expires = int(s)
	}
	for _, mentioned := range c.GetMentionedJID() {
		jid, ok := user(mentioned)
		if ok && !slices.Contains(r.Mentions, jid.String()) && len(r.Mentions) < maxItems {
			r.Mentions = append(r.Mentions, jid.String())
		}
	}
	if r.Target != nil {
		return
	}
	// What is part of another names it in a place that is kept, a reply in one that is
	// not: so that the same is read again, the former comes first.
	if target, part, ok := r.partOf(); ok {
		r.Target, r.details.Part = &target, part
		return
	}
	if id := c.GetStanzaID(); id != "" {
		r.Target = &record.Ref{ID: ID(id), Sender: r.named(c.GetParticipant(), r.Group)}
	}
}

// partOf returns what the message is of which other, if it says.
func (r *reading) partOf() (of record.Ref, part string, ok bool) {
	i := slices.IndexFunc(r.around, func(c *waE2E.MessageContextInfo) bool { return c.GetMessageAssociation() != nil })
	if i < 0 {
		return record.Ref{}, "", false
	}
	association := r.around[i].GetMessageAssociation()
	of, ok = r.target(association.GetParentMessageKey())
	part = parts[association.GetAssociationType()]
	return of, part, ok && part != ""
}

// parts says what a message is of another. What else there is has to do with status
// updates and bots.
var parts = map[waE2E.MessageAssociation_AssociationType]string{
	waE2E.MessageAssociation_MEDIA_ALBUM:            record.PartOfAlbum,
	waE2E.MessageAssociation_HD_VIDEO_DUAL_UPLOAD:   record.LargerCopy,
	waE2E.MessageAssociation_HD_IMAGE_DUAL_UPLOAD:   record.LargerCopy,
	waE2E.MessageAssociation_HEVC_VIDEO_DUAL_UPLOAD: record.OtherCopy,
	waE2E.MessageAssociation_MOTION_PHOTO:           record.MovingCopy,
	waE2E.MessageAssociation_EVENT_COVER_IMAGE:      record.CoverPicture,
	waE2E.MessageAssociation_MEDIA_POLL:             record.OptionPicture,
}

// lines puts what people read in lines, one for each text that there is.
func lines(words ...string) string {
	var said []string
	for _, w := range words {
		if w != "" {
			said = append(said, Valid(w))
		}
	}
	return strings.Join(said, "\n")
}

// OneLine makes what a sender wrote a text without line breaks and the like.
func OneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, Valid(s))
}

// moment is the time of a count of seconds, or of milliseconds: WhatsApp has both. None
// if there is none, or none that a calendar has.
func moment(count int64) *time.Time {
	if count <= 0 {
		return nil
	}
	t := time.Unix(count, 0).UTC()
	if count > math.MaxUint32*4 { // seconds until the year 2514, milliseconds from 1970 on
		t = time.UnixMilli(count).UTC()
	}
	if t.Year() > 9999 {
		return nil
	}
	return &t
}
