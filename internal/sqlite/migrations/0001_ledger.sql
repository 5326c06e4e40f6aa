-- Owner: ledger. The hashes of the Merkle tree over all records and journal
-- entries, numbered as golang.org/x/mod/sumdb/tlog stores them, and its signed heads.

-- +goose Up
CREATE TABLE tree_hash (
	idx  INTEGER PRIMARY KEY,
	hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TABLE checkpoint (
	id      INTEGER PRIMARY KEY,
	size    INTEGER NOT NULL, -- leaves that it covers
	made_at TEXT NOT NULL,
	note    TEXT NOT NULL     -- a signed note: origin, size, root
) STRICT;
