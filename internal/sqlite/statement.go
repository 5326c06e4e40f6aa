package sqlite

import (
	"context"
	"database/sql"
	"sync"
)

// maxStatements bounds how many statements are kept prepared. The program has
// fewer queries that write.
const maxStatements = 200

// statements are the queries of writing transactions, each parsed once: parsing
// costs more than most of them do. A query is prepared after the transaction that
// first used it, since the writer has only one connection, which that one holds.
type statements struct {
	db     *sql.DB
	mu     sync.Mutex
	ready  map[string]*sql.Stmt
	wanted map[string]bool
}

// of returns the prepared statement for query, nil if there is none yet.
func (s *statements) of(query string) *sql.Stmt {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st, ok := s.ready[query]; ok {
		return st
	}
	if s.wanted == nil {
		s.wanted = make(map[string]bool)
	}
	if len(s.ready)+len(s.wanted) < maxStatements {
		s.wanted[query] = true
	}
	return nil
}

// prepare prepares what was wanted. What cannot be prepared goes on without.
func (s *statements) prepare(ctx context.Context) {
	s.mu.Lock()
	wanted := s.wanted
	s.wanted = nil
	s.mu.Unlock()
	for query := range wanted {
		st, err := s.db.PrepareContext(ctx, query)
		if err != nil {
			continue
		}
		s.mu.Lock()
		if s.ready == nil {
			s.ready = make(map[string]*sql.Stmt)
		}
		if _, ok := s.ready[query]; ok {
			st.Close()
		} else {
			s.ready[query] = st
		}
		s.mu.Unlock()
	}
}

// Exec is [sql.Tx.Exec].
func (tx *Tx) Exec(query string, args ...any) (sql.Result, error) {
	if tx.prepared != nil {
		if st := tx.prepared.of(query); st != nil {
			return tx.Stmt(st).Exec(args...)
		}
	}
	return tx.Tx.Exec(query, args...)
}

// QueryRow is [sql.Tx.QueryRow]. The row must be scanned before the next query:
// both may be the same statement. [sql.Tx.Query], whose rows stay open, takes
// none of those that are kept.
func (tx *Tx) QueryRow(query string, args ...any) *sql.Row {
	if tx.prepared != nil {
		if st := tx.prepared.of(query); st != nil {
			return tx.Stmt(st).QueryRow(args...)
		}
	}
	return tx.Tx.QueryRow(query, args...)
}
