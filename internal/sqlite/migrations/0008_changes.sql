-- Owner: archive. Files, edits and deletions; holds of a part of the archive; the
-- search index.

-- +goose Up
ALTER TABLE record ADD COLUMN file_name TEXT NOT NULL DEFAULT '';
ALTER TABLE record ADD COLUMN file_sealed BLOB;                     -- SHA-256 of its file as delivered; the vault has it
ALTER TABLE record ADD COLUMN by_admin INTEGER NOT NULL DEFAULT 0;  -- of a deletion: as far as was known at capture
ALTER TABLE record ADD COLUMN text_at INTEGER;                      -- where in protobuf text was cut out; it stands there once

DROP TRIGGER record_is_never_altered;
-- +goose StatementBegin
CREATE TRIGGER record_is_never_altered BEFORE UPDATE OF
	seq, origin, kind, type, group_jid, id, sender, sender_alt, push_name, own, sent, captured,
	text, emoji, target, mentions, participants, version, protobuf, class, salt, leaf,
	file_name, file_sealed, by_admin, text_at ON record
BEGIN SELECT RAISE(ABORT, 'a record is never altered'); END;
-- +goose StatementEnd

DROP TRIGGER record_due_is_fixed;
-- +goose StatementBegin
CREATE TRIGGER record_due_is_fixed BEFORE UPDATE OF due, due_from, years ON record
WHEN NOT (OLD.kind IN ('edit', 'deletion', 'reaction') AND OLD.due_from = 'own' AND NEW.due_from = 'parent')
BEGIN SELECT RAISE(ABORT, 'a due date is fixed once'); END;
-- +goose StatementEnd

CREATE INDEX record_change ON record (kind, sent) WHERE kind IN ('edit', 'deletion', 'participants', 'group');

-- A hold covers everything, the days from from_on to before_on, what one member
-- sent, or the records that hold_record names.
CREATE TABLE hold_scoped (
	id             INTEGER PRIMARY KEY,
	scope          TEXT NOT NULL CHECK (scope IN ('all', 'dates', 'member', 'records')),
	from_at        TEXT NOT NULL DEFAULT '', -- dates: from this moment
	before_at      TEXT NOT NULL DEFAULT '', -- and before this
	member         INTEGER NOT NULL DEFAULT 0, -- on the register,
	person         INTEGER NOT NULL DEFAULT 0, -- and who that is
	search         TEXT NOT NULL DEFAULT '', -- by which the records were found
	review_on      TEXT NOT NULL DEFAULT '', -- London date
	reason         TEXT NOT NULL,
	placed_by      TEXT NOT NULL,
	placed_at      TEXT NOT NULL,
	released_by    TEXT,
	released_at    TEXT,
	release_reason TEXT
) STRICT;
INSERT INTO hold_scoped (id, scope, reason, placed_by, placed_at, released_by, released_at, release_reason)
	SELECT id, scope, reason, placed_by, placed_at, released_by, released_at, release_reason FROM hold;
DROP TABLE hold;
ALTER TABLE hold_scoped RENAME TO hold;
CREATE INDEX hold_in_force ON hold (scope) WHERE released_at IS NULL;

CREATE TABLE hold_record (
	hold INTEGER NOT NULL REFERENCES hold (id),
	seq  INTEGER NOT NULL,
	PRIMARY KEY (hold, seq)
) STRICT, WITHOUT ROWID;

-- The search index is brought up to date afterwards: see archive.Index. Every record
-- up to the number archive.indexed is in it.
ALTER TABLE archive ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;

CREATE VIRTUAL TABLE record_search USING fts5 (
	text, file_name, content='record', content_rowid='seq', tokenize='unicode61 remove_diacritics 2'
);
-- Otherwise two or three pieces of the index are left unmerged, and the words in them.
INSERT INTO record_search (record_search, rank) VALUES ('usermerge', 2);
-- +goose StatementBegin
CREATE TRIGGER record_is_not_searchable AFTER DELETE ON record
WHEN (OLD.text <> '' OR OLD.file_name <> '') AND OLD.type <> 'timer' AND OLD.seq <= (SELECT indexed FROM archive)
BEGIN INSERT INTO record_search (record_search, rowid, text, file_name) VALUES ('delete', OLD.seq, OLD.text, OLD.file_name); END;
-- +goose StatementEnd

-- In which blocks of 1,024 record numbers the records sent on a day (UTC) are: with
-- it, a search of a time reads only these.
CREATE TABLE search_day (
	day   TEXT NOT NULL,
	block INTEGER NOT NULL,
	PRIMARY KEY (day, block)
) STRICT, WITHOUT ROWID;
