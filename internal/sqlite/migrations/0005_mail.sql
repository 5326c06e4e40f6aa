-- Owner: mail. Emails owed, and what became of them. No content stays: message holds
-- the composed letter, which quotes records, from the first attempt until the outcome,
-- and is then set to NULL and overwritten (secure_delete).

-- +goose Up
CREATE TABLE outbox (
	id             INTEGER PRIMARY KEY,
	kind           TEXT NOT NULL,    -- which letter
	about          INTEGER NOT NULL, -- the number of what it is about, by kind
	message_id     TEXT NOT NULL UNIQUE,
	sender         TEXT NOT NULL,
	recipient      TEXT NOT NULL,
	queued_at      TEXT NOT NULL,
	not_before     TEXT NOT NULL,
	composed_at    TEXT,             -- the time that the letter bears
	state          TEXT NOT NULL CHECK (state IN ('waiting', 'handed over', 'refused', 'cancelled')),
	attempts       INTEGER NOT NULL DEFAULT 0,
	last_attempt   TEXT,
	next_attempt   TEXT NOT NULL,    -- while waiting
	last_answer    TEXT NOT NULL DEFAULT '', -- the server's words, which may hold addresses
	finished_at    TEXT,
	message        BLOB,             -- the letter, the same bytes at every attempt
	CHECK (message IS NULL OR state = 'waiting')
) STRICT;
CREATE UNIQUE INDEX outbox_about ON outbox (kind, about);
CREATE INDEX outbox_state ON outbox (state);
CREATE INDEX outbox_attempted ON outbox (last_attempt);
