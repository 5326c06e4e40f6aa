-- Owner: history. What the council's phone offers of the past comes in pieces. Each is fetched,
-- read, and settled with the phone, once; what became of it is kept. And what the phone was
-- asked for, of the times of which something is missing.

-- +goose Up
CREATE TABLE history (
	id           INTEGER PRIMARY KEY,
	message_id   TEXT NOT NULL UNIQUE,  -- of the phone's notice
	offered_at   TEXT NOT NULL,
	kind         TEXT NOT NULL,         -- what WhatsApp calls this sort of piece
	chunk        INTEGER NOT NULL,
	progress     INTEGER NOT NULL,      -- per cent, as the phone counts
	-- Where it is, and how to check and open it; emptied in the end.
	path         TEXT NOT NULL,
	file_key     BLOB NOT NULL,
	digest       BLOB NOT NULL,
	sealed       BLOB NOT NULL,
	size         INTEGER NOT NULL,
	handle       TEXT NOT NULL,
	state        TEXT NOT NULL CHECK (state IN ('inline', 'offered', 'read', 'done', 'lost')),
	reason       TEXT NOT NULL DEFAULT '',  -- why it is lost, or was not read
	attempts     INTEGER NOT NULL DEFAULT 0,
	next_attempt TEXT NOT NULL,
	asked_at     TEXT,                      -- when the phone was asked to upload it once more
	finished_at  TEXT,
	-- What there was in it of listed groups, and what became of that.
	fresh        INTEGER NOT NULL DEFAULT 0,
	known        INTEGER NOT NULL DEFAULT 0,
	early        INTEGER NOT NULL DEFAULT 0, -- before the record began
	due          INTEGER NOT NULL DEFAULT 0, -- past its period
	unread       INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX history_open ON history (id) WHERE state IN ('offered', 'read');

CREATE TABLE history_request (
	gap         INTEGER NOT NULL,
	group_jid   TEXT NOT NULL,
	since       TEXT NOT NULL,  -- the time of which something is missing
	until       TEXT NOT NULL,
	-- The message before which the phone is asked for more; empty until there is one.
	anchor_id   TEXT NOT NULL DEFAULT '',
	anchor_own  INTEGER NOT NULL DEFAULT 0,
	anchor_sent TEXT,
	asked       INTEGER NOT NULL DEFAULT 0,
	silent      INTEGER NOT NULL DEFAULT 0, -- how often in a row without an answer
	asked_at    TEXT,
	waiting     INTEGER NOT NULL DEFAULT 0, -- for an answer
	ask_at      TEXT,                       -- null: it is over
	outcome     TEXT NOT NULL DEFAULT '',
	PRIMARY KEY (gap, group_jid)
) STRICT;
