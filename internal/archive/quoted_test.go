package archive

import (
	"testing"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// What is on hold because it is answered keeps what it quotes.
func TestQuotationInQuestionOnHold(t *testing.T) {
	o := newOffice(t)
	one := o.captures(says(ann, "A1", "we knew of the asbestos"))
	two := o.captures(quotes(bo, "B1", "since when?", ann, "A1", "we knew of the asbestos"))
	three := o.captures(quotes(cy, "C1", "since May", bo, "B1", "since when?"))
	o.write(func(tx *sqlite.Tx) error {
		_, err := PlaceHold(tx, o.now, "Jane Clerk", "request 7", "", Cover{Scope: Records, Records: []record.Seq{three.Seq}})
		return err
	})
	if !o.record(two.Seq).OnHold {
		t.Fatal("the question is not on hold")
	}
	o.destroysOn("2032-03-10", one.Seq)
	if n := o.number("SELECT count(*) FROM quotation WHERE record = ? AND salt IS NULL", two.Seq); n != 0 {
		t.Error("a quotation in a record that is shown as on hold was destroyed")
	}
}
