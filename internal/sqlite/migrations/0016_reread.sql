-- Owner: archive. What could not be read at capture and has been read since: of a kind
-- that the program did not know, or encrypted under the secret of a message that came
-- later. The record's leaf commits to what stands here, and to nothing that it said; the
-- journal commits to the reading, by a digest under salt.

-- +goose Up
CREATE TABLE reread (
	seq    INTEGER PRIMARY KEY, -- the record's
	kind   TEXT NOT NULL,       -- as captured
	type   TEXT NOT NULL,
	target BLOB,
	file   INTEGER NOT NULL,    -- it had one that could be read
	salt   BLOB NOT NULL,
	at     TEXT NOT NULL        -- when it was read first
) STRICT;

CREATE INDEX record_sealed ON record (seq) WHERE type = 'sealed';

-- +goose StatementBegin
CREATE TRIGGER reread_is_as_captured BEFORE INSERT ON reread
WHEN NOT EXISTS (SELECT 1 FROM record r WHERE r.seq = NEW.seq AND r.kind = NEW.kind AND r.type = NEW.type AND r.target IS NEW.target
	AND (r.file_sealed IS NOT NULL) = NEW.file)
BEGIN SELECT RAISE(ABORT, 'only a record as captured can be read again'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER reread_is_never_altered BEFORE UPDATE ON reread
BEGIN SELECT RAISE(ABORT, 'a record is never altered'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER reread_goes_with_its_record BEFORE DELETE ON reread WHEN EXISTS (SELECT 1 FROM record WHERE seq = OLD.seq)
BEGIN SELECT RAISE(ABORT, 'a record is never altered'); END;
-- +goose StatementEnd

DROP TRIGGER record_is_never_altered;
-- +goose StatementBegin
CREATE TRIGGER record_is_never_altered BEFORE UPDATE OF
	seq, origin, group_jid, id, sender, sender_alt, push_name, own, sent, captured, version, protobuf, class, salt, leaf,
	by_admin, text_at, import ON record
BEGIN SELECT RAISE(ABORT, 'a record is never altered'); END;
-- +goose StatementEnd

-- What is read in it may be set where nothing could be read before, and in a vote for an
-- option that was not known.
-- +goose StatementBegin
CREATE TRIGGER record_is_read_once BEFORE UPDATE OF
	kind, type, text, emoji, target, mentions, participants, details, file_name, file_sealed ON record
WHEN NOT (EXISTS (SELECT 1 FROM reread WHERE seq = OLD.seq)
	AND (OLD.kind = 'unsupported' OR NEW.kind = OLD.kind AND NEW.target IS OLD.target)
	AND ((OLD.kind = 'unsupported' OR OLD.type = 'sealed')
			AND OLD.text = '' AND OLD.emoji = '' AND OLD.mentions = 'null' AND OLD.participants = 'null' AND OLD.details = ''
		OR OLD.kind = 'vote' AND OLD.details LIKE '%"unknown":%')
	AND (OLD.file_sealed IS NULL OR NEW.file_sealed IS OLD.file_sealed AND NEW.file_name = OLD.file_name))
BEGIN SELECT RAISE(ABORT, 'a record is never altered'); END;
-- +goose StatementEnd

-- What follows a record of which it turns out that it follows a message itself goes by
-- that message's clock with it.
DROP TRIGGER record_due_is_fixed;
-- +goose StatementBegin
CREATE TRIGGER record_due_is_fixed BEFORE UPDATE OF due, due_from, years ON record
WHEN NOT (NEW.due_from = 'parent' AND (OLD.due_from = 'own'
	OR EXISTS (SELECT 1 FROM record p JOIN reread r ON r.seq = p.seq WHERE p.origin = OLD.target)))
BEGIN SELECT RAISE(ABORT, 'a due date is fixed once'); END;
-- +goose StatementEnd
