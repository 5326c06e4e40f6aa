package disposal

import "testing"

// SearchOften has runs and restores search the files whenever they know of so many pieces.
func SearchOften(t *testing.T, pieces int) {
	was := mostPieces
	mostPieces = pieces
	t.Cleanup(func() { mostPieces = was })
}
