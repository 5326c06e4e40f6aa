package letter

import (
	"testing"

	"muniment/internal/disposal"
	"muniment/internal/record"
)

func earlyNotice() disposal.EarlyNotice {
	return disposal.EarlyNotice{
		List: disposal.List{ID: 7, DrawnUp: at("2026-11-22 10:15"), DestroyOn: "2026-11-22", Because: disposal.SentByMistake,
			ProposedBy: "Jo Marsh", Proposer: "clerk", Records: 3},
		Reason: "private pictures, sent to the wrong group", Records: []record.Seq{412, 413, 414}, From: "2026-11-21", To: "2026-11-22",
	}
}

// Who is told of an early disposal, and what.
func TestEarly(t *testing.T) {
	w := writer()
	for _, tt := range []struct {
		name   string
		part   int
		change func(n *disposal.EarlyNotice)
	}{
		{"early-proposed", 1, func(*disposal.EarlyNotice) {}},
		{"early-confirmed", 2, func(n *disposal.EarlyNotice) {
			n.List.ApprovedBy, n.List.Approver, n.List.Approved, n.Untold = "Kim Lane", "chair", at("2026-11-22 18:00"), 1
		}},
		{"early-sender", 3, func(n *disposal.EarlyNotice) { n.List.ApprovedBy, n.List.Approver = "Kim Lane", "chair" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := earlyNotice()
			tt.change(&n)
			msg, err := w.Early(header("early-disposal.7", at("2026-11-22 18:01")), n, tt.part)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, tt.name, msg)
		})
	}
}

// A list that nobody approves is brought to mind.
func TestReminder(t *testing.T) {
	w := writer()
	r := disposal.Reminder{Notice: disposal.Notice{Approval: disposal.Each, From: "2026-10-19", To: "2026-10-25",
		List: disposal.List{ID: 3, DrawnUp: at("2032-09-27 02:31"), DestroyOn: "2032-10-27", Records: 48}}, Waits: 7}
	for name, change := range map[string]func(){
		"reminder":          func() {},
		"reminder-chair":    func() { r.Waits, r.Overdue, r.ToChair = 63, 33, true },
		"reminder-no-chair": func() { r.ToChair, r.NoChair = false, true },
	} {
		t.Run(name, func(t *testing.T) {
			before := r
			if name == "reminder-no-chair" {
				r.Waits, r.Overdue = 63, 33
			}
			change()
			msg, err := w.Reminder(header("disposal-reminder.1", at("2032-10-04 02:31")), r)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, msg)
			r = before
		})
	}
}
