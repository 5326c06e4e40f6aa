package verify

import (
	"maps"
	"slices"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/sqlite"
)

// compareImports compares the notes of imports with what the journal says of them: a
// record's leaf has the import's number alone, and only the journal's entries say from
// which file it came, and on whose word.
func (r *Report) compareImports(tx *sqlite.Tx) error {
	begun := make(map[int64]archive.ImportNote)
	if err := journal.Of(tx, journal.ImportBegun, func(e journal.Entry, _ int64) error {
		n := archive.ImportNote{ID: e.About.Number("import"), Unit: e.About.Number("unit"), Who: e.Who, Reason: e.Reason}
		n.Digest, _ = e.About["file"].(string)
		n.Zone, _ = e.About["zone"].(string)
		if _, resumed := begun[n.ID]; !resumed {
			begun[n.ID] = n
		}
		return nil
	}); err != nil {
		return err
	}
	imports, err := archive.Imports(tx)
	if err != nil {
		return err
	}
	for _, n := range imports {
		was, known := begun[n.ID]
		delete(begun, n.ID)
		switch {
		case !known:
			r.fault("import %d is not in the journal: it was inserted", n.ID)
		case n.Digest == "":
			r.fault("import %d is what records came from, but its note is gone: it was removed", n.ID)
		case n != was:
			r.fault("import %d is not what the journal says: it was altered", n.ID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(begun)) {
		r.fault("import %d was begun, as the journal says, but its note is gone: it was removed", id)
	}
	return nil
}
