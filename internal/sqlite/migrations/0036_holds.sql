-- Owner: archive. What kind of hold it is and for which case; holds of a group, and of what
-- a search goes on finding; the one way in which a record may be destroyed.

-- +goose Up
CREATE TABLE hold_kinds (
	id             INTEGER PRIMARY KEY,
	kind           TEXT NOT NULL DEFAULT 'other' CHECK (kind IN ('foi', 'eir', 'sar', 'internal review', 'regulator complaint', 'tribunal', 'dispute',
		'policy breach', 'data breach', 'litigation', 'insurance', 'police', 'inquiry', 'other')),
	case_ref       TEXT NOT NULL DEFAULT '', -- such as FOI-2026-003; empty: none was given
	scope          TEXT NOT NULL CHECK (scope IN ('all', 'dates', 'member', 'group', 'records')),
	from_at        TEXT NOT NULL DEFAULT '', -- dates: from this moment
	before_at      TEXT NOT NULL DEFAULT '', -- and before this
	member         INTEGER NOT NULL DEFAULT 0, -- on the register,
	person         INTEGER NOT NULL DEFAULT 0, -- and who that is
	group_jid      TEXT NOT NULL DEFAULT '', -- group: this; of a search, the group that it is confined to
	group_name     TEXT NOT NULL DEFAULT '', -- what it was called then
	search         TEXT NOT NULL DEFAULT '', -- by which the records were found
	ahead          INTEGER NOT NULL DEFAULT 0, -- 1: what the search finds later is taken in
	searched       INTEGER NOT NULL DEFAULT 0, -- up to this record
	review_on      TEXT NOT NULL DEFAULT '', -- London date
	reminded_on    TEXT NOT NULL DEFAULT '', -- that the review is due, for the last time; London date
	reason         TEXT NOT NULL,
	placed_by      TEXT NOT NULL,
	placed_at      TEXT NOT NULL,
	released_by    TEXT,
	released_at    TEXT,
	release_reason TEXT
) STRICT;
INSERT INTO hold_kinds (id, kind, case_ref, scope, from_at, before_at, member, person, search, review_on, reason, placed_by, placed_at,
		released_by, released_at, release_reason)
	SELECT id, 'other', '', scope, from_at, before_at, member, person, search, review_on, reason, placed_by, placed_at,
		released_by, released_at, release_reason FROM hold;
CREATE TABLE hold_kinds_record (
	hold INTEGER NOT NULL REFERENCES hold_kinds (id),
	seq  INTEGER NOT NULL,
	PRIMARY KEY (hold, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO hold_kinds_record (hold, seq) SELECT hold, seq FROM hold_record;
DROP TABLE hold_record;
DROP TABLE hold;
ALTER TABLE hold_kinds RENAME TO hold;
ALTER TABLE hold_kinds_record RENAME TO hold_record;
CREATE INDEX hold_in_force ON hold (scope) WHERE released_at IS NULL;

-- What could be read only later, a search may find that has gone past it.
-- +goose StatementBegin
CREATE TRIGGER hold_searches_anew AFTER UPDATE OF kind, type, text, file_name, file_sealed, details ON record
BEGIN UPDATE hold SET searched = NEW.seq - 1 WHERE ahead = 1 AND searched >= NEW.seq; END;
-- +goose StatementEnd

-- The records that the destroying statement has let through: it alone decides what may go,
-- and what it let through goes in the same transaction. Else it is empty.
CREATE TABLE destruction (
	seq    INTEGER PRIMARY KEY,
	origin BLOB NOT NULL UNIQUE
) STRICT;

-- The records that a hold in force names, by itself. What is kept for their sake, only the
-- destroying statement knows (archive.heldAmong): a trigger takes no recursive query.
CREATE VIEW held (seq) AS
	SELECT r.seq FROM record r CROSS JOIN hold h
	WHERE h.released_at IS NULL AND (h.scope = 'all'
		OR h.scope = 'dates' AND r.sent >= h.from_at AND r.sent < h.before_at
		OR h.scope = 'member' AND r.person = h.person
		OR h.scope = 'group' AND r.group_jid = h.group_jid
		OR h.scope = 'records' AND EXISTS (SELECT 1 FROM hold_record i WHERE i.hold = h.id AND i.seq = r.seq));

-- REPLACE deletes too: see recursive_triggers in sqlite.open. Who can drop a table can drop
-- these triggers; they are against mistakes, and against that there are the ledger and its
-- signed checkpoints.
-- +goose StatementBegin
CREATE TRIGGER record_goes_by_the_destroying_statement BEFORE DELETE ON record
BEGIN
	SELECT RAISE(ABORT, 'a record is destroyed by a disposal run and in no other way')
		WHERE NOT EXISTS (SELECT 1 FROM destruction WHERE seq = OLD.seq);
	SELECT RAISE(ABORT, 'the record is on hold') WHERE EXISTS (SELECT 1 FROM held WHERE seq = OLD.seq);
END;
-- +goose StatementEnd

-- A quotation goes with the record that carries it, and its content with what it quotes.
-- +goose StatementBegin
CREATE TRIGGER quotation_goes_by_the_destroying_statement BEFORE DELETE ON quotation
BEGIN
	SELECT RAISE(ABORT, 'a quotation is destroyed by a disposal run and in no other way')
		WHERE NOT EXISTS (SELECT 1 FROM destruction WHERE seq = OLD.record);
	SELECT RAISE(ABORT, 'the record is on hold') WHERE EXISTS (SELECT 1 FROM held WHERE seq = OLD.record);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER quotation_is_never_altered BEFORE UPDATE OF record, n, digest, origin, salt, id, sender, text, protobuf ON quotation
BEGIN
	SELECT RAISE(ABORT, 'a quotation is never altered')
		WHERE NEW.record <> OLD.record OR NEW.n <> OLD.n OR NEW.digest <> OLD.digest OR NEW.origin <> OLD.origin
			OR coalesce(NEW.salt, NEW.id, NEW.sender, NEW.text, NEW.protobuf) IS NOT NULL;
	SELECT RAISE(ABORT, 'a quotation is destroyed by a disposal run and in no other way')
		WHERE OLD.salt IS NOT NULL AND NOT EXISTS (SELECT 1 FROM destruction WHERE origin = OLD.origin);
	SELECT RAISE(ABORT, 'the record is on hold') WHERE EXISTS (SELECT 1 FROM held WHERE seq = OLD.record);
END;
-- +goose StatementEnd
