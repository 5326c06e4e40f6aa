package ledger_test

import (
	"fmt"
	"strings"
	"testing"

	"muniment/internal/ledger"
	"muniment/internal/sqlite"
)

// A reference is of one head only, and can be typed from paper.
func TestReference(t *testing.T) {
	db := create(t)
	var all []ledger.Reference
	for n := range 3 {
		write(t, db, func(tx *sqlite.Tx) error {
			if _, err := ledger.AppendSalted(tx, ledger.NewSalt(), fmt.Append(nil, n)); err != nil {
				return err
			}
			r, err := ledger.Refer(tx)
			all = append(all, r)
			return err
		})
	}
	write(t, db, func(tx *sqlite.Tx) error {
		for i, r := range all {
			for size := int64(1); size <= 3; size++ {
				root, err := ledger.Root(tx, size)
				if err != nil {
					return err
				}
				if r.Agrees(root) != (size == int64(i+1)) {
					t.Errorf("the reference of %d leaves agrees with the head of %d: %v", i+1, size, r.Agrees(root))
				}
			}
		}
		return nil
	})
	typed := " " + strings.ToUpper(all[1].String()[:6]) + " " + all[1].String()[6:] + "\n"
	if r, err := ledger.ParseReference(typed); err != nil || r != all[1] {
		t.Errorf("typed as %q: %v, err %v", typed, r, err)
	}
	for _, no := range []string{"", "12", "0-0ac5186a91863e8e1d90c808", "12-0ac5186a91863e8e1d90c80", "12-0ac5186a91863e8e1d90c808a", "x-0ac5186a91863e8e1d90c808", "9999999999999999999-0ac5186a91863e8e1d90c808"} {
		if r, err := ledger.ParseReference(no); err == nil {
			t.Errorf("%q was taken for the reference %v", no, r)
		}
	}
}
