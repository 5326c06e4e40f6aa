package record

import (
	"encoding/json"
	"fmt"
	"time"
)

// Details are what a record says besides its text, in fields. Which are set depends on
// its type. Times are UTC; words are in one line, but for descriptions and for the options
// of polls, which are as typed. They are part of the record as captured, and so are the
// names of the fields: what was written once must be read for ever.
type Details struct {
	Forwarded int   `json:"forwarded,omitempty"` // it was forwarded so many times, 5 for many
	Expires   int   `json:"expires,omitempty"`   // seconds after which it disappears from phones
	Edited    bool  `json:"edited,omitempty"`    // an export, or the phone, has it only as it was edited
	Seconds   int   `json:"seconds,omitempty"`   // of a video or a recording
	Pages     int   `json:"pages,omitempty"`     // of a document
	Link      *Link `json:"link,omitempty"`

	// Part says what the message is of the one that Target names: [PartOfAlbum],
	// [LargerCopy] and so on; empty if it is none.
	Part   string `json:"part,omitempty"`
	Photos int    `json:"photos,omitempty"` // that an album announces
	Videos int    `json:"videos,omitempty"`

	Place    *Place     `json:"place,omitempty"`
	Contacts []Card     `json:"contacts,omitempty"`
	Poll     *Ballot    `json:"poll,omitempty"`
	Chosen   []string   `json:"chosen,omitempty"`  // of a vote: the options; of a choice: what was chosen
	Unknown  int        `json:"unknown,omitempty"` // of a vote: how many more options it is for, whose names are not here
	Tally    []Count    `json:"tally,omitempty"`   // of a poll's result, or of a poll in an export
	Event    *Gathering `json:"event,omitempty"`
	Guests   int        `json:"guests,omitempty"`           // whom somebody brings to an event
	Until    *time.Time `json:"until,omitempty"`            // of a pin or an invitation: when it ends
	Offers   []string   `json:"offers,omitempty"`           // of a menu: what can be chosen
	Amount   string     `json:"amount,omitempty"`           // of a payment or order: "12.50 GBP"
	Called   string     `json:"called,omitempty"`           // of a call, an invitation or a payment, what WhatsApp says of it: "video, missed", "group", "request"
	Once     Type       `json:"once,omitempty"`             // of what could be viewed once: of which type it was, as far as WhatsApp says
	Shared   int        `json:"shared,omitempty"`           // of a history: how many earlier messages
	Reason   string     `json:"reason,omitempty"`           // of a change of participants: "invite" for an invite link, or as WhatsApp says
	Version  string     `json:"previous_version,omitempty"` // of the participant list, before the change

	// Settings are how a group was set up when WhatsApp gave the list of who is present,
	// by the type of the record that would say so, which has the value as its text.
	Settings map[Type]string `json:"settings,omitempty"`
}

// What a message can be of another; see [Details.Part].
const (
	PartOfAlbum   = "album"
	LargerCopy    = "larger copy"
	OtherCopy     = "other copy"     // the same in another format
	MovingCopy    = "moving copy"    // of a photo, the moment that it was taken
	CoverPicture  = "cover picture"  // of an event
	OptionPicture = "option picture" // of an option of a poll
)

// Link is the preview of a page, made by the sender's app.
type Link struct {
	URL         string `json:"url"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
}

// Place is a place on a map. Latitude and longitude are 0 if it has only a name.
type Place struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Accuracy  int     `json:"accuracy,omitempty"` // metres
	Name      string  `json:"name,omitempty"`
	Address   string  `json:"address,omitempty"`
}

// Card is a contact card, as its sender wrote it.
type Card struct {
	Name         string   `json:"name"`
	Organisation string   `json:"organisation,omitempty"`
	Numbers      []string `json:"numbers,omitempty"`
	Emails       []string `json:"emails,omitempty"`
}

// Ballot is what can be voted on in a poll.
type Ballot struct {
	Question string     `json:"question"`
	Options  []string   `json:"options"`
	Choose   int        `json:"choose,omitempty"` // how many at most; 0: any number
	Quiz     bool       `json:"quiz,omitempty"`
	Correct  string     `json:"correct,omitempty"` // of a quiz, if the message says
	Adding   bool       `json:"adding,omitempty"`  // members may add options
	Secret   bool       `json:"secret,omitempty"`  // who voted for what is not shown on phones
	Ends     *time.Time `json:"ends,omitempty"`
}

// Count is an option in a poll's result.
type Count struct {
	Option string `json:"option"`
	Votes  int    `json:"votes"`
}

// Gathering is an event to which people are asked.
type Gathering struct {
	Name        string     `json:"name"`
	Description string     `json:"description,omitempty"`
	Starts      *time.Time `json:"starts,omitempty"`
	Ends        *time.Time `json:"ends,omitempty"`
	Link        string     `json:"link,omitempty"` // to take part in a call
	Cancelled   bool       `json:"cancelled,omitempty"`
	Guests      bool       `json:"guests,omitempty"` // may be brought
}

// Encode writes d as it is kept: JSON, or nothing if nothing is set.
func (d Details) Encode() string {
	b, err := json.Marshal(d)
	if err != nil { // a place at NaN
		if d.Place != nil {
			d.Place = nil
			return d.Encode()
		}
		panic(fmt.Sprintf("record: %v", err)) // a year above 9999: who reads it sees to that
	}
	if string(b) == "{}" {
		return ""
	}
	return string(b)
}

// ParseDetails reads what [Details.Encode] wrote. Fields that a later version added are
// left out.
func ParseDetails(s string) (d Details, err error) {
	if s == "" {
		return d, nil
	}
	if err := json.Unmarshal([]byte(s), &d); err != nil {
		return Details{}, fmt.Errorf("details of a record: %w", err)
	}
	return d, nil
}
