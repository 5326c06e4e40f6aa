-- Owner: archive. Gaps know which message is missing, so that it can be asked for, and how
-- they ended; what was received is accounted for day by day; records that the council's own
-- phone supplied later are told from those that WhatsApp delivered.

-- +goose Up
CREATE TABLE gap_to_be_asked_for (
	id         INTEGER PRIMARY KEY,
	kind       TEXT NOT NULL CHECK (kind IN ('not connected', 'not linked', 'not decrypted', 'not received', 'not delivered',
		'abandoned', 'list of participants', 'not in the group')),
	origin     BLOB,            -- of the message that is missing
	group_jid  TEXT NOT NULL,   -- empty: every group
	opened_at  TEXT NOT NULL,
	cause      TEXT NOT NULL,
	closed_at  TEXT,
	ending     TEXT NOT NULL DEFAULT '',  -- how it was closed, if there is more to say
	-- How the message is asked for; emptied when nobody asks any more.
	message_id TEXT NOT NULL DEFAULT '',
	sender     TEXT NOT NULL DEFAULT '',
	own        INTEGER NOT NULL DEFAULT 0,
	sent       TEXT,                      -- as WhatsApp says; of a time, nothing
	named_by   INTEGER,                   -- the record that answers it or changes it, and shows that it exists
	asked      INTEGER NOT NULL DEFAULT 0,
	asked_at   TEXT,
	ask_at     TEXT,                      -- when to ask next; null: not any more
	supplied   INTEGER NOT NULL DEFAULT 0 -- records of the time that the phone's history brought
) STRICT;
INSERT INTO gap_to_be_asked_for (id, kind, origin, group_jid, opened_at, cause, closed_at)
	SELECT id, kind, origin, group_jid, opened_at, cause, closed_at FROM gap;
DROP TABLE gap;
ALTER TABLE gap_to_be_asked_for RENAME TO gap;
CREATE UNIQUE INDEX gap_origin ON gap (origin) WHERE origin IS NOT NULL;
CREATE INDEX gap_open ON gap (kind) WHERE closed_at IS NULL;
CREATE INDEX gap_ask ON gap (ask_at) WHERE ask_at IS NOT NULL;

-- A row for each run of the daemon and each day of it, in London.
ALTER TABLE intake ADD COLUMN day TEXT NOT NULL DEFAULT '';
UPDATE intake SET day = substr(started_at, 1, 10);

-- Up to which record it is known which messages others name that are not here.
ALTER TABLE archive ADD COLUMN holes_through INTEGER NOT NULL DEFAULT 0;
-- When the council's phone was last seen to be in use.
ALTER TABLE archive ADD COLUMN phone_seen TEXT;

ALTER TABLE record ADD COLUMN supplied INTEGER NOT NULL DEFAULT 0; -- by the council's phone
DROP TRIGGER record_is_never_altered;
-- +goose StatementBegin
CREATE TRIGGER record_is_never_altered BEFORE UPDATE OF
	seq, origin, group_jid, id, sender, sender_alt, push_name, own, sent, captured, version, protobuf, class, salt, leaf,
	by_admin, text_at, import, supplied ON record
BEGIN SELECT RAISE(ABORT, 'a record is never altered'); END;
-- +goose StatementEnd
