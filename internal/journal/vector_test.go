package journal

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"muniment/internal/ledger"
	"muniment/internal/sqlite"
)

// The canonical bytes of an entry are what FORMAT.md of package ledger says, for ever.
func TestVectors(t *testing.T) {
	b, err := os.ReadFile("../ledger/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Journal []struct {
			ID                                                 int64
			At, Who, Act, Reason, About, Canonical, Salt, Leaf string
		}
	}
	if err := json.Unmarshal(b, &v); err != nil || len(v.Journal) == 0 {
		t.Fatalf("%d entries, err %v", len(v.Journal), err)
	}
	for _, j := range v.Journal {
		at, err := sqlite.ParseTime(j.At)
		if err != nil {
			t.Fatal(err)
		}
		salt, err := hex.DecodeString(j.Salt)
		if err != nil {
			t.Fatal(err)
		}
		got := canonical(Entry{ID: j.ID, At: at, Who: j.Who, Act: Act(j.Act), Reason: j.Reason}, j.About)
		if hex.EncodeToString(got) != j.Canonical {
			t.Errorf("entry %d: canonical bytes are\n%s", j.ID, got)
		}
		if h := ledger.LeafHash(salt, got); hex.EncodeToString(h[:]) != j.Leaf {
			t.Errorf("entry %d: its leaf is %x", j.ID, h)
		}
	}
}
