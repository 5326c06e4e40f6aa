package letter

import (
	"testing"
	"time"
)

// The clerk reads what to do about a phone that nobody uses, while there is time.
func TestPhoneNotInUse(t *testing.T) {
	r := weekly{Digest: Digest{PhoneMissed: time.Date(2026, 12, 18, 16, 30, 0, 0, time.UTC)}}
	const want = "It has not been seen since Friday 18 December 2026 at 16:30. Please have WhatsApp opened on it: after about 14 days WhatsApp unlinks this system, " +
		"and nothing is recorded until it is linked again."
	if all := r.linkMatters(); len(all) != 1 || all[0].Value != want {
		t.Errorf("%+v", all)
	}
	if all := new(weekly).linkMatters(); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}
