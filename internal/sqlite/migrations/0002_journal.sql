-- Owner: journal. Who did what, when and why. Never altered.

-- +goose Up
CREATE TABLE journal (
	id     INTEGER PRIMARY KEY,
	at     TEXT NOT NULL,
	who    TEXT NOT NULL,
	act    TEXT NOT NULL,
	reason TEXT NOT NULL,
	about  TEXT NOT NULL, -- JSON: numbers and dates, no content
	salt   BLOB NOT NULL,
	leaf   INTEGER NOT NULL UNIQUE
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER journal_is_never_altered BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'a journal entry is never altered'); END;
-- +goose StatementEnd
