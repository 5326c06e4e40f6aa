-- Owner: archive. What a restore from a backup leaves: a time that was lost with the machine,
-- how often it was done, and that what was destroyed since the backup is destroyed again.

-- +goose Up
CREATE TABLE gap_of_a_restore (
	id         INTEGER PRIMARY KEY,
	kind       TEXT NOT NULL CHECK (kind IN ('not connected', 'not linked', 'not decrypted', 'not received', 'not delivered',
		'abandoned', 'list of participants', 'not in the group', 'lost with the machine')),
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
	supplied   INTEGER NOT NULL DEFAULT 0, -- records of the time that the phone's history brought
	further    INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO gap_of_a_restore (id, kind, origin, group_jid, opened_at, cause, closed_at, ending, message_id, sender, own, sent, named_by,
		asked, asked_at, ask_at, supplied, further)
	SELECT id, kind, origin, group_jid, opened_at, cause, closed_at, ending, message_id, sender, own, sent, named_by,
		asked, asked_at, ask_at, supplied, further FROM gap;
DROP TABLE gap;
ALTER TABLE gap_of_a_restore RENAME TO gap;
CREATE UNIQUE INDEX gap_origin ON gap (origin) WHERE origin IS NOT NULL;
CREATE INDEX gap_open ON gap (kind) WHERE closed_at IS NULL;
CREATE INDEX gap_ask ON gap (ask_at) WHERE ask_at IS NOT NULL;
CREATE INDEX gap_opened ON gap (opened_at) WHERE named_by IS NOT NULL;

-- How often the archive was restored: the numbers of what is emailed afterwards may have been
-- used before, so their Message-IDs must be others.
ALTER TABLE archive ADD COLUMN restored INTEGER NOT NULL DEFAULT 0;

-- What the signed account of a run lets through had been destroyed lawfully. A hold that is in
-- force in an old copy had been released by then: it would not have gone else.
ALTER TABLE destruction ADD COLUMN by_account INTEGER NOT NULL DEFAULT 0;
CREATE INDEX destruction_by_account ON destruction (by_account) WHERE by_account = 1;
DROP VIEW held;
CREATE VIEW held (seq) AS
	SELECT r.seq FROM record r CROSS JOIN hold h
	WHERE h.released_at IS NULL AND NOT EXISTS (SELECT 1 FROM destruction WHERE by_account = 1) AND (h.scope = 'all'
		OR h.scope = 'dates' AND r.sent >= h.from_at AND r.sent < h.before_at
		OR h.scope = 'member' AND r.person = h.person
		OR h.scope = 'group' AND r.group_jid = h.group_jid
		OR h.scope = 'records' AND EXISTS (SELECT 1 FROM hold_record i WHERE i.hold = h.id AND i.seq = r.seq));
