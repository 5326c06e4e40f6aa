package archive

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// whatHappens begins with nothing on hold: one asks, another answers with a quotation, a
// third reacts. All is due in 2032.
func whatHappens(t *testing.T) (o *office, asked, answered, reacted record.Seq) {
	o = newOffice(t)
	o.write(func(tx *sqlite.Tx) error {
		return people.AddMember(tx, o.now, "sysadmin", "elected", people.Member{Name: "Ann Brook", Role: "councillor"}, ann)
	})
	asked = o.captures(says(ann, "A1", "is the culvert blocked?")).Seq
	answered = o.captures(quotes(bo, "B1", "since Monday", ann, "A1", "is the culvert blocked?")).Seq
	reacted = o.captures(reacts(bo, "R1", "👍", ann, "A1")).Seq
	return o, asked, answered, reacted
}

// asLetThrough claims that the destroying statement has let a record through.
const asLetThrough = "INSERT INTO destruction (seq, origin) SELECT seq, origin FROM record WHERE seq = 1"

// Nothing but the destroying statement destroys a record, or a quotation, whoever asks and
// however: not a statement that somebody adds to this program one day, nor one typed.
func TestNoOtherWayToDestroy(t *testing.T) {
	const notSo = "by a disposal run and in no other way"
	everything := Cover{Scope: Everything}
	for _, tt := range []struct {
		name  string
		hold  *Cover // what is on hold, if anything
		first string
		then  string
		want  string // the error's words
	}{
		{"deleted", nil, "", "DELETE FROM record WHERE seq = 1", notSo},
		{"all deleted", nil, "", "DELETE FROM record", notSo},
		{"another let through", nil, asLetThrough, "DELETE FROM record WHERE seq = 2", notSo},
		{"replaced by its number", nil, "", replaced("seq", "randomblob(32)", "99"), notSo},
		{"replaced by its origin", nil, "", replaced("99", "origin", "99"), notSo},
		{"replaced by its leaf", nil, "", replaced("99", "randomblob(32)", "leaf"), notSo},
		{"replaced on updating", nil, "", "UPDATE OR REPLACE record SET person = 1, leaf = 3 WHERE seq = 1", "never altered"},
		{"the quotation deleted", nil, "", "DELETE FROM quotation", notSo},
		{"the quotation blanked", nil, "", blanked, notSo},
		{"the quotation blanked by halves", nil, asLetThrough, "UPDATE quotation SET text = NULL", "never altered"},
		{"the quotation rewritten", nil, asLetThrough, "UPDATE quotation SET text = 'the culvert is clear'", "never altered"},
		{"the quotation tied to another message", nil, asLetThrough, "UPDATE quotation SET origin = zeroblob(32)", "never altered"},
		{"the quotation of what is on hold blanked", &Cover{Scope: Records, Records: []record.Seq{2}}, asLetThrough, blanked, "on hold"},
		{"the quotation of what is on hold deleted", &Cover{Scope: Records, Records: []record.Seq{2}},
			"INSERT INTO destruction (seq, origin) SELECT seq, origin FROM record WHERE seq = 2", "DELETE FROM quotation", "on hold"},
		{"let through, and all is on hold", &everything, asLetThrough, "DELETE FROM record WHERE seq = 1", "on hold"},
		{"let through, and its day is on hold", &Cover{Scope: Dates, From: "2026-03-02", Through: "2026-03-02"}, asLetThrough, "DELETE FROM record WHERE seq = 1", "on hold"},
		{"let through, and its sender is on hold", &Cover{Scope: ByMember, Member: 1}, asLetThrough, "DELETE FROM record WHERE seq = 1", "on hold"},
		{"let through, and it is on hold", &Cover{Scope: Records, Records: []record.Seq{1, 2}}, asLetThrough, "DELETE FROM record WHERE seq = 1", "on hold"},
		{"let through, on hold, and replaced", &everything, asLetThrough, replaced("seq", "randomblob(32)", "99"), "on hold"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, _, _, _ := whatHappens(t)
			if tt.hold != nil {
				o.write(func(tx *sqlite.Tx) error {
					_, err := PlaceHold(tx, o.now, "Jane Clerk", "request 7", "", *tt.hold)
					return err
				})
			}
			err := o.db.Write(context.Background(), func(tx *sqlite.Tx) error {
				if tt.first != "" {
					if _, err := tx.Exec(tt.first); err != nil {
						t.Fatal(err)
					}
				}
				_, err := tx.Exec(tt.then)
				return err
			})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want an error that says %q", tt.then, err, tt.want)
			}
			if n := o.number("SELECT count(*) FROM record"); n != 3 {
				t.Errorf("%d records are left, want 3", n)
			}
			o.expectSound()
		})
	}
}

const blanked = "UPDATE quotation SET salt = NULL, id = NULL, sender = NULL, text = NULL, protobuf = NULL"

// replaced puts a copy of record 1 where there is one.
func replaced(seq, origin, leaf string) string {
	return fmt.Sprintf(`REPLACE INTO record SELECT %s, %s, kind, type, group_jid, id, person, sender, sender_alt, push_name, own, sent, captured,
		text, emoji, target, mentions, participants, version, protobuf, class, due, due_from, years, salt, %s,
		file_name, file_sealed, by_admin, text_at, details, import, supplied, form FROM record WHERE seq = 1`, seq, origin, leaf)
}

// What is not council business may go before its time, with what belongs to it, and leaves
// what any other record leaves. A hold keeps it all the same.
func TestEarlyDestruction(t *testing.T) {
	early := func(o *office, seqs ...record.Seq) (gone []record.Seq) {
		o.write(func(tx *sqlite.Tx) error {
			all, err := o.archive.Destroy(tx, Destruction{Run: 1, On: retention.DateOf(o.now), Authority: "early disposal", Early: true}, seqs)
			for _, d := range all {
				gone = append(gone, d.Seq)
			}
			return err
		})
		return gone
	}
	t.Run("goes before its time", func(t *testing.T) {
		o, asked, answered, reacted := whatHappens(t)
		if gone := o.destroys(asked); len(gone) != 0 {
			t.Fatalf("%d went before it was due", gone)
		}
		if gone := fmt.Sprint(early(o, asked)); gone != fmt.Sprint([]record.Seq{asked, reacted}) {
			t.Errorf("%s went, want the question and the reaction to it", gone)
		}
		if o.record(answered).Destroyed != "" {
			t.Error("the answer went, too")
		}
		if n := o.number("SELECT count(*) FROM quotation WHERE salt IS NOT NULL"); n != 0 {
			t.Error("what it said is still quoted in the answer")
		}
		if n := o.number("SELECT count(*) FROM destruction"); n != 0 {
			t.Errorf("%d rows say what the destroying statement has let through, after it", n)
		}
	})
	t.Run("not while the answer is on hold", func(t *testing.T) {
		o, asked, answered, _ := whatHappens(t)
		o.write(func(tx *sqlite.Tx) error {
			_, err := PlaceHold(tx, o.now, "Jane Clerk", "request 7", "", Cover{Scope: Records, Records: []record.Seq{answered}})
			return err
		})
		if gone := early(o, asked); len(gone) != 0 {
			t.Errorf("%d went in spite of the hold", gone)
		}
	})
}

// BenchmarkDestroy measures what a step of a run destroys, fifty messages with two
// reactions each, in an archive on which there are holds of every kind.
func BenchmarkDestroy(b *testing.B) {
	const atOnce = 50
	o := newOffice(b)
	o.write(func(tx *sqlite.Tx) error {
		if err := people.AddMember(tx, o.now, "sysadmin", "elected", people.Member{Name: "Cy Dale", Role: "councillor"}, cy); err != nil {
			return err
		}
		for _, c := range []Cover{
			{Scope: Dates, From: "2020-01-01", Through: "2020-12-31"},
			{Scope: ByMember, Member: 1},
		} {
			if _, err := PlaceHold(tx, o.now, "Jane Clerk", "request 7", "", c); err != nil {
				return err
			}
		}
		return nil
	})
	var messages []record.Seq
	for b.Loop() {
		b.StopTimer()
		o.write(func(tx *sqlite.Tx) error {
			messages = messages[:0]
			for i := range atOnce {
				o.now = o.now.Add(time.Millisecond)
				for n, r := range []record.Received{
					says(ann, fmt.Sprint("A", o.now.UnixMilli()), "is the culvert blocked, or is it the drain?"),
					reacts(bo, fmt.Sprint("R", o.now.UnixMilli(), i), "👍", ann, fmt.Sprint("A", o.now.UnixMilli())),
					reacts(ann, fmt.Sprint("S", o.now.UnixMilli(), i), "👍", ann, fmt.Sprint("A", o.now.UnixMilli())),
				} {
					r.Group, r.Sent = official, o.now
					c, err := o.archive.Capture(tx, o.now, r)
					if err != nil {
						return err
					}
					if n == 0 {
						messages = append(messages, c.Seq)
					}
				}
			}
			return nil
		})
		b.StartTimer()
		o.write(func(tx *sqlite.Tx) error {
			gone, err := o.archive.Destroy(tx, Destruction{Run: 1, On: "2040-01-01", Authority: "minute 12"}, messages)
			if len(gone) != 3*atOnce {
				b.Errorf("%d records went", len(gone))
			}
			return err
		})
	}
}
