package content

import (
	"math"

	"go.mau.fi/whatsmeow/proto/waE2E"

	"muniment/internal/record"
)

func (r *reading) location(m *waE2E.LocationMessage) bool {
	words := append(r.place(m), m.GetComment())
	if m.GetIsLive() {
		return r.says(record.LiveLocation, words...)
	}
	return r.says(record.Location, words...)
}

// place reads a place and returns its words.
func (r *reading) place(m *waE2E.LocationMessage) []string {
	name, address := OneLine(m.GetName()), OneLine(m.GetAddress())
	r.at(m.GetDegreesLatitude(), m.GetDegreesLongitude(), record.Place{Accuracy: int(m.GetAccuracyInMeters()), Name: name, Address: address})
	return []string{name, address}
}

// liveLocation reads where somebody was when they began to share where they are. What
// follows does not reach linked devices.
func (r *reading) liveLocation(m *waE2E.LiveLocationMessage) bool {
	r.at(m.GetDegreesLatitude(), m.GetDegreesLongitude(), record.Place{Accuracy: int(m.GetAccuracyInMeters())})
	return r.says(record.LiveLocation, m.GetCaption())
}

// at notes a place, if it is one on this earth, or has a name at least.
func (r *reading) at(latitude, longitude float64, p record.Place) {
	if math.Abs(latitude) <= 90 && math.Abs(longitude) <= 180 {
		p.Latitude, p.Longitude = latitude, longitude
	}
	if p != (record.Place{Accuracy: p.Accuracy}) {
		r.details.Place = &p
	}
}
