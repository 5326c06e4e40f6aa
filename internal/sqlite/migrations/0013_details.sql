-- Owner: archive. What records say besides their text, and which were imported.

-- +goose Up
ALTER TABLE record ADD COLUMN details TEXT NOT NULL DEFAULT '';      -- JSON; empty: nothing
ALTER TABLE record ADD COLUMN import INTEGER NOT NULL DEFAULT 0;     -- the import that brought it; 0: received

DROP TRIGGER record_is_never_altered;
-- +goose StatementBegin
CREATE TRIGGER record_is_never_altered BEFORE UPDATE OF
	seq, origin, kind, type, group_jid, id, sender, sender_alt, push_name, own, sent, captured,
	text, emoji, target, mentions, participants, version, protobuf, class, salt, leaf,
	file_name, file_sealed, by_admin, text_at, details, import ON record
BEGIN SELECT RAISE(ABORT, 'a record is never altered'); END;
-- +goose StatementEnd

-- Which kinds follow a message is the program's to say.
DROP TRIGGER record_due_is_fixed;
-- +goose StatementBegin
CREATE TRIGGER record_due_is_fixed BEFORE UPDATE OF due, due_from, years ON record
WHEN NOT (OLD.due_from = 'own' AND NEW.due_from = 'parent')
BEGIN SELECT RAISE(ABORT, 'a due date is fixed once'); END;
-- +goose StatementEnd
