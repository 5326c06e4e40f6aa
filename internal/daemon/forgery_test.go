package daemon_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"muniment/internal/standin"
)

// Whatever a member with an altered app sends, what the others have said, voted and made
// of it stays what it was.
func TestForgeriesChangeNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("does much, and nothing that others of a short run do not")
	}
	w := found(t)
	for _, y := range []*way{{name: "by LID"}, {name: "by number", byNumber: true}} {
		t.Run(y.name, func(t *testing.T) {
			y.found(w)
			w.ann.In(y.group).Adds(w.stranger)
			stop := w.run()
			defer stop()
			o := y.original(w)
			w.must(w.server.WaitSettled(w.soon()))
			w.waitKept()
			before := w.seen(y.group, o.sent)
			forged := o.forge(w.stranger.In(y.group))
			w.must(w.server.WaitSettled(w.soon()))
			stop()

			if diff := cmp.Diff(before, w.seenBy(y.group, o.sent, "Cllr Ann Brook", "Cllr Bo Carter")); diff != "" {
				t.Errorf("changed by forgeries:\n%s", diff)
			}
			for _, s := range w.seen(y.group, forged) {
				switch {
				case s.Kind == "":
					t.Errorf("%s: no record", s.Message)
				case s.Entitled, s.Effective && (s.Kind == "edit" || s.Kind == "deletion"):
					t.Errorf("it counts: %+v", s)
				}
			}
			w.verifies()
			w.accounted()
		})
	}
}

// seenBy is what was seen of some people.
func (w *town) seenBy(g *standin.Group, sent []standin.Sent, members ...string) (all []seen) {
	for _, s := range w.seen(g, sent) {
		for _, member := range members {
			if s.Member == member {
				all = append(all, s)
			}
		}
	}
	return all
}

// originals are what the members themselves have sent.
type originals struct {
	said, photo, poll, vote, event, response, reaction *standin.Message
	sent                                               []standin.Sent
	ann, bo                                            *standin.Member
}

func (y *way) original(w *town) *originals {
	o := &originals{ann: w.ann, bo: w.bo}
	add := func(name string, m *standin.Message) *standin.Message {
		o.sent = append(o.sent, standin.Sent{Name: name, Message: m})
		return m
	}
	ann, bo := w.ann.In(y.group), w.bo.In(y.group)
	o.said = add("text", ann.Says("I am for the bench."))
	o.photo = add("photo", ann.SendsImage([]byte("a bench"), "The bench"))
	o.poll = add("poll", ann.Polls("The bench?", "Yes", "No"))
	o.vote = add("vote", bo.Votes(o.poll, "Yes"))
	o.event = add("event", ann.Plans(&waE2E.EventMessage{Name: proto.String("Unveiling"), StartTime: proto.Int64(corpusBegins.Unix())}))
	o.response = add("response", bo.Responds(o.event, waE2E.EventResponseMessage_GOING, 0))
	o.reaction = add("reaction", bo.Reacts(o.said, "👍"))
	add("sealed reaction", bo.Sealed().Reacts(o.photo, "👍"))
	add("edit", ann.Sealed().Edits(o.said, "I am for the bench, in oak."))
	add("pin", ann.Pins(o.said, time.Hour))
	return o
}

// forge has Zed do to the originals what an altered app can.
func (o *originals) forge(zed standin.Voice) (sent []standin.Sent) {
	add := func(name string, m *standin.Message) { sent = append(sent, standin.Sent{Name: name, Message: m}) }
	altered := zed.Forging()
	asAnn, asBo := altered.Posing(o.ann), altered.Posing(o.bo)
	const against = "I am against the bench."
	cancelled := &waE2E.EventMessage{Name: proto.String("Unveiling"), IsCanceled: proto.Bool(true)}

	add("edit", altered.Edits(o.said, against))
	add("bare edit", altered.EditsBare(o.said, against))
	add("edit of a caption", altered.Edits(o.photo, against))
	add("sealed edit", altered.Sealed().Edits(o.said, against))
	add("bare sealed edit", altered.Sealed().EditsBare(o.said, against))
	add("sealed edit in her name", asAnn.Sealed().Edits(o.said, against))
	add("bare sealed edit in her name", asAnn.Sealed().EditsBare(o.said, against))
	add("poll edited", altered.Repolls(o.poll, "The bin?", "Yes", "No"))
	add("poll edited in her name", asAnn.Repolls(o.poll, "The bin?", "Yes", "No"))
	add("event cancelled", altered.Replans(o.event, cancelled))
	add("event cancelled in her name", asAnn.Replans(o.event, cancelled))
	add("larger photo", altered.SendsLarger(o.photo, []byte("a bin")))
	add("deletion", altered.ForgesDeletion(o.said))
	add("deletion of a vote", altered.ForgesDeletion(o.vote))
	add("deletion of a reaction", altered.ForgesDeletion(o.reaction))
	for _, m := range []*standin.Message{o.photo, o.vote, o.reaction} { // as if they were Zed's own
		key := m.Key(o.ann)
		key.FromMe = proto.Bool(true)
		add("deletion of one's own", zed.Sends(&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Key: key, Type: waE2E.ProtocolMessage_REVOKE.Enum(),
		}}))
		add("edit of one's own", zed.Sends(&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Key: key, Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), EditedMessage: &waE2E.Message{Conversation: proto.String(against)},
		}}))
	}
	add("vote in his name", asBo.Votes(o.poll, "No"))
	add("withdrawal in his name", asBo.Votes(o.poll))
	add("response in his name", asBo.Responds(o.event, waE2E.EventResponseMessage_NOT_GOING, 0))
	add("sealed reaction in his name", asBo.Sealed().Reacts(o.photo, "👎"))
	add("sealed reaction taken back in his name", asBo.Sealed().TakesBack(o.photo))

	// Under the IDs of others.
	zed.Reusing(o.said).Says(against)
	zed.Reusing(o.poll).Polls("The bin?", "Yes", "No")
	zed.Reusing(o.event).Plans(cancelled)
	zed.Reusing(o.vote).Votes(o.poll, "No")
	zed.Reusing(o.response).Responds(o.event, waE2E.EventResponseMessage_NOT_GOING, 0)
	zed.Reusing(o.reaction).Reacts(o.said, "👎")
	zed.Reusing(o.reaction).TakesBack(o.said)
	return sent
}
