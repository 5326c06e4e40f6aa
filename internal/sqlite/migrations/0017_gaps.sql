-- Owner: archive. Gaps in what is known of a group: changes of who is in it that
-- nobody told, and times in which the council's account was not in it.

-- +goose Up
CREATE TABLE gap_of_any_kind (
	id        INTEGER PRIMARY KEY,
	kind      TEXT NOT NULL CHECK (kind IN ('not connected', 'not linked', 'not decrypted', 'abandoned', 'list of participants', 'not in the group')),
	origin    BLOB,            -- of the message that could not be decrypted
	group_jid TEXT NOT NULL,   -- empty: every group
	opened_at TEXT NOT NULL,
	cause     TEXT NOT NULL,
	closed_at TEXT
) STRICT;
INSERT INTO gap_of_any_kind SELECT id, kind, origin, group_jid, opened_at, cause, closed_at FROM gap;
DROP TABLE gap;
ALTER TABLE gap_of_any_kind RENAME TO gap;
CREATE UNIQUE INDEX gap_origin ON gap (origin) WHERE origin IS NOT NULL;
CREATE INDEX gap_open ON gap (kind) WHERE closed_at IS NULL;

-- Up to when it is known, without a break, who is in a group, and WhatsApp's version of
-- the list of participants then: each change names the version before it.
CREATE TABLE group_list (
	group_jid TEXT PRIMARY KEY,
	version   TEXT NOT NULL,
	at        TEXT NOT NULL
) STRICT, WITHOUT ROWID;
