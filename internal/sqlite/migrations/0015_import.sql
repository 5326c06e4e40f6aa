-- Owner: archive. Imports of phones' own exports of a chat, from the time before the link.

-- +goose Up
CREATE TABLE import (
	id          INTEGER PRIMARY KEY,
	group_jid   TEXT NOT NULL,
	digest      BLOB NOT NULL CHECK (length(digest) = 32), -- SHA-256 of the file
	file_name   TEXT NOT NULL,
	zone        TEXT NOT NULL,    -- of the phone
	unit        INTEGER NOT NULL, -- seconds, to which its times are exact
	who         TEXT NOT NULL,
	reason      TEXT NOT NULL,
	begun_at    TEXT NOT NULL,
	finished_at TEXT,             -- until then it may be taken up again
	records     INTEGER NOT NULL DEFAULT 0,
	files       INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX record_import ON record (import) WHERE import <> 0;
