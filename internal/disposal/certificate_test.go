package disposal

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/mail"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
	"muniment/internal/verify"
)

// As long as a backup holds what was destroyed, the certificate is interim. The night after
// the last has gone, the final one follows: once, with the same facts.
func TestInterimUntilTheLastBackupHasGone(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	c := newCouncil(t)
	left := Backups{Left: 2, Never: true}
	var asked time.Time
	c.d.Backups = func(_ *sqlite.Tx, before time.Time) (Backups, error) { asked = before; return left, nil }
	c.says(ann, "3EB0AAAAAAAAAAAAAAAA", culvert)
	c.nightsUntil("2032-03-03")
	first := c.certified(1)
	if first.Status != Interim || first.Backups != (CertifiedBackups{Configured: true, Left: 2, Never: true}) {
		t.Errorf("the first certificate is %s: %+v", first.Status, first.Backups)
	}
	if !asked.Equal(first.SearchedAt) {
		t.Errorf("asked for backups made before %v; the files were clean at %v", asked, first.SearchedAt)
	}
	left = Backups{Left: 1, Gone: "2032-04-07"}
	c.nightsUntil("2032-03-10")
	left = Backups{Never: true} // which cannot be, and if it were, nothing would be known
	c.nightsUntil("2032-03-12")
	left = Backups{}
	c.restarts()
	c.nightsUntil("2032-04-05") // no backups are configured any more: those there were may still be there
	c.expectLetters("disposal notice 1", "disposal certificate 1")
	c.d.Backups = func(*sqlite.Tx, time.Time) (Backups, error) { return left, nil }
	c.nightsUntil("2032-04-09")
	c.expectLetters("disposal notice 1", "disposal certificate 1", "final disposal certificate 1")
	final := c.certified(1)
	if final.Status != Final || final.Backups != (CertifiedBackups{Configured: true}) || !final.Issued.After(first.Issued) || final.Leaf <= first.Leaf {
		t.Errorf("the last certificate is %s of %v at leaf %d: %+v", final.Status, final.Issued, final.Leaf, final.Backups)
	}
	if n := c.journaled(journal.FinalCertificate); n != 1 {
		t.Errorf("%d final certificates", n)
	}
	same := func(c Certificate) string {
		c.Status, c.Issued, c.Backups, c.Leaf = "", time.Time{}, CertifiedBackups{}, 0
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if same(first) != same(final) {
		t.Errorf("first\n%s\nand in the end\n%s", same(first), same(final))
	}
	c.write(func(tx *sqlite.Tx) error {
		again, err := FirstCertificate(tx, 1)
		if again.Status != Interim {
			t.Errorf("the first certificate is now %s", again.Status)
		}
		return err
	})
	c.expectVerified()
}

// Who has a certificate can have it compared: nothing in it can be changed unseen, nor can
// it be passed off for another.
func TestACertificateIsChecked(t *testing.T) {
	c := newCouncil(t)
	c.d.Issuer.Council = "Ashby & <Barton> Parish Council" // which JSON for web pages would write otherwise
	backups := Backups{Left: 1}
	c.d.Backups = func(*sqlite.Tx, time.Time) (Backups, error) { return backups, nil }
	c.says(ann, "A1", culvert)
	c.says(ann, "A2", fence)
	c.captures(record.Received{Kind: record.Message, Type: record.Text, Sender: bo, ID: "B1", Text: fence, Sent: said.AddDate(0, 0, 1)})
	c.nightsUntil("2032-03-03")
	interim := c.given(1)
	backups = Backups{}
	c.nightsUntil("2032-03-10")
	given, other := c.given(1), c.given(2)
	for name, good := range map[string]string{"interim": interim, "final": given, "in one line": strings.ReplaceAll(given, "\n", "")} {
		if faults := c.checked(good); len(faults) > 0 {
			t.Errorf("%s: %q", name, faults)
		}
	}
	for _, tt := range []struct{ name, old, new, fault string }{
		{"a number of records", `"records_searched_for": 2`, `"records_searched_for": 3`, "altered after it was signed"},
		{"its status", `"status": "final"`, `"status": "interim"`, "altered after it was signed"},
		{"a date", `"sent_on": "2026-03-02"`, `"sent_on": "2025-03-02"`, "of record 1 the archive says something else"},
		{"its place", `"leaf": `, `"leaf": 1`, "the journal does not commit to it"},
		{"its signature", `sha256 `, `sha256 A`, "its signature is not"},
		{"its checkpoint", `"checkpoint": "example`, `"checkpoint": "Example`, "its checkpoint is not"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			altered := strings.Replace(given, tt.old, tt.new, 1)
			if altered == given {
				t.Fatalf("%q is not in\n%s", tt.old, given)
			}
			if faults := c.checked(altered); !strings.Contains(strings.Join(faults, "\n"), tt.fault) {
				t.Errorf("faults: %q; want %q", faults, tt.fault)
			}
		})
	}
	note := func(s string) string { return s[strings.Index(s, `  "note"`):] }
	if faults := c.checked(strings.Replace(given, note(given), note(other), 1)); len(faults) == 0 {
		t.Error("it was taken with another's signature")
	}
	if err := c.db.Read(context.Background(), func(tx *sqlite.Tx) error { _, err := Check(tx, c.key, []byte("{}")); return err }); err == nil {
		t.Error("an empty one was taken")
	}
	r, err := verify.Run(context.Background(), c.db, c.key, verify.With{Checkpoints: []string{c.certified(1).Checkpoint}})
	if err != nil || !r.OK() {
		t.Errorf("its checkpoint: %v, %q", err, r.Faults)
	}
}

// given is a certificate as it is given out.
func (c *council) given(run int64) string {
	c.Helper()
	b, err := c.certified(run).Document()
	if err != nil {
		c.Fatal(err)
	}
	return string(b)
}

func (c *council) checked(given string) (faults []string) {
	c.Helper()
	c.write(func(tx *sqlite.Tx) error {
		checked, err := Check(tx, c.key, []byte(given))
		faults = checked.Faults
		return err
	})
	return faults
}

// What of a list is kept is told with its reason, and by which holds.
func TestWhatWasNotDestroyed(t *testing.T) {
	c := newCouncil(t)
	for _, id := range []string{"A1", "A2", "A3", "A4"} {
		c.says(ann, id, culvert)
	}
	c.nightsUntil("2032-02-20")
	hold := func(reason string, seq record.Seq) (id int64) {
		c.write(func(tx *sqlite.Tx) (err error) {
			id, err = archive.PlaceHold(tx, c.now, "Jane Clerk", reason, "", archive.Cover{Scope: archive.Records, Records: []record.Seq{seq}})
			return err
		})
		return id
	}
	hold("a request", 1)
	c.releases(hold("a claim", 2))
	c.nightsUntil("2032-03-03")
	if cert := c.certified(1); len(cert.Destroyed) != 2 || cert.Kept != 2 || cert.TakenOff != 1 || cert.NotDue != 0 || len(cert.Holds) != 2 {
		t.Errorf("destroyed %d, kept %d, taken off %d, not due %d, holds %v", len(cert.Destroyed), cert.Kept, cert.TakenOff, cert.NotDue, cert.Holds)
	}
}

// Who approved stands on the certificate, and on no stub.
func TestTheApproverIsNamed(t *testing.T) {
	c := newCouncil(t)
	c.d.Policy.Approval = Each
	c.says(ann, "A1", culvert)
	c.nightsUntil("2032-02-10")
	c.approves(1)
	c.nightsUntil("2032-03-03")
	cert := c.certified(1)
	if cert.ApprovedBy != "Jane Clerk" || cert.Approver != "clerk" || retention.DateOf(cert.Approved) != "2032-02-10" {
		t.Errorf("approved by %q, %s, at %v", cert.ApprovedBy, cert.Approver, cert.Approved)
	}
	if _, err := c.certificate(2); !errors.Is(err, ErrNoCertificate) {
		t.Errorf("of no run: %v", err)
	}
}

// An email is listed if somebody has it, or may have it.
func TestWhoMayHaveAnEmail(t *testing.T) {
	early, late := said, said.Add(time.Hour)
	for _, tt := range []struct {
		name    string
		to      []mail.Recipient
		at      time.Time
		certain bool
	}{
		{"nobody", []mail.Recipient{{State: mail.Refused, LastAttempt: late, FinishedAt: late}, {State: mail.Cancelled}}, time.Time{}, false},
		{"one has it, another was refused", []mail.Recipient{{State: mail.HandedOver, FinishedAt: early}, {State: mail.Refused, FinishedAt: late}}, early, true},
		{"both have it", []mail.Recipient{{State: mail.HandedOver, FinishedAt: late}, {State: mail.HandedOver, FinishedAt: early}}, late, true},
		{"given up, but it may have arrived", []mail.Recipient{{State: mail.Expired, MayHaveIt: true, LastAttempt: early, FinishedAt: late}}, early, false},
		{"not known yet", []mail.Recipient{{State: mail.Unknown, LastAttempt: late}}, late, false},
		{"one may, one has it", []mail.Recipient{{State: mail.Unknown, LastAttempt: late}, {State: mail.HandedOver, FinishedAt: early}}, early, true},
	} {
		if at, certain := reached(mail.Item{Recipients: tt.to}); !at.Equal(tt.at) || certain != tt.certain {
			t.Errorf("%s: at %v, certain: %v", tt.name, at, certain)
		}
	}
}
