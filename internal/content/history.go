package content

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
	"google.golang.org/protobuf/proto"

	"muniment/internal/record"
)

// Past is what the council's phone keeps of one message of a group.
type Past struct {
	// ID, Own and Sent are the message's, by which the phone can be asked for what was
	// before it; an empty ID if it has none.
	ID   string
	Own  bool
	Sent time.Time

	// Records are the message and what the phone keeps with it: reactions, votes,
	// responses to an event. Of a reaction that was changed, only the last is there.
	Records []record.Received
	// Deleted names a message that was deleted for everyone; what it said, and who
	// deleted it, the phone no longer knows.
	Deleted *record.Ref
	// Unread counts what is there besides and makes no record.
	Unread int
}

// History reads a message of a group as the council's phone keeps it: a marshalled
// WebMessageInfo. Own is the council's account. What it makes are the records that would
// have been captured had the message been delivered, and they are supplied. Not read are:
// what the phone itself tells in the chat, such as who joined; what the phone could not
// read either, or has not sent yet; and what some member shared with it of the time before
// the account was in the group, for which nobody vouches.
func (r Reader) History(group string, own record.Address, info []byte) Past {
	var m waWeb.WebMessageInfo
	if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(info, &m); err != nil {
		return Past{Unread: 1}
	}
	past := Past{ID: ID(m.GetKey().GetID()), Own: m.GetKey().GetFromMe(), Sent: seconds(m.GetMessageTimestamp())}
	h := keeper{Reader: r, group: group, own: own}
	e, ok := h.envelope(m.GetKey(), m.GetParticipant(), past.Sent)
	chat := m.GetKey().GetRemoteJID()
	if !ok || chat != "" && chat != group {
		return Past{Unread: 1}
	}
	if e.PushName = m.GetPushName(); m.GetMessageStubType() == waWeb.WebMessageInfo_REVOKE {
		past.Deleted = &record.Ref{ID: e.ID, Sender: e.Sender}
		return past
	}
	if m.GetMessageStubType() != waWeb.WebMessageInfo_UNKNOWN || m.GetIsGroupHistoryMessage() || e.Own && unsent(&m) {
		past.Unread = 1
		return past
	}
	h.of, h.secret = e.record(), m.GetMessageSecret()
	if m.Message == nil { // such as one to be viewed once
		past.Unread = 1
	} else if main, is := r.read(e, bringing(m.Message, m.GetMessageSecret())); is { // no keys only
		past.Records, h.of = append(past.Records, main), main
	}
	past.Unread += h.with(&m, &past.Records)
	for i := range past.Records {
		past.Records[i].Supplied = true
	}
	return past
}

// unsent reports whether a message of the account's own never left the phone.
func unsent(m *waWeb.WebMessageInfo) bool {
	return m.Status != nil && (m.GetStatus() == waWeb.WebMessageInfo_ERROR || m.GetStatus() == waWeb.WebMessageInfo_PENDING)
}

// bringing puts the secret of a message where it stands in one that is delivered: what
// is encrypted under it is read by what is kept of the message.
func bringing(m *waE2E.Message, secret []byte) *waE2E.Message {
	if len(secret) == 0 || slices.ContainsFunc(open(proto.Clone(m).(*waE2E.Message)).around, func(c *waE2E.MessageContextInfo) bool {
		return len(c.GetMessageSecret()) > 0
	}) {
		return m
	}
	if m.MessageContextInfo == nil {
		m.MessageContextInfo = &waE2E.MessageContextInfo{}
	}
	m.MessageContextInfo.MessageSecret = secret
	return m
}

// A keeper reads what the phone keeps with a message.
type keeper struct {
	Reader
	group  string
	own    record.Address
	of     record.Received // the message
	secret []byte
}

// envelope reads who sent what key names, from the phone's point of view.
func (h keeper) envelope(key *waCommon.MessageKey, participant string, sent time.Time) (Envelope, bool) {
	e := Envelope{Group: h.group, ID: ID(key.GetID()), Own: key.GetFromMe(), Sender: h.own, Sent: sent}
	if e.ID == "" {
		return e, false
	}
	if !e.Own {
		jid, ok := user(participant)
		if !ok {
			jid, ok = user(key.GetParticipant())
		}
		if !ok || jid.Server == types.GroupServer {
			return e, false
		}
		e.Sender = h.Address(jid, types.EmptyJID, h.group)
		e.Own = Same(e.Sender, h.own)
	}
	return e, true
}

// key names the message as by would in what he sends.
func (h keeper) key(by record.Address) *waCommon.MessageKey {
	key := &waCommon.MessageKey{
		RemoteJID: proto.String(h.group), ID: proto.String(Sent(h.of.ID)), FromMe: proto.Bool(Same(by, h.of.Sender)),
	}
	if !key.GetFromMe() {
		key.Participant = proto.String(h.of.Sender.JID)
	}
	return key
}

// with reads what is kept with the message, and returns how much of it makes no record.
func (h keeper) with(m *waWeb.WebMessageInfo, rs *[]record.Received) (unread int) {
	add := func(key *waCommon.MessageKey, at int64, make func(by record.Address) *waE2E.Message) {
		e, ok := h.envelope(key, "", h.when(at))
		if ok {
			if content := make(e.Sender); content != nil {
				if rec, is := h.read(e, content); is {
					*rs = append(*rs, rec)
					return
				}
			}
		}
		unread++
	}
	for _, reaction := range m.GetReactions() {
		add(reaction.GetKey(), reaction.GetSenderTimestampMS(), func(by record.Address) *waE2E.Message {
			return &waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{
				Key: h.key(by), Text: reaction.Text, SenderTimestampMS: reaction.SenderTimestampMS,
			}}
		})
	}
	for _, vote := range m.GetPollUpdates() {
		add(vote.GetPollUpdateMessageKey(), cmp.Or(vote.GetServerTimestampMS(), vote.GetSenderTimestampMS()), func(by record.Address) *waE2E.Message {
			sealed, iv, err := h.seal(by, "Poll Vote", vote.GetPollUpdateMessageKey().GetID(), vote.GetVote())
			if err != nil || vote.GetVote() == nil {
				return nil
			}
			return &waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{
				PollCreationMessageKey: h.key(by), SenderTimestampMS: vote.SenderTimestampMS,
				Vote: &waE2E.PollEncValue{EncPayload: sealed, EncIV: iv},
			}}
		})
	}
	for _, response := range m.GetEventResponses() {
		add(response.GetEventResponseMessageKey(), response.GetTimestampMS(), func(by record.Address) *waE2E.Message {
			sealed, iv, err := h.seal(by, "Event Response", response.GetEventResponseMessageKey().GetID(), response.GetEventResponseMessage())
			if err != nil || response.GetEventResponseMessage() == nil {
				return nil
			}
			return &waE2E.Message{EncEventResponseMessage: &waE2E.EncEventResponseMessage{
				EventCreationMessageKey: h.key(by), EncPayload: sealed, EncIV: iv,
			}}
		})
	}
	for _, other := range m.GetMessageAddOns() {
		add(other.GetMessageAddOnKey(), cmp.Or(other.GetServerTimestampMS(), other.GetSenderTimestampMS()), func(record.Address) *waE2E.Message {
			return other.GetMessageAddOn()
		})
	}
	if m.KeepInChat != nil { // the messages that told are not there
		unread++
	}
	if m.PinInChat != nil {
		unread++
	}
	return unread
}

// when is a time in milliseconds of what belongs to the message, as exactly as a delivery
// says one. It is the sender's, and not before the message's own.
func (h keeper) when(milliseconds int64) time.Time {
	if t := moment(milliseconds / 1000); t != nil && t.After(h.of.Sent) {
		return *t
	}
	return h.of.Sent
}

// seal encrypts under the message's secret what somebody sent so, but the phone keeps
// opened: a vote or a response has no other form. So it is read like any other, and read
// again when an option is added. The same is always sealed alike, since a capture that is
// tried again must find what is here.
func (h keeper) seal(by record.Address, use, id string, what proto.Message) (sealed, iv []byte, err error) {
	secret := h.secret
	if len(secret) == 0 {
		if all := secretsOf(h.of.Protobuf); len(all) > 0 {
			secret = all[0]
		}
	}
	if len(secret) == 0 {
		return nil, nil, errors.New("the message has no secret")
	}
	plain := marshal(what)
	of := Sent(h.of.ID)
	key := hkdfutil.SHA256(secret, nil, []byte(of+h.of.Sender.JID+by.JID+use), 32)
	sum := sha256.Sum256(append([]byte(id+"\x00"), plain...))
	iv = sum[:ivSize]
	sealed, err = gcmutil.Encrypt(key, iv, plain, []byte(of+"\x00"+by.JID))
	return sealed, iv, err
}

// seconds is a time of WhatsApp's; those that no calendar has are the beginning.
func seconds(count uint64) time.Time {
	if t := moment(int64(min(count, 1<<62))); t != nil {
		return *t
	}
	return time.Unix(0, 0).UTC()
}
