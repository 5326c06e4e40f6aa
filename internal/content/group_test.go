package content

import (
	"encoding/json"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/record"
)

// The record that a change makes, with all of its fields; what becomes of each change is
// in the golden file of package whatsapp.
func TestReadChange(t *testing.T) {
	const kept = `{"group":"1@g.us","actor":{"jid":"2@lid","alt":"3@s.whatsapp.net"},"at":1800000000,"version":"9","previous_version":"8",` +
		`"change":{"tag":"promote"},"participants":[{"jid":"4@lid"}]}`
	want := record.Received{
		Kind: record.Participants, Type: record.Promoted, Group: "1@g.us", ID: "group:group_promote:1800000000:" + digest([]byte(kept)),
		Sender: record.Address{JID: "2@lid", Alt: "3@s.whatsapp.net"}, Sent: time.Unix(1800000000, 0).UTC(), Version: "9", Details: `{"previous_version":"8"}`,
		Participants: []record.Participant{{Address: record.Address{JID: "4@lid"}}}, Protobuf: []byte(kept),
	}
	got, err := ReadChange([]byte(kept))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, none := range []string{"", "null", "[]", `{"group":"1@g.us"}`, `{"change":{"tag":"locked"}}`, "\x0a\x02hi"} {
		if _, err := ReadChange([]byte(none)); err == nil {
			t.Errorf("%q is taken for a change", none)
		}
	}
}

// What is kept of a change is read again whatever stands in it, and says the same after
// it has been written anew.
func FuzzReadChange(f *testing.F) {
	for _, s := range []string{
		`{"group":"1@g.us","actor":{"jid":"2@lid"},"at":1,"change":{"tag":"ephemeral","attrs":{"expiration":"86400"}}}`,
		`{"group":"1@g.us","actor":{"jid":"1@g.us"},"at":-1,"change":{"tag":"modify","children":[{"tag":"participant","bytes":"/w=="}]},"participants":[{"jid":"3@lid"}]}`,
		`{"group":"1@g.us","actor":{"jid":"2@lid"},"at":9223372036854775807,"change":{"tag":"A-b:c\n","text":"x"}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ReadChange(b)
		if err != nil {
			return
		}
		if r.Kind == "" || r.Type == "" || !utf8.ValidString(r.Text) || r.Kind == record.Participants && len(r.Participants) == 0 {
			t.Errorf("read as %+v", r)
		}
		var c Change
		if err := json.Unmarshal(b, &c); err != nil {
			t.Fatal(err)
		}
		again, err := ReadChange(c.Encode())
		again.ID, again.Protobuf = r.ID, r.Protobuf
		if diff := cmp.Diff(r, again); diff != "" || err != nil {
			t.Errorf("written and read again, %v:\n%s", err, diff)
		}
	})
}
