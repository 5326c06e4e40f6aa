-- Owner: journal. What remains of entries of the access log whose time is over. And what
-- was done finds its entries.

-- +goose Up
CREATE TABLE journal_stub (
	id           INTEGER PRIMARY KEY, -- of the entry
	leaf         INTEGER NOT NULL UNIQUE,
	class        TEXT NOT NULL,
	written_on   TEXT NOT NULL, -- London date
	rule         TEXT NOT NULL,
	destroyed_on TEXT NOT NULL,
	run          INTEGER NOT NULL,
	authority    TEXT NOT NULL  -- the approver's role or the standing minute
) STRICT;
CREATE INDEX journal_stub_run ON journal_stub (run);
CREATE INDEX journal_act ON journal (act);

-- An entry goes in no other way than by leaving its stub.
-- +goose StatementBegin
CREATE TRIGGER journal_leaves_a_stub BEFORE DELETE ON journal
WHEN NOT EXISTS (SELECT 1 FROM journal_stub s WHERE s.id = OLD.id AND s.leaf = OLD.leaf)
BEGIN SELECT RAISE(ABORT, 'a journal entry is never removed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER journal_stub_is_never_altered BEFORE UPDATE ON journal_stub
BEGIN SELECT RAISE(ABORT, 'what remains of a journal entry is never altered'); END;
-- +goose StatementEnd
