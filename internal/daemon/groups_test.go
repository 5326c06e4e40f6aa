package daemon_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"muniment/internal/archive"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/standin"
)

// twoGroups is a town with a group of the officers besides the first, which marks with the
// same emoji: there the officers mark, here the councillors.
type twoGroups struct {
	*town
	officers *standin.Group
	jo, oz   *standin.Member // the clerk and an officer; both are in both groups
}

const officersConfig = `
[[group]]
jid = %q
name = "Cranford officers"
purpose = "Rotas and absences."
every_councillor = false
conversations_to = "office@cranford-pc.example"
[group.notice]
version = "officers 1"
given_on = 2026-09-02
method = "By hand"
[group.mark.important]
roles = ["clerk", "officer"]
[group.mark.hold]
emoji = ["🧊"]
`

func foundTwo(t *testing.T) twoGroups {
	t.Helper()
	w := twoGroups{town: found(t)}
	w.jo = w.server.Member("Jo", "+447700900103")
	w.oz = w.server.Member("Oz", "+447700900104")
	w.phone.In(w.official).Adds(w.jo, w.oz)
	w.officers = w.server.Group("Office chat", w.phone, w.jo, w.oz, w.ann)
	b, err := os.ReadFile(w.path("muniment.toml"))
	w.must(err)
	second := strings.Replace(officersConfig, "%q", `"`+w.officers.JID().String()+`"`, 1)
	w.must(os.WriteFile(w.path("muniment.toml"), append(b, second...), 0o600))
	w.edit("[conversation]", "[mark.important]\nroles = [\"councillor\"]\n[conversation]")
	w.archive(func(db *sqlite.DB) error {
		return db.Write(t.Context(), func(tx *sqlite.Tx) error {
			for _, m := range []struct{ name, role, number string }{{"Jo Hall", "clerk", "07700 900103"}, {"Oz Hart", "officer", "07700 900104"}} {
				a, err := people.ParseNumber(m.number)
				if err != nil {
					return err
				}
				if err := people.AddMember(tx, time.Now(), "the test", "", people.Member{Name: m.name, Role: m.role}, a); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return w
}

// Two groups with people in both, at the same time, and a third that is nobody's
// business: each has its own rules and its own mailbox, and nothing of one shows in what
// is sent of another.
func TestGroupsAreNeverMixed(t *testing.T) {
	w := foundTwo(t)
	stop := w.run()
	defer stop()
	third := w.server.Group("Bell ringers", w.phone, w.ann, w.oz)

	lane := w.ann.In(w.official).Says("The lane is under water.")
	rota := w.oz.In(w.officers).Says("I am off on Thursday.")
	w.bo.In(w.official).Replies(lane, "I have put the signs out.")
	w.jo.In(w.officers).Replies(rota, "Then I shall do the post.")
	practice := w.ann.In(third).Says("Practice is in the tower.")
	w.oz.In(third).Reacts(practice, "📌")

	w.jo.In(w.official).Reacts(lane, "📌")  // the clerk marks among the officers only
	w.ann.In(w.officers).Reacts(rota, "📌") // a councillor does not mark there
	w.must(w.server.WaitSettled(w.soon()))
	w.owed(0)

	// From one group, a message of the other is none that is here.
	w.oz.In(w.officers).Sends(&waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{
		Key: lane.Key(w.oz), Text: proto.String("📌"), SenderTimestampMS: proto.Int64(time.Now().UnixMilli())}})
	w.bo.In(w.official).Reacts(lane, "📌")
	w.oz.In(w.officers).Reacts(rota, "📌")
	w.must(w.server.WaitSettled(w.soon()))
	letters := w.to(2)
	tells(t, letters["council@cranford-pc.example"], "The lane is under water", "signs out", "Cranford councillors")
	tellsNot(t, letters["council@cranford-pc.example"], "Thursday", "the post", "Cranford officers", "Practice")
	tells(t, letters["office@cranford-pc.example"], "off on Thursday", "do the post", "Cranford officers")
	tellsNot(t, letters["office@cranford-pc.example"], "under water", "signs", "Cranford councillors", "Practice")

	w.oz.In(w.officers).Edits(rota, "I am off on Friday.")
	w.must(w.server.WaitSettled(w.soon()))
	correction := w.emailed(3)[2]
	if header(t, correction, "To") != "<office@cranford-pc.example>" {
		t.Errorf("the correction is to %s", header(t, correction, "To"))
	}
	tells(t, plain(correction), "off on Friday", "Cranford officers")
	tellsNot(t, plain(correction), "under water", "Cranford councillors")

	w.jo.In(w.officers).Reacts(rota, "🛑")
	w.jo.In(w.official).Reacts(lane, "🧊")
	w.must(w.server.WaitSettled(w.soon()))
	w.holds()
	w.jo.In(w.officers).Reacts(rota, "🧊")
	w.must(w.server.WaitSettled(w.soon()))
	w.holds("Cranford officers")
	stop()

	w.rosters(map[string]int{w.official.JID().String(): 6, w.officers.JID().String(): 4})
	w.groupsOf(map[string]string{lane.ID(): w.official.JID().String(), rota.ID(): w.officers.JID().String()})
	w.nothingOf("Practice is in the tower", "Bell ringers")
	for _, name := range []string{"Cranford", "Office", "officers"} {
		if strings.Contains(w.log.String(), name) {
			t.Errorf("the log holds %q", name)
		}
	}
	w.accounted()
	w.verifies()
	w.onlyReceives()
}

// owed checks how many conversations are owed.
func (w twoGroups) owed(want int) {
	w.t.Helper()
	w.read(func(tx *sqlite.Tx) error {
		var n int
		err := tx.QueryRow("SELECT count(*) FROM email WHERE kind <> 'alert'").Scan(&n)
		if n != want {
			w.t.Errorf("%d emails are owed; want %d", n, want)
		}
		return err
	})
}

// to waits for n emails and returns them by recipient.
func (w twoGroups) to(n int) map[string]string {
	w.t.Helper()
	by := make(map[string]string)
	for _, raw := range w.emailed(n) {
		to := strings.Trim(header(w.t.(*testing.T), raw, "To"), "<>")
		if by[to] != "" {
			w.t.Errorf("two emails to %s", to)
		}
		by[to] = plain(raw)
	}
	return by
}

// holds checks in which groups the holds were asked for.
func (w twoGroups) holds(groups ...string) {
	w.t.Helper()
	w.read(func(tx *sqlite.Tx) error {
		all, err := archive.Holds(tx)
		if len(all) != len(groups) {
			w.t.Errorf("holds: %+v; want %d", all, len(groups))
			return err
		}
		for i, h := range all {
			if !strings.HasSuffix(h.Reason, "in “"+groups[i]+"”") {
				w.t.Errorf("hold for %q; want one of %q", h.Reason, groups[i])
			}
		}
		return err
	})
}

// rosters checks how many people are in each group, and that no other group is known.
func (w twoGroups) rosters(want map[string]int) {
	w.t.Helper()
	w.read(func(tx *sqlite.Tx) error {
		for _, group := range slices.Sorted(maps.Keys(want)) {
			r, err := archive.RosterAt(tx, group, time.Now())
			if err != nil {
				return err
			}
			if len(r.In) != want[group] {
				w.t.Errorf("%d people are in a group; want %d", len(r.In), want[group])
			}
		}
		var others int
		err := tx.QueryRow("SELECT count(*) FROM participant WHERE group_jid NOT IN (?, ?)", w.official.JID().String(), w.officers.JID().String()).Scan(&others)
		if others != 0 {
			w.t.Errorf("%d participants of groups that are not listed", others)
		}
		return err
	})
}

// groupsOf checks which group the record of a message is of.
func (w twoGroups) groupsOf(want map[string]string) {
	w.t.Helper()
	records := w.records()
	for id, group := range want {
		if rs := records[id]; len(rs) != 1 || rs[0].Group != group {
			w.t.Errorf("record of another group: %+v", rs)
		}
	}
	for _, rs := range records {
		for _, r := range rs {
			if r.Kind == record.Reaction && r.ReplyTo != 0 && r.Group != groupOf(records, r.ReplyTo) {
				w.t.Errorf("record %d is of one group and about a message of another", r.Seq)
			}
		}
	}
}

func groupOf(records map[string][]archive.Record, seq record.Seq) string {
	for _, rs := range records {
		for _, r := range rs {
			if r.Seq == seq {
				return r.Group
			}
		}
	}
	return ""
}

func tells(t *testing.T, text string, words ...string) {
	t.Helper()
	text = strings.Join(strings.Fields(text), " ")
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("the email lacks %q:\n%s", word, text)
		}
	}
}

func tellsNot(t *testing.T, text string, words ...string) {
	t.Helper()
	text = strings.Join(strings.Fields(text), " ")
	for _, word := range words {
		if strings.Contains(text, word) {
			t.Errorf("the email holds %q:\n%s", word, text)
		}
	}
}
