package letter

import (
	"strings"
	"testing"
	"time"

	"muniment/internal/forward"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

// A fair is a conversation in which one of each kind is sent, in the group's last hour
// before a fair.
type fair struct {
	*council
	dir         string // of the vault
	poll, event said
	end         time.Time
}

// to is what somebody does to a message.
func (c *council) to(p person, when time.Time, of said, k record.Kind, t record.Type, text string, d record.Details) said {
	c.t.Helper()
	return c.did(p, when, record.Received{Kind: k, Type: t, Target: &of.Ref, Text: text, Details: d.Encode()})
}

func allKinds(t *testing.T) fair {
	f := fair{council: newCouncil(t), dir: t.TempDir()}
	when := at("2026-11-17 18:00")
	next := func() time.Time { when = when.Add(time.Minute); return when }
	say := func(p person, t record.Type, text string, d record.Details) said {
		return f.did(p, next(), record.Received{Kind: record.Message, Type: t, Text: text, Details: d.Encode()})
	}
	moment := func(s string) *time.Time { m := at(s).UTC(); return &m }
	week := 7 * 24 * 3600

	f.did(bo, next(), record.Received{Kind: record.Message, Type: record.Text, Text: "The fair is on the green again.", Import: 1})
	f.did(bo, next(), record.Received{Kind: record.Message, Type: record.Poll, Text: "Shall we go?\nYes\nNo", Import: 1,
		Details: record.Details{Poll: &record.Ballot{Question: "Shall we go?", Options: []string{"Yes", "No"}},
			Tally: []record.Count{{Option: "Yes", Votes: 2}, {Option: "No", Votes: 0}}}.Encode()})
	marked := say(ann, record.Text, "All that there is for the fair, please. See https://fair.example/plan", record.Details{
		Link: &record.Link{URL: "https://fair.example/plan", Title: "Plan of the green"}, Expires: week})
	say(dee, record.Text, "Rain is forecast!", record.Details{Forwarded: 5, Expires: week})
	photo := f.keepsFile(f.dir, bo, next(), record.Image, "", "image/jpeg", fixture(t, "lane.jpg"))
	f.to(bo, next(), photo, record.Message, record.Image, "", record.Details{Part: record.LargerCopy})
	album := say(bo, record.Album, "", record.Details{Photos: 2, Videos: 1})
	f.to(bo, next(), album, record.Message, record.Image, "The tombola", record.Details{Part: record.PartOfAlbum})
	for _, sent := range []struct {
		t       record.Type
		name    string
		text    string
		d       record.Details
		because string // it is lost
	}{
		{record.Video, "", "The band", record.Details{Seconds: 65}, "WhatsApp no longer has it"},
		{record.GIF, "", "", record.Details{Seconds: 3}, "WhatsApp no longer has it"},
		{record.VideoNote, "", "", record.Details{Seconds: 20}, "WhatsApp no longer has it"},
		{record.Voice, "", "", record.Details{Seconds: 42}, "it could not be fetched for 30 days"},
		{record.Audio, "", "", record.Details{Seconds: 3725}, "WhatsApp no longer has it"},
		{record.Sticker, "", "", record.Details{}, "WhatsApp no longer has it"},
	} {
		s := f.brings(sam, next(), sent.t, sent.name, sent.text, sent.d)
		f.fetched(s, when, vault.Lost, sent.because, 51_200)
	}
	f.keepsFile(f.dir, jo, next(), record.Document, "Risk assessment.pdf", "application/pdf", []byte("%PDF-1.4\nRisks.\n%%EOF\n"))
	say(sam, record.ViewOnce, "", record.Details{})
	say(dee, record.Contact, "Joe Bloggs\nBloggs Marquees", record.Details{Contacts: []record.Card{
		{Name: "Joe Bloggs", Organisation: "Bloggs Marquees", Numbers: []string{"020 7946 0000"}, Emails: []string{"joe@marquees.example"}},
		{Name: "Ann", Numbers: []string{"+44 7700 900101"}}}})
	say(bo, record.Location, "Mill Lane\nCranford", record.Details{Place: &record.Place{Latitude: 51.50735, Longitude: -0.12776, Name: "Mill Lane", Address: "Cranford"}})
	say(bo, record.LiveLocation, "With the van", record.Details{Place: &record.Place{Latitude: 51.5, Longitude: -0.1, Accuracy: 20}})

	f.poll = say(ann, record.Poll, "When do we put up the tents?\nFriday\nSaturday", record.Details{Poll: &record.Ballot{
		Question: "When do we put up the tents?", Options: []string{"Friday", "Saturday"}, Choose: 1, Adding: true}})
	vote := func(p person, chosen ...string) {
		f.to(p, next(), f.poll, record.Vote, record.Cast, "", record.Details{Chosen: chosen})
	}
	vote(bo, "Friday")
	vote(dee, "Saturday")
	vote(bo, "Saturday") // changed
	vote(jo, "Friday")
	f.to(jo, next(), f.poll, record.Vote, record.Withdrawn, "", record.Details{})
	f.to(sam, next(), f.poll, record.Option, record.OptionAdded, "Never", record.Details{})
	vote(sam, "Never")
	f.to(pat, next(), f.poll, record.Vote, record.Cast, "", record.Details{Unknown: 1})
	f.to(ann, next(), f.poll, record.Vote, record.Sealed, "", record.Details{})
	secret := say(dee, record.Poll, "", record.Details{Poll: &record.Ballot{
		Question: "Who should open it?", Options: []string{"Mrs Green", "The vicar", "Nobody"}, Choose: 2, Secret: true}})
	f.to(bo, next(), secret, record.Vote, record.Cast, "", record.Details{Chosen: []string{"Mrs Green", "Nobody"}})
	f.to(jo, next(), secret, record.Vote, record.Cast, "", record.Details{Chosen: []string{"Mrs Green"}})
	say(sam, record.Poll, "", record.Details{Poll: &record.Ballot{Question: "How old is the fair?", Options: []string{"100 years", "70 years"}, Quiz: true, Correct: "70 years"}})
	say(ann, record.PollResult, "", record.Details{Poll: &record.Ballot{Question: "Last year’s poll"}, Tally: []record.Count{{Option: "Friday", Votes: 4}, {Option: "Saturday", Votes: 1}}})

	f.event = say(jo, record.Event, "Fair", record.Details{Place: &record.Place{Latitude: 51.5, Longitude: -0.1, Name: "The green"},
		Event: &record.Gathering{Name: "Fair", Description: "Bring a chair.", Starts: moment("2026-12-05 14:00"), Ends: moment("2026-12-05 17:30"), Guests: true}})
	f.to(ann, next(), f.event, record.Response, record.Maybe, "", record.Details{})
	f.to(ann, next(), f.event, record.Response, record.Going, "", record.Details{Guests: 2})
	f.to(bo, next(), f.event, record.Response, record.Going, "", record.Details{})
	f.to(sam, next(), f.event, record.Response, record.NotGoing, "", record.Details{})
	f.to(ann, next(), marked, record.Pin, record.Pinned, "", record.Details{Until: moment("2026-12-05 18:00")})
	f.to(dee, next(), marked, record.Keep, record.KeptInChat, "", record.Details{})
	f.to(bo, next(), f.poll, record.Pin, record.Pinned, "", record.Details{})
	f.to(jo, next(), f.poll, record.Pin, record.Unpinned, "", record.Details{})

	say(dee, record.Invite, "Cranford Fair helpers", record.Details{Called: "group"})
	f.to(bo, next(), marked, record.Message, record.Comment, "I have the keys.", record.Details{})
	say(sam, record.Menu, "What do you hire?", record.Details{Offers: []string{"Tents", "Chairs"}})
	say(sam, record.Choice, "Chairs", record.Details{Chosen: []string{"Chairs"}})
	say(bo, record.Payment, "For the chairs", record.Details{Amount: "80.00 GBP"})
	say(ann, record.Call, "", record.Details{Called: "video", Seconds: 720})
	say(ann, record.History, "", record.Details{})
	f.did(pat, next(), record.Received{Kind: record.Unsupported, Type: "holographicMessage"})
	f.to(dee, next(), marked, record.Message, record.Sealed, "", record.Details{})
	last := f.did(jo, next(), record.Received{Kind: record.Message, Type: record.Text, Text: "That is all, I think.", Supplied: true,
		Details: record.Details{Expires: week}.Encode()})
	f.to(jo, next(), last, record.Edit, record.Sealed, "", record.Details{})
	f.reacts(bo, next(), f.poll, "👍")
	f.did(bo, next(), record.Received{Kind: record.Reaction, Type: record.ReactionAdded, Emoji: "📌", Target: &marked.Ref})
	f.end = when.Add(3 * time.Minute)
	return f
}

// What people read of one of each kind. Look at the HTML when it has changed.
func TestConversationOfEveryKind(t *testing.T) {
	f := allKinds(t)
	conversation := f.settled(1)
	msg := f.letter(f.withFiles(f.dir), header("conversation.1", f.end), conversation)
	golden(t, "conversation-kinds", msg)

	// What happens after its date does not change a letter.
	f.to(ann, f.end.Add(time.Hour), f.poll, record.Vote, record.Cast, "", record.Details{Chosen: []string{"Friday"}})
	f.to(dee, f.end.Add(time.Hour), f.event, record.Response, record.Going, "", record.Details{})
	f.to(dee, f.end.Add(time.Hour), f.poll, record.Pin, record.Pinned, "", record.Details{})
	if again := f.letter(f.withFiles(f.dir), header("conversation.1", f.end), conversation); string(again) != string(msg) {
		t.Error("a vote after its date has changed the letter")
	}
}

// A poll and an event that were edited are shown before and after, with the votes.
func TestCorrectionOfAPollAndAnEvent(t *testing.T) {
	f := allKinds(t)
	conversation := f.settled(1)
	later := f.end.Add(time.Hour)
	f.to(ann, later, f.poll, record.Edit, record.Poll, "When do we put up the tents?\nThursday\nSaturday", record.Details{Poll: &record.Ballot{
		Question: "When do we put up the tents?", Options: []string{"Thursday", "Saturday"}, Choose: 1}})
	starts := at("2026-12-06 14:00").UTC()
	f.to(jo, later, f.event, record.Edit, record.Event, "Fair", record.Details{Event: &record.Gathering{Name: "Fair", Starts: &starts, Cancelled: true}})
	var msg []byte
	if err := f.db.Read(t.Context(), func(tx *sqlite.Tx) (err error) {
		msg, err = writer().Correction(tx, header("correction.1", later.Add(time.Hour)), forward.Correction{ID: 1, Conversation: conversation, Since: f.end})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	golden(t, "correction-kinds", msg)
}

// No number by which WhatsApp knows somebody is in any letter of them, though it stood on
// a card.
func TestNumbersOnCardsAreNotInLetters(t *testing.T) {
	f := allKinds(t)
	text := parse(t, f.letter(f.withFiles(f.dir), header("conversation.1", f.end), f.settled(1))).text
	if strings.Contains(text, "900101") || !strings.Contains(text, "(number not shown)") || !strings.Contains(text, "020 7946 0000") {
		t.Error("the numbers on the card are not as they should be")
	}
}

// Whoever votes, and how often, a poll is told in a bounded space.
func TestAPollOfManyVotes(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	c := newCouncil(t)
	long := strings.Repeat("option ", 2000)
	poll := c.capture(record.Received{Kind: record.Message, Type: record.Poll, Sender: ann.Address, Sent: at("2026-11-17 18:00"),
		Details: record.Details{Poll: &record.Ballot{Question: long, Options: []string{long, "No"}}}.Encode()})
	for i := range 300 {
		p := person{record.Address{JID: strings.Repeat("9", 10) + string(rune('a'+i/26)) + string(rune('a'+i%26)) + "@lid"}, ""}
		c.capture(record.Received{Kind: record.Vote, Type: record.Cast, Sender: p.Address, Sent: at("2026-11-17 18:01"), Target: &poll.Ref,
			Details: record.Details{Chosen: []string{long}}.Encode()})
	}
	c.reacts(ann, at("2026-11-17 18:02"), poll, "📌")
	text := parse(t, c.letter(writer(), header("conversation.1", at("2026-11-17 18:10")), c.settled(1))).text
	if !strings.Contains(strings.Join(strings.Fields(text), " "), "300 votes for “option option") || !strings.Contains(text, "250 others") {
		t.Errorf("the votes are not told:\n%.3000s", text)
	}
	if len(text) > 25_000 {
		t.Errorf("the letter is %d bytes long", len(text))
	}
}

// What the digest says of a week in which one of each kind was sent, in each of its
// contents.
func TestDigestOfEveryKind(t *testing.T) {
	f := allKinds(t)
	f.alive()
	f.to(ann, at("2026-11-18 09:00"), f.poll, record.Edit, record.Poll, "", record.Details{Poll: &record.Ballot{
		Question: "When do we put up the tents?", Options: []string{"Thursday", "Saturday"}, Choose: 1}})
	f.to(jo, at("2026-11-18 09:01"), f.event, record.Deletion, record.ByAuthor, "", record.Details{})
	f.reacts(ann, at("2026-11-18 09:02"), f.poll, "📌")
	for i, change := range []record.Received{
		{Kind: record.Group, Type: record.Subject, Text: "Fair and square"},
		{Kind: record.Group, Type: record.Label, Text: "Clerk"},
		{Kind: record.Group, Type: record.Writers, Text: "admins"},
		{Kind: record.Group, Type: record.Notice, Text: "Jo added Sam", Import: 1},
		{Kind: record.Participants, Type: record.Renumbered, Participants: []record.Participant{{Address: pat.Address}}},
		{Kind: record.Unsupported, Type: "group_of_tomorrow"},
	} {
		f.did(jo, at("2026-11-18 10:00").Add(time.Duration(i)*time.Minute), change)
	}
	d := digested{council: f.council, w: f.withFiles(f.dir), g: Digest{Edition: forward.Weekly(week), Began: at("2020-01-06 09:00"), Content: Extracts, Program: "muniment 0.1.0"}}
	golden(t, "digest-kinds", d.sent())
	d.g.Content = References
	text := parse(t, d.sent()).text
	for _, typed := range []string{"tents", "Saturday,", "Fair and square", "Clerk”", "Joe Bloggs", "Mill Lane", "Jo added", "tombola"} {
		if strings.Contains(text, typed) {
			t.Errorf("a digest of references repeats %q", typed)
		}
	}
}
