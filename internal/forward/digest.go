package forward

import (
	"encoding/json"
	"fmt"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// DigestLetter is the kind under which the clerk's weekly digests stand in the outbox;
// what an item is about is the week's number. Nothing here says which records one
// shows: whatever was sent, or came, in its week.
const DigestLetter = "digest"

// MarkedBy returns which of the given reactions mark a conversation, by conversation:
// those that stood when it settled, or stand while it settles.
func MarkedBy(tx *sqlite.Tx, reactions []record.Seq) (map[int64][]record.Seq, error) {
	list, err := json.Marshal(reactions)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(`SELECT conversation, reaction FROM mark
		WHERE reaction IN (SELECT value FROM json_each(?)) AND (stood = 1 OR taken_back = 0) ORDER BY reaction`, string(list))
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
