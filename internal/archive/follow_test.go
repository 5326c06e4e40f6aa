package archive

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// does is what somebody does to Ann's message A1, so many minutes after it.
func does(who record.Address, minute int, kind record.Kind, t record.Type, id string) record.Received {
	return record.Received{Kind: kind, Type: t, ID: id, Sender: who, Sent: monday.Add(time.Duration(minute) * time.Minute),
		Target: &record.Ref{ID: "A1", Sender: ann}, Protobuf: []byte(id)}
}

// Of what takes the place of what came before it, the latest counts: a person's vote, his
// response to an event, anybody's pin. What cannot be read takes no place.
func TestTheLatestCounts(t *testing.T) {
	type view struct {
		Seq, Amends record.Seq
		Effective   bool
	}
	for _, tt := range []struct {
		name string
		did  []record.Received
		want []view // of records from 2 on
	}{
		{"a vote changed, then withdrawn", []record.Received{
			does(bo, 1, record.Vote, record.Cast, "V1"), does(bo, 2, record.Vote, record.Cast, "V2"), does(bo, 3, record.Vote, record.Withdrawn, "V3"),
		}, []view{{2, 0, false}, {3, 2, false}, {4, 3, true}}},
		{"the later vote arrives first", []record.Received{
			does(bo, 2, record.Vote, record.Cast, "V2"), does(bo, 1, record.Vote, record.Cast, "V1"),
		}, []view{{2, 3, true}, {3, 0, false}}},
		{"votes of two", []record.Received{
			does(bo, 1, record.Vote, record.Cast, "V1"), does(cy, 2, record.Vote, record.Cast, "V2"),
		}, []view{{2, 0, true}, {3, 0, true}}},
		{"a later vote that cannot be read", []record.Received{
			does(bo, 1, record.Vote, record.Cast, "V1"), does(bo, 2, record.Vote, record.Sealed, "V2"),
		}, []view{{2, 0, true}, {3, 0, false}}},
		{"an earlier vote that cannot be read", []record.Received{
			does(bo, 1, record.Vote, record.Sealed, "V1"), does(bo, 2, record.Vote, record.Cast, "V2"),
		}, []view{{2, 0, false}, {3, 0, true}}},
		{"a later reaction that cannot be read", []record.Received{
			reacts(bo, "R1", "👍", ann, "A1"), does(bo, 9999, record.Reaction, record.Sealed, "R2"),
		}, []view{{2, 0, true}, {3, 0, false}}},
		{"a response changed", []record.Received{
			does(bo, 1, record.Response, record.Going, "E1"), does(bo, 2, record.Response, record.Maybe, "E2"),
		}, []view{{2, 0, false}, {3, 2, true}}},
		{"a vote and a response are two things", []record.Received{
			does(bo, 1, record.Vote, record.Cast, "V1"), does(bo, 2, record.Response, record.Going, "E1"),
		}, []view{{2, 0, true}, {3, 0, true}}},
		{"pinned by one, unpinned by another", []record.Received{
			does(bo, 1, record.Pin, record.Pinned, "P1"), does(cy, 2, record.Pin, record.Unpinned, "P2"),
		}, []view{{2, 0, false}, {3, 2, true}}},
		{"kept by one, not kept by another", []record.Received{
			does(bo, 1, record.Keep, record.KeptInChat, "K1"), does(ann, 2, record.Keep, record.UnkeptInChat, "K2"),
		}, []view{{2, 0, false}, {3, 2, true}}},
		{"options do not take each other's place", []record.Received{
			does(bo, 1, record.Option, record.OptionAdded, "O1"), does(bo, 2, record.Option, record.OptionAdded, "O2"),
			does(bo, 3, record.Option, record.Sealed, "O3"),
		}, []view{{2, 0, true}, {3, 0, true}, {4, 0, false}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			poll := o.captures(says(ann, "A1", "When shall we meet?"))
			for _, r := range tt.did {
				o.captures(r)
			}
			var got []view
			for _, r := range o.records()[1:] {
				got = append(got, view{r.Seq, r.Amends, r.Effective})
				if r.ReplyTo != poll.Seq {
					t.Errorf("record %d is of record %d", r.Seq, r.ReplyTo)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("records (-want +got)\n%s", diff)
			}
		})
	}
}

// An edit that cannot be read changes nothing, before or after one that can.
func TestASealedEditDoesNotCount(t *testing.T) {
	o := newOffice(t)
	m := o.captures(says(ann, "A1", "at seven"))
	sealed := o.captures(does(ann, 1, record.Edit, record.Sealed, "E1"))
	if r := o.record(m.Seq); r.EditedBy != 0 || !r.Effective {
		t.Errorf("the message is edited by record %d, and counts: %v", r.EditedBy, r.Effective)
	}
	read := does(ann, 2, record.Edit, record.Text, "E2")
	read.Text = "at eight"
	edit := o.captures(read)
	last := o.captures(does(ann, 3, record.Edit, record.Sealed, "E3"))
	if r := o.record(m.Seq); r.EditedBy != edit.Seq || r.Effective {
		t.Errorf("the message is edited by record %d, want %d; and counts: %v", r.EditedBy, edit.Seq, r.Effective)
	}
	for seq, counts := range map[record.Seq]bool{sealed.Seq: false, edit.Seq: true, last.Seq: false} {
		if r := o.record(seq); r.Effective != counts || !r.Entitled || r.Amends != m.Seq {
			t.Errorf("record %d counts: %v, its sender was entitled to it: %v, it is of record %d", seq, r.Effective, r.Entitled, r.Amends)
		}
	}
}

func TestFollowersOf(t *testing.T) {
	o := newOffice(t)
	o.captures(says(ann, "A0", "another"))
	poll := o.captures(says(ann, "A1", "When shall we meet?"))
	late, early := o.captures(does(bo, 5, record.Vote, record.Cast, "V2")), o.captures(does(cy, 4, record.Vote, record.Cast, "V1"))
	option := o.captures(does(cy, 3, record.Option, record.OptionAdded, "O1"))
	o.captures(reacts(bo, "R1", "👍", ann, "A1"))
	other := does(bo, 1, record.Vote, record.Cast, "V3")
	other.Target = &record.Ref{ID: "A0", Sender: ann}
	o.captures(other)
	var got []record.Seq
	o.write(func(tx *sqlite.Tx) error {
		rs, err := FollowersOf(tx, []record.Seq{poll.Seq}, record.Vote, record.Option)
		for _, r := range rs {
			got = append(got, r.Seq)
		}
		return err
	})
	if diff := cmp.Diff([]record.Seq{option.Seq, early.Seq, late.Seq}, got); diff != "" {
		t.Errorf("votes and options (-want +got)\n%s", diff)
	}
}

// A member who pins one message again and again makes no view of it slow: each pin finds
// the one before and the one after it by their times.
func TestPinsAreFoundByTheirTimes(t *testing.T) {
	o := newOffice(t)
	for name, query := range map[string]string{
		"whether another has taken its place": "SELECT " + superseded + " FROM record",
		"which it takes the place of":         selection,
	} {
		rows := o.plan(query)
		if n := strings.Count(rows, "record_target (target=? AND kind=? AND sent"); n == 0 {
			t.Errorf("%s is looked for otherwise:\n%s", name, rows)
		}
	}
}

// plan returns how SQLite would carry out a query.
func (o *office) plan(query string) string {
	var steps []string
	o.write(func(tx *sqlite.Tx) error {
		rows, err := tx.Query("EXPLAIN QUERY PLAN " + query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				return err
			}
			steps = append(steps, step)
		}
		return rows.Err()
	})
	return strings.Join(steps, "\n")
}
