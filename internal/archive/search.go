package archive

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// blockBits says how many record numbers make a block of the table search_day.
const blockBits = 10

// searchable is true of a record that has words, as the triggers have it that take one
// out of the index or put it there anew (0018_search.sql). Of the changes of a group, some
// have a code for a text: the seconds of a timer, or whether something is on or off.
const searchable = "(text <> '' OR file_name <> '') AND (kind <> 'group' OR type IN ('subject', 'description', 'notice'))"

// Index brings the search index up to date by at most so many records, and reports
// whether it is. A capture does not wait for it: to take one record into the index
// costs as much as all the rest of its capture, and a hundred at a time little more.
func Index(tx *sqlite.Tx, atMost int) (done bool, err error) {
	var from, to record.Seq
	var n int
	if err := tx.QueryRow("SELECT indexed FROM archive").Scan(&from); err != nil {
		return false, fmt.Errorf("index the records: %w", err)
	}
	if err := tx.QueryRow("SELECT coalesce(max(seq), 0), count(*) FROM (SELECT seq FROM record WHERE seq > ? ORDER BY seq LIMIT ?)",
		from, atMost).Scan(&to, &n); err != nil {
		return false, fmt.Errorf("index the records: %w", err)
	}
	if n == 0 {
		return true, nil
	}
	for _, q := range []string{
		"INSERT INTO record_search (rowid, text, file_name) SELECT seq, text, file_name FROM record WHERE seq > ?1 AND seq <= ?2 AND " + searchable + " ORDER BY seq",
		fmt.Sprintf("INSERT OR IGNORE INTO search_day (day, block) SELECT DISTINCT substr(sent, 1, 10), seq >> %d FROM record WHERE seq > ?1 AND seq <= ?2", blockBits),
		"UPDATE archive SET indexed = ?2 WHERE indexed = ?1",
	} {
		if _, err := tx.Exec(q, from, to); err != nil {
			return false, fmt.Errorf("index the records: %w", err)
		}
	}
	return n < atMost, nil
}

// ClearIndex empties the search index, so that [Index] builds it anew from the first
// record on.
func ClearIndex(tx *sqlite.Tx) error {
	for _, q := range []string{
		"INSERT INTO record_search (record_search) VALUES ('delete-all')",
		"DELETE FROM search_day",
		"UPDATE archive SET indexed = 0",
		"UPDATE hold SET searched = 0 WHERE ahead = 1",
	} {
		if _, err := tx.Exec(q); err != nil {
			return fmt.Errorf("clear the search index: %w", err)
		}
	}
	return nil
}

// indexAll brings the search index up to date, and who sent what.
func indexAll(tx *sqlite.Tx) error {
	if err := Reconcile(tx); err != nil {
		return err
	}
	for done := false; !done; {
		var err error
		if done, err = Index(tx, 1000); err != nil {
			return err
		}
	}
	return nil
}

// ErrNobody is returned for a query from: somebody whom nobody here is called.
var ErrNobody = errors.New("nobody on the member register or in the records is called that")

// ErrNoGroup is returned for a query in: a group that is not listed.
var ErrNoGroup = errors.New("no group in the configuration is called")

// Search finds what q asks for in messages of every kind, in every version of them,
// whether deleted or not, in names of files, and in the group's names and
// descriptions.
// The latest captured come first; more reports whether there is more than limit.
// It brings the index up to date first, so tx must be one that writes.
func Search(tx *sqlite.Tx, q Query, limit int) (hits []Hit, more bool, err error) {
	if err := indexAll(tx); err != nil {
		return nil, false, fmt.Errorf("search: %w", err)
	}
	err = q.find(tx, limit+1, func(h Hit) { hits = append(hits, h) })
	if err != nil {
		return nil, false, fmt.Errorf("search: %w", err)
	}
	if more = len(hits) > limit; more {
		hits = hits[:limit]
	}
	return hits, more, nil
}

// SearchAll returns the numbers of all records that q asks for, the latest first; see
// [Search].
func SearchAll(tx *sqlite.Tx, q Query) (seqs []record.Seq, err error) {
	if q.everything() {
		return nil, errors.New("search: say what to look for")
	}
	if err := indexAll(tx); err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	if err := q.find(tx, -1, func(h Hit) { seqs = append(seqs, h.Seq) }); err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	return seqs, nil
}

// find calls f for each hit. Words are looked up in the index; the rest of q is
// asked of each record found so. Both are read by number from the end, so that the
// first hits come at once however many there are.
func (q Query) find(tx *sqlite.Tx, limit int, f func(Hit)) error {
	where, args, err := q.where(tx)
	if err != nil {
		return err
	}
	// What the rest of the query needs stands in record; without a rest, it need not
	// be read at all.
	from, number, snippet := "record", "seq", "substr(text, 1, 200)"
	if q.match != "" {
		from, number = "record_search", "record_search.rowid"
		if len(q.Has) > 0 || q.After != "" || q.Before != "" || q.In != "" {
			from += " CROSS JOIN record ON record.seq = record_search.rowid"
		}
		snippet = "snippet(record_search, -1, char(2), char(3), '…', 24)"
	}
	if limit < 0 {
		snippet = "''" // nobody reads it
	}
	rows, err := tx.Query(fmt.Sprintf("SELECT %s, %s FROM %s WHERE %s ORDER BY %s DESC LIMIT ?",
		number, snippet, from, strings.ReplaceAll(where, "NUMBER", number), number), append(args, limit)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var h Hit
		if err := rows.Scan(&h.Seq, &h.Snippet); err != nil {
			return err
		}
		f(h)
	}
	return rows.Err()
}

// where returns the condition that q is, with its arguments. NUMBER stands for the
// record's number in it.
func (q Query) where(tx *sqlite.Tx) (where string, args []any, err error) {
	conditions := []string{"1"}
	add := func(condition string, values ...any) {
		conditions, args = append(conditions, condition), append(args, values...)
	}
	switch {
	case q.match != "":
		add("record_search MATCH ?", q.match)
	case len(q.Has) == 0: // a place may have no words
		add("text || file_name <> '' OR file_sealed IS NOT NULL")
	}
	if q.after > 0 {
		add("NUMBER > ?", q.after)
	}
	if q.After != "" {
		add("record.sent >= ?", sqlite.FormatTime(q.After.Start()))
	}
	if q.Before != "" {
		add("record.sent < ?", sqlite.FormatTime(q.Before.Start()))
	}
	if q.After != "" || q.Before != "" {
		first, last, err := q.numbers(tx)
		if err != nil {
			return "", nil, err
		}
		add("NUMBER BETWEEN ? AND ?", first, last)
	}
	for _, name := range q.From {
		who, err := named(tx, name)
		if err != nil {
			return "", nil, err
		}
		condition := "NUMBER IN (SELECT seq FROM record WHERE person IN (SELECT value FROM json_each(?)))" // by its index
		if q.match != "" {
			condition = "+" + condition // else the words would be looked up anew for each number
		}
		add(condition, toJSON(who))
	}
	if q.In != "" {
		group, err := q.group()
		if err != nil {
			return "", nil, err
		}
		add("+record.group_jid = ?", group) // not by its index: hits come by number
	}
	for _, thing := range q.Has {
		add(Things[thing])
	}
	return "(" + strings.Join(conditions, ") AND (") + ")", args, nil
}

// group returns the JID of the group that q searches.
func (q Query) group() (string, error) {
	var called []string
	for _, jid := range slices.Sorted(maps.Keys(q.Groups)) {
		if strings.EqualFold(q.Groups[jid], q.In) {
			return jid, nil
		}
		called = append(called, fmt.Sprintf("%q", q.Groups[jid]))
	}
	return "", fmt.Errorf("%w %q; there is %s", ErrNoGroup, q.In, cmp.Or(strings.Join(called, ", "), "none"))
}

// numbers returns between which record numbers everything is that was sent in the
// time that q asks for, and more.
func (q Query) numbers(tx *sqlite.Tx) (first, last int64, err error) {
	from, before := "", "~" // before and after every day
	if q.After != "" {
		from = sqlite.FormatTime(q.After.Start())[:len("2006-01-02")]
	}
	if q.Before != "" {
		before = sqlite.FormatTime(q.Before.Start())
	}
	err = tx.QueryRow("SELECT coalesce(min(block), 0) << ?3, ((coalesce(max(block), -1) + 1) << ?3) - 1 FROM search_day WHERE day >= ?1 AND day <= ?2",
		from, before, blockBits).Scan(&first, &last)
	return first, last, err
}

// named returns everybody who is called name, or has it among his names.
func named(tx *sqlite.Tx, name string) (who []people.ID, err error) {
	names, err := people.LoadNames(tx)
	if err != nil {
		return nil, err
	}
	if who = names.Called(name); len(who) == 0 {
		return nil, fmt.Errorf("from:%s: %w", name, ErrNobody)
	}
	return who, nil
}

// Unsearchable returns the records that no search would find, since the index lacks
// them where it claims to be complete; and how many of its entries belong to no record,
// or are missing from its days.
func Unsearchable(tx *sqlite.Tx) (lacking []record.Seq, orphans int64, err error) {
	const indexed = searchable + " AND seq <= (SELECT indexed FROM archive)"
	rows, err := tx.Query("SELECT seq FROM record WHERE " + indexed + " AND seq NOT IN (SELECT id FROM record_search_docsize)")
	if err != nil {
		return nil, 0, fmt.Errorf("check the search index: %w", err)
	}
	if lacking, err = scanSeqs(rows); err != nil {
		return nil, 0, fmt.Errorf("check the search index: %w", err)
	}
	if err := tx.QueryRow("SELECT count(*) FROM record_search_docsize WHERE id NOT IN (SELECT seq FROM record WHERE " + indexed + ")").Scan(&orphans); err != nil {
		return nil, 0, fmt.Errorf("check the search index: %w", err)
	}
	var fewer, ahead bool
	if err := tx.QueryRow(`
		SELECT EXISTS (SELECT DISTINCT substr(sent, 1, 10), seq >> `+fmt.Sprint(blockBits)+` FROM record WHERE seq <= (SELECT indexed FROM archive)
				EXCEPT SELECT day, block FROM search_day),
			(SELECT indexed FROM archive) > max(coalesce((SELECT max(seq) FROM record), 0), coalesce((SELECT max(seq) FROM stub), 0))`).
		Scan(&fewer, &ahead); err != nil {
		return nil, 0, fmt.Errorf("check the search index: %w", err)
	}
	if fewer || ahead { // a search of some days, or of what comes next, would find nothing
		orphans++
	}
	return lacking, orphans, nil
}

// StrayQuotations returns the records in which there should be quotations, and that are not there
// themselves.
func StrayQuotations(tx *sqlite.Tx) ([]record.Seq, error) {
	rows, err := tx.Query("SELECT DISTINCT record FROM quotation WHERE record NOT IN (SELECT seq FROM record) ORDER BY record")
	if err != nil {
		return nil, fmt.Errorf("check the quotations: %w", err)
	}
	stray, err := scanSeqs(rows)
	if err != nil {
		return nil, fmt.Errorf("check the quotations: %w", err)
	}
	return stray, nil
}

// MergeSearch removes from the search index what was deleted, a step at a time, and
// reports whether that is done. Until then the index still holds the words.
func MergeSearch(tx *sqlite.Tx, begin bool) (done bool, err error) {
	pages := 64 // a step keeps captures waiting for no more than a moment
	if begin {
		pages = -pages // all of it, into one
	}
	var before, after int64
	for _, step := range []func() error{
		func() error { return tx.QueryRow("SELECT total_changes()").Scan(&before) },
		func() error {
			_, err := tx.Exec("INSERT INTO record_search (record_search, rank) VALUES ('merge', ?)", pages)
			return err
		},
		func() error { return tx.QueryRow("SELECT total_changes()").Scan(&after) },
	} {
		if err := step(); err != nil {
			return false, fmt.Errorf("merge the search index: %w", err)
		}
	}
	return after-before < 2, nil // as SQLite's documentation has it
}
