package content

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"muniment/internal/record"
)

var secret = bytes.Repeat([]byte{7}, 32)

// A sealer encrypts as a phone does, in a way of its own.
type sealer struct {
	secret         []byte
	id             string // of the message whose secret it is
	author, sender string
	use            string
	bound          bool
}

func (s sealer) seal(t *testing.T, m proto.Message) (payload, iv []byte) {
	t.Helper()
	plain, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return s.sealBytes(t, plain)
}

func (s sealer) sealBytes(t *testing.T, plain []byte) (payload, iv []byte) {
	t.Helper()
	key, err := hkdf.Key(sha256.New, s.secret, nil, s.id+s.author+s.sender+s.use, 32)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	iv = bytes.Repeat([]byte{1}, 12)
	var bound []byte
	if s.bound {
		bound = []byte(s.id + "\x00" + s.sender)
	}
	return gcm.Seal(nil, iv, plain, bound), iv
}

func pollOf(options ...string) *waE2E.Message {
	poll := &waE2E.PollCreationMessage{Name: proto.String("When?")}
	for _, o := range options {
		poll.Options = append(poll.Options, &waE2E.PollCreationMessage_Option{OptionName: &o})
	}
	return &waE2E.Message{PollCreationMessageV3: poll}
}

func withSecret(m *waE2E.Message) *waE2E.Message {
	m.MessageContextInfo = &waE2E.MessageContextInfo{MessageSecret: secret}
	return m
}

// having returns a reader that has m, which by sent under ID0.
func having(t *testing.T, by record.Address, m *waE2E.Message, added ...string) Reader {
	t.Helper()
	protobuf, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	r := reader()
	r.Original = func(group string, of record.Ref) (Original, bool) {
		if of.ID != "ID0" || !Same(of.Sender, by) {
			return Original{}, false
		}
		return Original{Sender: by, Protobuf: protobuf, Added: added}, true
	}
	return r
}

func voteFor(options ...string) *waE2E.PollVoteMessage {
	var v waE2E.PollVoteMessage
	for _, o := range options {
		digest := sha256.Sum256([]byte(o))
		v.SelectedOptions = append(v.SelectedOptions, digest[:])
	}
	return &v
}

// The votes are Ann's, in Bo's poll.
func TestVotes(t *testing.T) {
	poll := withSecret(pollOf("Monday", "Tuesday", "Monday"))
	for _, tt := range []struct {
		name  string
		poll  *waE2E.Message
		added []string
		vote  *waE2E.PollVoteMessage
		want  record.Type
		says  record.Details
	}{
		{"for one", poll, nil, voteFor("Tuesday"), record.Cast, record.Details{Chosen: []string{"Tuesday"}}},
		{"for several, in the poll's order", poll, nil, voteFor("Tuesday", "Monday"), record.Cast, record.Details{Chosen: []string{"Monday", "Tuesday"}}},
		{"for one, said twice", poll, nil, voteFor("Monday", "Monday"), record.Cast, record.Details{Chosen: []string{"Monday"}}},
		{"withdrawn", poll, nil, voteFor(), record.Withdrawn, record.Details{}},
		{"for an option that was added", poll, []string{"Friday"}, voteFor("Friday", "Monday"), record.Cast, record.Details{Chosen: []string{"Monday", "Friday"}}},
		{"for an option that is not known", poll, nil, voteFor("Friday", "Monday"), record.Cast, record.Details{Chosen: []string{"Monday"}, Unknown: 1}},
		{"for what is no digest", poll, nil, &waE2E.PollVoteMessage{SelectedOptions: [][]byte{nil, {1}}}, record.Cast, record.Details{Unknown: 2}},
		{"in a poll of another form", withSecret(&waE2E.Message{PollCreationMessageV2: pollOf("Monday").PollCreationMessageV3}), nil, voteFor("Monday"),
			record.Cast, record.Details{Chosen: []string{"Monday"}}},
		{"in a disappearing poll", &waE2E.Message{EphemeralMessage: wrapped(withSecret(pollOf("Monday")))}, nil, voteFor("Monday"),
			record.Cast, record.Details{Chosen: []string{"Monday"}}},
		{"in a disappearing poll, the secret outside", withSecret(&waE2E.Message{EphemeralMessage: wrapped(pollOf("Monday"))}), nil, voteFor("Monday"),
			record.Cast, record.Details{Chosen: []string{"Monday"}}},
		{"in what is no poll", withSecret(text("Hello.")), nil, voteFor("Monday"), record.Cast, record.Details{Unknown: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			payload, iv := sealer{secret, "ID0", bo.JID, ann.JID, "Poll Vote", true}.seal(t, tt.vote)
			r, _ := having(t, bo, tt.poll, tt.added...).Read(fromAnn(), voteMessage(payload, iv))
			if r.Kind != record.Vote || r.Type != tt.want || *r.Target != (record.Ref{ID: "ID0", Sender: bo}) {
				t.Errorf("%s, %s of %+v", r.Kind, r.Type, r.Target)
			}
			if text := strings.Join(tt.says.Chosen, "\n"); r.Text != text {
				t.Errorf("it says %q; want %q", r.Text, text)
			}
			says, err := record.ParseDetails(r.Details)
			if diff := cmp.Diff(tt.says, says); diff != "" || err != nil {
				t.Errorf("details (-want +got), %v\n%s", err, diff)
			}
		})
	}
}

func voteMessage(payload, iv []byte) *waE2E.Message {
	return &waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{
		PollCreationMessageKey: keyOf(false, bo.JID), Vote: &waE2E.PollEncValue{EncPayload: payload, EncIV: iv},
	}}
}

// Which address a phone has used is not known: any of the two of each does.
func TestOpenedUnderEitherAddress(t *testing.T) {
	dee := record.Address{JID: "1004@lid"} // who came under one address, and whose other nobody has told
	for _, tt := range []struct {
		name           string
		author, sender string // in the key
		participant    string // whom the vote's key names
		by             record.Address
		opens          bool
	}{
		{"LIDs", bo.JID, ann.JID, bo.JID, bo, true},
		{"numbers", bo.Alt, ann.Alt, bo.Alt, bo, true},
		{"numbers, where LIDs are named", bo.Alt, ann.Alt, bo.JID, bo, true},
		{"LIDs, where numbers are named", bo.JID, ann.JID, bo.Alt, bo, true},
		{"the poll came by number, the vote by LID", bo.Alt, ann.JID, bo.JID, record.Address{JID: bo.Alt, Alt: bo.JID}, true},
		{"the vote came by number, the poll by LID", bo.JID, ann.Alt, bo.JID, bo, true},
		{"the poll came without the other address", bo.Alt, ann.JID, bo.JID, record.Address{JID: bo.JID}, true},
		{"an address that is not known", "447700900104@s.whatsapp.net", ann.JID, dee.JID, dee, false},
		{"another voter", bo.JID, cat.JID, bo.JID, bo, false},
		{"another author", cat.JID, ann.JID, bo.JID, bo, false},
		{"the two exchanged", ann.JID, bo.JID, bo.JID, bo, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			payload, iv := sealer{secret, "ID0", tt.author, tt.sender, "Poll Vote", true}.seal(t, voteFor("Monday"))
			m := voteMessage(payload, iv)
			m.PollUpdateMessage.PollCreationMessageKey = keyOf(false, tt.participant)
			r, _ := having(t, tt.by, withSecret(pollOf("Monday"))).Read(fromAnn(), m)
			if opened := r.Type == record.Cast; r.Kind != record.Vote || opened != tt.opens || opened != (r.Details != "") {
				t.Errorf("%s, %s, %q", r.Kind, r.Type, r.Details)
			}
		})
	}
}

// What cannot be opened, or makes no sense, is sealed: no more, and no failure.
func TestStaysSealed(t *testing.T) {
	good := sealer{secret, "ID0", bo.JID, ann.JID, "Poll Vote", true}
	payload, iv := good.seal(t, voteFor("Monday"))
	other, _ := sealer{bytes.Repeat([]byte{8}, 32), "ID0", bo.JID, ann.JID, "Poll Vote", true}.seal(t, voteFor("Monday"))
	unbound, _ := sealer{secret, "ID0", bo.JID, ann.JID, "Poll Vote", false}.seal(t, voteFor("Monday"))
	elsewhere, _ := sealer{secret, "ID9", bo.JID, ann.JID, "Poll Vote", true}.seal(t, voteFor("Monday"))
	senseless, _ := good.seal(t, &waE2E.EventResponseMessage{Response: waE2E.EventResponseMessage_GOING.Enum()})
	poll := withSecret(pollOf("Monday"))
	for name, tt := range map[string]struct {
		poll        *waE2E.Message
		payload, iv []byte
	}{
		"with another secret":         {poll, other, iv},
		"of another message":          {poll, elsewhere, iv},
		"not bound to the voter":      {poll, unbound, iv},
		"altered":                     {poll, append([]byte{payload[0] ^ 1}, payload[1:]...), iv},
		"cut short":                   {poll, payload[:5], iv},
		"empty":                       {poll, nil, iv},
		"with a short vector":         {poll, payload, iv[:3]},
		"with no vector":              {poll, payload, nil},
		"with a long vector":          {poll, payload, append(iv, 0, 0, 0, 0)},
		"of a message with no secret": {pollOf("Monday"), payload, iv},
		"senseless":                   {poll, senseless, iv},
	} {
		t.Run(name, func(t *testing.T) {
			r, is := having(t, bo, tt.poll).Read(fromAnn(), voteMessage(tt.payload, tt.iv))
			if !is || r.Kind != record.Vote || r.Type != record.Sealed || r.Details != "" || r.Text != "" || *r.Target != (record.Ref{ID: "ID0", Sender: bo}) {
				t.Errorf("%+v", r)
			}
		})
	}
	t.Run("while the message is not here", func(t *testing.T) {
		want := record.Received{Kind: record.Vote, Type: record.Sealed, Target: &record.Ref{ID: "ID0", Sender: bo}}
		got := reads(t, voteMessage(payload, iv), want)
		again, err := having(t, bo, poll).ReadAgain(fromAnn(), got.Protobuf)
		if err != nil || again.Type != record.Cast || again.Details != (record.Details{Chosen: []string{"Monday"}}).Encode() {
			t.Errorf("read again: %s %s, %v", again.Type, again.Details, err)
		}
	})
}

// What was encrypted is the record that it would be in the clear.
func TestUnsealed(t *testing.T) {
	bos := keyOf(false, bo.JID)
	elsewhere := &waCommon.MessageKey{ID: proto.String("ID9"), FromMe: proto.Bool(true)}
	edit := func(use waE2E.SecretEncryptedMessage_SecretEncType, payload, iv []byte) *waE2E.Message {
		return &waE2E.Message{SecretEncryptedMessage: &waE2E.SecretEncryptedMessage{
			TargetMessageKey: bos, SecretEncType: use.Enum(), EncPayload: payload, EncIV: iv}}
	}
	to := func(kind record.Kind, r record.Received) record.Received {
		r.Kind, r.Target = kind, &record.Ref{ID: "ID0", Sender: bo}
		return r
	}
	messageEdit := func(p, iv []byte) *waE2E.Message { return edit(waE2E.SecretEncryptedMessage_MESSAGE_EDIT, p, iv) }
	react := func(p, iv []byte) *waE2E.Message {
		return &waE2E.Message{EncReactionMessage: &waE2E.EncReactionMessage{TargetMessageKey: bos, EncPayload: p, EncIV: iv}}
	}
	respond := func(p, iv []byte) *waE2E.Message {
		return &waE2E.Message{EncEventResponseMessage: &waE2E.EncEventResponseMessage{EventCreationMessageKey: bos, EncPayload: p, EncIV: iv}}
	}
	response := func(r waE2E.EventResponseMessage_EventResponseType, guests int32) *waE2E.EventResponseMessage {
		return &waE2E.EventResponseMessage{Response: r.Enum(), ExtraGuestCount: &guests}
	}
	comment := func(p, iv []byte) *waE2E.Message {
		return &waE2E.Message{EncCommentMessage: &waE2E.EncCommentMessage{TargetMessageKey: bos, EncPayload: p, EncIV: iv}}
	}
	addOption := func(p, iv []byte) *waE2E.Message {
		return edit(waE2E.SecretEncryptedMessage_POLL_ADD_OPTION, p, iv)
	}
	friday := &waE2E.PollAddOptionMessage{PollCreationMessageKey: elsewhere, AddOption: &waE2E.PollCreationMessage_Option{OptionName: proto.String("Friday")}}
	for _, tt := range []struct {
		name  string
		use   string
		bound bool
		plain proto.Message
		m     func(payload, iv []byte) *waE2E.Message
		want  record.Received
	}{
		{"reaction", "Enc Reaction", false, &waE2E.ReactionMessage{Text: proto.String("📌")}, react,
			to(record.Reaction, record.Received{Type: record.ReactionAdded, Emoji: "📌"})},
		{"reaction whose key within names another message", "Enc Reaction", false, &waE2E.ReactionMessage{Text: proto.String("📌"), Key: elsewhere}, react,
			to(record.Reaction, record.Received{Type: record.ReactionAdded, Emoji: "📌"})},
		{"reaction taken back", "Enc Reaction", false, &waE2E.ReactionMessage{Text: proto.String("")}, react,
			to(record.Reaction, record.Received{Type: record.ReactionRemoved})},
		{"edit", "Message Edit", false, editOf(bos, reply("new @1001", &waE2E.ContextInfo{MentionedJID: []string{ann.JID}})), messageEdit,
			to(record.Edit, record.Received{Type: record.Text, Text: "new @1001", Mentions: []string{ann.JID}})},
		{"edit within its wrapper", "Message Edit", false, &waE2E.Message{EditedMessage: wrapped(editOf(bos, text("new")))}, messageEdit,
			to(record.Edit, record.Received{Type: record.Text, Text: "new"})},
		{"edit whose key within names another message", "Message Edit", false, editOf(elsewhere, text("new")), messageEdit,
			to(record.Edit, record.Received{Type: record.Text, Text: "new"})},
		{"edit without its frame", "Message Edit", false, text("new"), messageEdit,
			to(record.Edit, record.Received{Type: record.Text, Text: "new"})},
		{"deletion in an edit's place", "Message Edit", false, deletionOf(bos), messageEdit,
			to(record.Edit, record.Received{Type: record.Sealed})},
		{"edit of another sort", "Poll Edit", false, editOf(bos, text("new")), messageEdit,
			to(record.Edit, record.Received{Type: record.Sealed})},
		{"edit within an edit", "Message Edit", false, messageEdit(sealer{secret, "ID0", bo.JID, ann.JID, "Message Edit", false}.seal(t, text("new"))), messageEdit,
			to(record.Edit, record.Received{Type: record.Sealed})},
		{"edit of a poll", "Poll Edit", false, editOf(bos, pollOf("Monday")),
			func(p, iv []byte) *waE2E.Message { return edit(waE2E.SecretEncryptedMessage_POLL_EDIT, p, iv) },
			to(record.Edit, record.Received{Type: record.Poll, Text: "When?\nMonday",
				Details: record.Details{Poll: &record.Ballot{Question: "When?", Options: []string{"Monday"}}}.Encode()})},
		{"edit of an event", "Event Edit", false, &waE2E.Message{EventMessage: &waE2E.EventMessage{Name: proto.String("Tea")}},
			func(p, iv []byte) *waE2E.Message { return edit(waE2E.SecretEncryptedMessage_EVENT_EDIT, p, iv) },
			to(record.Edit, record.Received{Type: record.Event, Text: "Tea", Details: record.Details{Event: &record.Gathering{Name: "Tea"}}.Encode()})},
		{"comment", "Enc Comment", false, reply("well said, @1001", &waE2E.ContextInfo{MentionedJID: []string{ann.JID}}), comment,
			to(record.Message, record.Received{Type: record.Comment, Text: "well said, @1001", Mentions: []string{ann.JID}})},
		{"comment within its frame", "Enc Comment", false, &waE2E.Message{CommentMessage: &waE2E.CommentMessage{Message: text("well said"), TargetMessageKey: elsewhere}}, comment,
			to(record.Message, record.Received{Type: record.Comment, Text: "well said"})},
		{"comment that is sealed within", "Enc Comment", false, comment(sealer{secret, "ID0", bo.JID, ann.JID, "Enc Comment", false}.seal(t, text("x"))), comment,
			to(record.Message, record.Received{Type: record.Sealed})},
		{"comment to view once", "Enc Comment", false, &waE2E.Message{ViewOnceMessageV2: wrapped(picture("x", nil))}, comment,
			to(record.Message, record.Received{Type: record.ViewOnce, Details: record.Details{Once: record.Image}.Encode()})},
		{"reaction in a comment's place", "Enc Comment", false, reaction("📌", bos), comment,
			to(record.Message, record.Received{Type: record.Sealed})},
		{"option", "Poll Add Option", false, &waE2E.Message{PollAddOptionMessage: friday}, addOption,
			to(record.Option, record.Received{Type: record.OptionAdded, Text: "Friday"})},
		{"option, as whatsmeow names the purpose", "Poll Edit", false, &waE2E.Message{PollAddOptionMessage: friday}, addOption,
			to(record.Option, record.Received{Type: record.OptionAdded, Text: "Friday"})},
		{"option without a name", "Poll Add Option", false, &waE2E.Message{PollAddOptionMessage: &waE2E.PollAddOptionMessage{}}, addOption,
			to(record.Option, record.Received{Type: record.Sealed})},
		{"going", "Event Response", true, response(waE2E.EventResponseMessage_GOING, 2), respond,
			to(record.Response, record.Received{Type: record.Going, Details: record.Details{Guests: 2}.Encode()})},
		{"not going", "Event Response", true, response(waE2E.EventResponseMessage_NOT_GOING, 0), respond,
			to(record.Response, record.Received{Type: record.NotGoing})},
		{"maybe, with guests below nought", "Event Response", true, response(waE2E.EventResponseMessage_MAYBE, -4), respond,
			to(record.Response, record.Received{Type: record.Maybe})},
		{"a response that is not known", "Event Response", true, response(9, 0), respond,
			to(record.Response, record.Received{Type: record.Sealed})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := tt.m(sealer{secret, "ID0", bo.JID, ann.JID, tt.use, tt.bound}.seal(t, tt.plain))
			r, is := having(t, bo, withSecret(text("old"))).Read(fromAnn(), m)
			if !is {
				t.Fatal("no record")
			}
			if diff := cmp.Diff(tt.want, r, cmpopts.IgnoreFields(record.Received{}, "Protobuf", "Group", "ID", "Sender", "PushName", "Sent")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var kept waE2E.Message
			if err := proto.Unmarshal(r.Protobuf, &kept); err != nil || !proto.Equal(m, &kept) {
				t.Errorf("what is kept is not what came: %v", err)
			}
		})
	}
}

// FuzzUnseal asks that whatever somebody encrypts, under whichever secret he knows,
// becomes a record like any other.
func FuzzUnseal(f *testing.F) {
	for kind, m := range []proto.Message{
		voteFor("Monday"), &waE2E.ReactionMessage{Text: proto.String("📌")}, text("Yes."),
		&waE2E.EventResponseMessage{Response: waE2E.EventResponseMessage_GOING.Enum()}, editOf(keyOf(true, ""), text("new")),
		&waE2E.Message{PollAddOptionMessage: &waE2E.PollAddOptionMessage{AddOption: &waE2E.PollCreationMessage_Option{OptionName: proto.String("Friday")}}},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(kind), b)
	}
	f.Fuzz(func(t *testing.T, kind uint8, plain []byte) {
		key := keyOf(false, bo.JID)
		m, use := &waE2E.Message{}, ""
		var put func(payload, iv []byte)
		switch kind % 6 {
		case 0:
			m.PollUpdateMessage, use = &waE2E.PollUpdateMessage{PollCreationMessageKey: key}, "Poll Vote"
			put = func(p, iv []byte) { m.PollUpdateMessage.Vote = &waE2E.PollEncValue{EncPayload: p, EncIV: iv} }
		case 1:
			use = "Enc Reaction"
			put = func(p, iv []byte) {
				m.EncReactionMessage = &waE2E.EncReactionMessage{TargetMessageKey: key, EncPayload: p, EncIV: iv}
			}
		case 2:
			use = "Enc Comment"
			put = func(p, iv []byte) {
				m.EncCommentMessage = &waE2E.EncCommentMessage{TargetMessageKey: key, EncPayload: p, EncIV: iv}
			}
		case 3:
			use = "Event Response"
			put = func(p, iv []byte) {
				m.EncEventResponseMessage = &waE2E.EncEventResponseMessage{EventCreationMessageKey: key, EncPayload: p, EncIV: iv}
			}
		default:
			typ := waE2E.SecretEncryptedMessage_MESSAGE_EDIT
			if use = "Message Edit"; kind%6 == 5 {
				typ, use = waE2E.SecretEncryptedMessage_POLL_ADD_OPTION, "Poll Add Option"
			}
			put = func(p, iv []byte) {
				m.SecretEncryptedMessage = &waE2E.SecretEncryptedMessage{TargetMessageKey: key, SecretEncType: typ.Enum(), EncPayload: p, EncIV: iv}
			}
		}
		s := sealer{secret, "ID0", bo.JID, ann.JID, use, use == "Poll Vote" || use == "Event Response"}
		put(s.sealBytes(t, plain))
		r, is := having(t, bo, withSecret(pollOf("Monday")), "Friday").Read(fromAnn(), m)
		if !is || *r.Target != (record.Ref{ID: "ID0", Sender: bo}) {
			t.Fatalf("a record: %v; of %+v", is, r.Target)
		}
		if _, err := record.ParseDetails(r.Details); err != nil {
			t.Error(err)
		}
		if r.Type == record.Sealed && (r.Text != "" || r.Emoji != "" || r.Details != "" || r.File != nil || r.Mentions != nil) {
			t.Errorf("sealed, but it says %+v", r)
		}
		if !utf8.ValidString(r.Text + r.Emoji + r.Details) {
			t.Error("not UTF-8")
		}
	})
}
