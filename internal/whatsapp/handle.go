package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muniment/internal/content"
	"muniment/internal/record"
)

// captureTimeout bounds one call of a hook. whatsmeow handles one event at a
// time and goes on without us after five minutes.
const captureTimeout = 20 * time.Second

// A listener hands the events of one connection (and its successors) to hooks.
type listener struct {
	session *Session
	hooks   Hooks
	client  *whatsmeow.Client
	wire    *wire
	quiet   *atomic.Bool
	t       translator
	self    record.Address // the council's account
	log     *slog.Logger

	// turn is held, by whoever has put a value in, while an event is handled:
	// after a reconnect, the old connection's handler may still be busy with
	// the very message that the new one delivers. Run takes it for good at
	// the end.
	turn     chan struct{}
	busy     atomic.Int64  // since when the turn is held, Unix nanoseconds; 0: it is not
	stopping atomic.Bool   // nothing new is begun
	stopped  chan struct{} // no hook is called any more
	base     context.Context
	abort    context.CancelFunc

	paused  atomic.Bool   // see Pause
	pausing chan struct{} // that has changed

	again chan struct{} // something must be delivered again

	lists   lists                      // of participants, that are to be asked for
	present map[string]record.Received // the last list of each group; of askLists

	link  link
	phone phone
}

// handle reports whether evt was dealt with; if not, whatsmeow does not tell
// WhatsApp that it has arrived, or the wire keeps it from doing so.
//
// whatsmeow recovers a panicking handler and then acknowledges as if it had
// succeeded, which would lose the message. So handle recovers first, and says no.
// And since WhatsApp delivers again only after a reconnect, it asks for one; not
// by itself, since whatsmeow's locks are held here.
func (l *listener) handle(evt any) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			l.log.Error("event handler panicked", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			ok = false
			ask(l.again)
		}
	}()
	l.sawPhone(evt)
	done := l.wire.handling(evt)
	defer func() {
		if !ok {
			l.wire.fails(evt)
		}
		done(ok)
	}()
	switch evt := evt.(type) {
	case *events.Message, *events.UndecryptableMessage, *events.FBMessage, *events.GroupInfo, *events.Picture, *events.MediaRetry,
		*events.CallOffer, *events.CallOfferNotice, *events.CallTerminate, *events.UnknownCallEvent:
		if l.stopping.Load() || !l.begin() {
			return false
		}
	default:
		l.note(evt)
		return true
	}
	defer l.end()
	ctx, cancel := context.WithTimeout(l.base, captureTimeout)
	defer cancel()
	if err := l.deal(ctx, evt); err != nil {
		l.log.Error("event not captured, not acknowledged", "err", err)
		ask(l.again)
		return false
	}
	return true
}

// begin takes the turn; it fails once Run is over.
func (l *listener) begin() bool {
	select {
	case <-l.stopped:
		return false
	default:
	}
	select {
	case l.turn <- struct{}{}:
		l.busy.Store(time.Now().UnixNano())
		return true
	case <-l.stopped:
		return false
	}
}

func (l *listener) end() {
	l.busy.Store(0)
	<-l.turn
}

// deal hands evt over. What is not of a listed group is not looked at.
func (l *listener) deal(ctx context.Context, evt any) error {
	switch evt := evt.(type) {
	case *events.Message:
		if evt.RawMessage.GetSenderKeyDistributionMessage() != nil && !l.session.container.keys.has(evt.Info) {
			return errors.New("the sender's key could not be stored")
		}
		if n, is := l.t.historyNotice(evt); is {
			l.hooks.Received()
			return l.hooks.History(ctx, n)
		}
		r, is := l.t.message(evt)
		if is && r.Kind == record.Group && r.Type == record.Timer { // anybody can say that, WhatsApp knows whether it is so
			l.lists.want(claimPause, true, r.Group)
		}
		if err := l.hand(ctx, r, is); err != nil {
			return err
		}
		if evt.SourceWebMsg == nil {
			l.wire.took(evt.Info, is)
		}
	case *events.Picture:
		if r, is := l.t.picture(evt); is {
			return l.hand(ctx, r, is)
		}
	case *events.GroupInfo:
		return l.change(ctx, evt)
	case *events.CallOffer:
		return l.call(ctx, evt.BasicCallMeta, mediaOf(evt.Data))
	case *events.CallOfferNotice:
		return l.call(ctx, evt.BasicCallMeta, evt.Media)
	case *events.CallTerminate:
		return l.call(ctx, evt.BasicCallMeta, mediaOf(evt.Data))
	case *events.UnknownCallEvent:
		return l.unknownCall(ctx, evt.Node)
	case *events.UndecryptableMessage:
		if l.wire.knows(evt.Info) { // it was told before it was acknowledged
			return nil
		}
		return l.unreadable(ctx, evt)
	case *events.MediaRetry:
		return l.answered(ctx, evt)
	case *events.FBMessage:
		if err := l.miss(ctx, evt.Info, "it came in a form that WhatsApp's own apps do not use"); err != nil {
			return err
		}
		l.wire.took(evt.Info, true)
	}
	return nil
}

// hand accounts for one event, and captures it if it is a record.
func (l *listener) hand(ctx context.Context, r record.Received, is bool) error {
	l.hooks.Received()
	if !is {
		return l.hooks.Skip(ctx)
	}
	return l.hooks.Capture(ctx, r)
}

// change hands over what became of a group, and asks for the list of participants where
// that tells more: the notice may say that the council's account went or came back, or not
// what it was that changed.
func (l *listener) change(ctx context.Context, evt *events.GroupInfo) error {
	rs := l.t.group(evt)
	if len(rs) == 0 {
		return l.hand(ctx, record.Received{}, false)
	}
	for _, r := range rs {
		if err := l.hand(ctx, r, true); err != nil {
			return err
		}
		switch {
		case r.Kind == record.Group && r.Type == record.Approval && r.Text == "", r.Type == record.Renumbered:
			l.lists.want(listPause, true, r.Group)
		case r.Kind != record.Participants || !l.t.names(r):
		case r.Type == record.Removed || r.Type == record.Left:
			cause := "The council's account was removed from the group."
			if r.Type == record.Left {
				cause = "The council's account has left the group."
			}
			if err := l.hooks.Outside(ctx, r.Group, r.Sent, cause); err != nil {
				return err
			}
			l.lists.want(listPause, true, r.Group)
		case r.Type == record.Added || r.Type == record.Joined:
			l.lists.want(listPause, true, r.Group)
		}
	}
	return nil
}

// call hands over that there was a call. All that is told of one is one record: the first
// notice of it that comes, be it only the one that it is over.
func (l *listener) call(ctx context.Context, m types.BasicCallMeta, media string) error {
	r, is := l.t.call(m, media)
	return l.hand(ctx, r, is)
}

// unknownCall does the same with a notice of a kind that whatsmeow does not know, as far as
// it names a call of a listed group.
func (l *listener) unknownCall(ctx context.Context, n *waBinary.Node) error {
	at := n.AttrGetter()
	for _, child := range n.GetChildren() {
		of := child.AttrGetter()
		m := types.BasicCallMeta{
			From: at.OptionalJIDOrEmpty("from"), Timestamp: at.OptionalUnixTime("t"),
			CallCreator: of.OptionalJIDOrEmpty("call-creator"), CallID: of.OptionalString("call-id"), GroupJID: of.OptionalJIDOrEmpty("group-jid"),
		}
		if m.CallID != "" && l.t.listed(m.GroupJID) {
			return l.call(ctx, m, mediaOf(&child))
		}
	}
	return nil
}

// unreadable notes a message that came without anything that could be read.
func (l *listener) unreadable(ctx context.Context, evt *events.UndecryptableMessage) (err error) {
	if evt.UnavailableType == events.UnavailableTypeViewOnce {
		err = l.once(ctx, evt.Info)
	} else {
		err = l.miss(ctx, evt.Info, undecryptable(evt))
	}
	if err == nil {
		l.wire.took(evt.Info, true)
	}
	return err
}

// miss notes a message that cannot be read.
func (l *listener) miss(ctx context.Context, info types.MessageInfo, cause string) error {
	if !l.t.listed(info.Chat) {
		return l.hand(ctx, record.Received{}, false)
	}
	l.hooks.Received()
	return l.hooks.Missing(ctx, missed(l.t.envelope(info), cause))
}

func missed(e content.Envelope, cause string) Missed {
	return Missed{Group: e.Group, Ref: record.Ref{ID: e.ID, Sender: e.Sender}, Own: e.Own, Sent: e.Sent, Cause: cause}
}

// once notes a message that was sent to be viewed once. Linked devices are only told
// that there was one, and nothing is missing with that.
func (l *listener) once(ctx context.Context, info types.MessageInfo) error {
	return l.hand(ctx, content.NotDelivered(l.t.envelope(info)), l.t.listed(info.Chat))
}

// note takes in what is no message and no change of a group.
//
// What is not named here is ignored on purpose: receipts, presence and typing
// (others'; we send none), who takes part in a call and how it is connected, push
// names and business names (each message brings its sender's), contacts, chat
// settings and all else of the app state (not of the group, and in part of other
// chats), privacy settings, channels, changes of
// identity (the message that follows tells). Being added to a group anew brings its
// participants only: WhatsApp does not say when it was.
func (l *listener) note(evt any) {
	switch evt := evt.(type) {
	case *events.OfflineSyncPreview: // it comes before what was not acknowledged
		l.session.seal.faulty.Store(0)
	case *events.Connected:
		if !l.wire.sees() {
			l.log.Error("what passes between this device and WhatsApp is not seen: whatsmeow has changed")
		}
		l.link.connected()
		l.lists.want(queuePatience, false, l.session.options.Groups...)
	case *events.OfflineSyncCompleted:
		// What was queued while we were away is in the archive, and who came and went.
		l.lists.want(0, false, l.session.options.Groups...)
	case *events.JoinedGroup:
		if l.t.listed(evt.JID) {
			l.lists.want(listPause, true, evt.JID.String())
		}
	case *events.Disconnected:
		l.lists.later()
		l.link.disconnected(interrupted)
	case *events.KeepAliveTimeout:
		l.link.unanswered(evt.LastSuccess)
	case *events.KeepAliveRestored:
		l.link.answered()
	default:
		if e, is := endingOf(evt, l.session.options.Now()); is {
			l.link.end(e)
		}
	}
}

// ask puts a request into c, unless one is there already.
func ask(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// undecryptable says in plain words why a message could not be read.
func undecryptable(evt *events.UndecryptableMessage) string {
	switch {
	case evt.IsUnavailable:
		return "WhatsApp delivered it without its content"
	case evt.DecryptFailMode == events.DecryptFailHide:
		return "it could not be decrypted (a reaction, a vote, an edit or the like)"
	}
	return "it could not be decrypted"
}
