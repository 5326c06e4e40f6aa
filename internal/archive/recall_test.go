package archive_test

import (
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"muniment/internal/archive"
	"muniment/internal/corpus"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// pull returns what the council says, one message at a time.
func pull(t testing.TB, o corpus.Options) func() (corpus.Message, bool) {
	next, stop := iter.Pull(corpus.Chat(1894, o)) // the year of the parish councils' Act
	t.Cleanup(stop)
	return next
}

// tokens are the words of a text, as a search knows them.
func tokens(s string) []string {
	plain := strings.NewReplacer("é", "e", "è", "e", "ê", "e", "ô", "o", "ŵ", "w", "ŷ", "y", "â", "a", "î", "i", "ï", "i", "ö", "o", "ü", "u", "ç", "c", "ñ", "n", "á", "a", "í", "i", "ó", "o")
	return strings.FieldsFunc(plain.Replace(strings.ToLower(s)), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

// A search finds everything that reading all of it finds, and nothing else: words,
// beginnings of words, phrases, two words; in old versions, in what was deleted, in
// names of files; of one sender, of any time.
func TestRecall(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	const size, asked = 6000, 150
	o := options(100_000)
	o.PerDay = 3
	c := newChat(t, t.TempDir(), o)
	defer c.db.Close()
	c.fill(size)
	type text struct {
		seq    record.Seq
		words  [][]string // of the text and of the file's name: a phrase does not span both
		person people.ID
		sent   time.Time
	}
	var texts []text
	kinds := make(map[record.Kind]int)
	c.write(func(tx *sqlite.Tx) error {
		return archive.Each(tx, func(r archive.Record) error {
			texts = append(texts, text{r.Seq, [][]string{tokens(r.Text), tokens(r.FileName)}, r.Person, r.Sent})
			kinds[r.Kind]++
			return nil
		})
	})
	if kinds[record.Edit] == 0 || kinds[record.Deletion] == 0 {
		t.Fatalf("nobody has edited or deleted anything: %v", kinds)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	some := func() (words []string, of text) {
		for {
			of = texts[rng.IntN(len(texts))]
			if words = of.words[rng.IntN(2)]; len(words) > 2 {
				return words, of
			}
		}
	}
	has := func(x text, match func(words []string) bool) bool { return slices.ContainsFunc(x.words, match) }
	word := func(w string) func([]string) bool { return func(ws []string) bool { return slices.Contains(ws, w) } }
	for range asked {
		words, of := some()
		at := rng.IntN(len(words) - 1)
		w, phrase := words[at], words[at:min(at+2+rng.IntN(2), len(words))]
		begin := string([]rune(w)[:1+rng.IntN(len([]rune(w)))])
		other, _ := some()
		day := of.sent.UTC().Format(time.DateOnly)
		for query, want := range map[string]func(text) bool{
			w: func(x text) bool { return has(x, word(w)) },
			`"` + strings.Join(phrase, " ") + `"`: func(x text) bool {
				return has(x, func(ws []string) bool {
					return strings.Contains(" "+strings.Join(ws, " ")+" ", " "+strings.Join(phrase, " ")+" ")
				})
			},
			begin + "*": func(x text) bool {
				return has(x, func(ws []string) bool {
					return slices.ContainsFunc(ws, func(s string) bool { return strings.HasPrefix(s, begin) })
				})
			},
			w + " " + other[0]:    func(x text) bool { return has(x, word(w)) && has(x, word(other[0])) },
			w + " OR " + other[0]: func(x text) bool { return has(x, word(w)) || has(x, word(other[0])) },
			w + " after:" + day:   func(x text) bool { return has(x, word(w)) && !x.sent.Before(london(day)) },
			w + " before:" + day:  func(x text) bool { return has(x, word(w)) && x.sent.Before(london(day)) },
		} {
			q, err := archive.ParseQuery(query)
			if err != nil {
				t.Fatalf("%s: %v", query, err)
			}
			var found []record.Seq
			c.write(func(tx *sqlite.Tx) (err error) { found, err = archive.SearchAll(tx, q); return err })
			slices.Sort(found)
			var all []record.Seq
			for _, x := range texts {
				if want(x) {
					all = append(all, x.seq)
				}
			}
			if !slices.Equal(found, all) {
				t.Errorf("%s finds %d records; reading finds %d", query, len(found), len(all))
			}
		}
	}
	t.Logf("%d queries of %d records: %v", 7*asked, len(texts), kinds)
}

func london(day string) time.Time {
	l, err := time.LoadLocation("Europe/London")
	if err != nil {
		panic(err)
	}
	d, err := time.ParseInLocation(time.DateOnly, day, l)
	if err != nil {
		panic(err)
	}
	return d
}
