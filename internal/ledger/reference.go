package ledger

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"muniment/internal/sqlite"
)

// Reference is a head of the tree in few enough characters to be typed from paper: the
// number of leaves, and the first twelve bytes of the head, as in
// "1204-0ac5186a91863e8e1d90c808". Nobody can make another tree with the same reference.
type Reference struct {
	Size int64
	head [12]byte
}

// Refer returns the reference of the tree as it stands.
func Refer(tx *sqlite.Tx) (r Reference, err error) {
	if r.Size, err = Size(tx); err != nil {
		return r, err
	}
	root, err := Root(tx, r.Size)
	copy(r.head[:], root[:])
	return r, err
}

func (r Reference) String() string { return fmt.Sprintf("%d-%x", r.Size, r.head) }

// Agrees reports whether h is the head that r is of.
func (r Reference) Agrees(h Hash) bool { return bytes.HasPrefix(h[:], r.head[:]) }

var reference = regexp.MustCompile(`^([1-9][0-9]{0,17})-([0-9a-f]{24})$`)

// ParseReference reads what [Reference.String] returned. Somebody may have typed it.
func ParseReference(s string) (r Reference, err error) {
	m := reference.FindStringSubmatch(strings.ToLower(strings.Join(strings.Fields(s), "")))
	if m == nil {
		return r, fmt.Errorf("%q is no integrity reference: that is a number, a hyphen, and 24 digits and letters from a to f", s)
	}
	r.Size, _ = strconv.ParseInt(m[1], 10, 64) // at most 18 digits
	_, err = hex.Decode(r.head[:], []byte(m[2]))
	return r, err
}
