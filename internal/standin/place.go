package standin

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

// SendsPlace makes the member send a place on the map; name and address may be empty.
func (v Voice) SendsPlace(latitude, longitude float64, name, address string) *Message {
	return v.Sends(&waE2E.Message{LocationMessage: &waE2E.LocationMessage{
		DegreesLatitude: proto.Float64(latitude), DegreesLongitude: proto.Float64(longitude), Name: text(name), Address: text(address),
	}})
}

// SharesPlace makes the member share where they are, for others to follow.
func (v Voice) SharesPlace(latitude, longitude float64, caption string) *Message {
	return v.Sends(&waE2E.Message{LiveLocationMessage: &waE2E.LiveLocationMessage{
		DegreesLatitude: proto.Float64(latitude), DegreesLongitude: proto.Float64(longitude), AccuracyInMeters: proto.Uint32(12),
		Caption: text(caption), SequenceNumber: proto.Int64(1),
	}})
}

// A Card is somebody's contact card.
type Card struct {
	Name  string
	VCard string
}

// SendsCards makes the member send contact cards: one by itself, or several together.
func (v Voice) SendsCards(cards ...Card) *Message {
	var contacts []*waE2E.ContactMessage
	for _, c := range cards {
		contacts = append(contacts, &waE2E.ContactMessage{DisplayName: proto.String(c.Name), Vcard: proto.String(c.VCard)})
	}
	if len(contacts) == 1 {
		return v.Sends(&waE2E.Message{ContactMessage: contacts[0]})
	}
	return v.Sends(&waE2E.Message{ContactsArrayMessage: &waE2E.ContactsArrayMessage{
		DisplayName: proto.String(cards[0].Name + " and others"), Contacts: contacts,
	}})
}
