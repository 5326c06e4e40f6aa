package forward

import (
	"encoding/json"
	"fmt"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// MarkedBy returns which of the given reactions mark a conversation for the council
// mailbox, by conversation: those that stood when it settled, or stand while it settles.
// Reports and questions are nobody's business but theirs whom they were sent to.
func MarkedBy(tx *sqlite.Tx, reactions []record.Seq) (map[int64][]record.Seq, error) {
	return markedBy(tx, reactions, "does = 'forward'")
}

// ReportedBy returns which of the given reactions report a concern to the clerk, likewise.
// What concerns the clerk is for the chair alone.
func ReportedBy(tx *sqlite.Tx, reactions []record.Seq) (map[int64][]record.Seq, error) {
	return markedBy(tx, reactions, "does = 'report' AND about_clerk = 0")
}

func markedBy(tx *sqlite.Tx, reactions []record.Seq, which string) (map[int64][]record.Seq, error) {
	list, err := json.Marshal(reactions)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(`SELECT conversation, reaction FROM mark
		WHERE reaction IN (SELECT value FROM json_each(?)) AND (stood = 1 OR taken_back = 0)
			AND conversation IN (SELECT id FROM conversation WHERE `+which+`) ORDER BY reaction`, string(list))
	if err != nil {
		return nil, fmt.Errorf("marks: %w", err)
	}
	defer rows.Close()
	marked := make(map[int64][]record.Seq)
	for rows.Next() {
		var id int64
		var seq record.Seq
		if err := rows.Scan(&id, &seq); err != nil {
			return nil, fmt.Errorf("marks: %w", err)
		}
		marked[id] = append(marked[id], seq)
	}
	return marked, rows.Err()
}
