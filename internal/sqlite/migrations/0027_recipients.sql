-- Owner: mail. An email may have several recipients, and what came of it is a thing of each;
-- what is too long for one email goes in several, its parts. Of an email whose outcome is known
-- for all of them no content stays: message, which holds the composed letter, is then set to
-- NULL and overwritten (secure_delete).

-- +goose Up
CREATE TABLE email (
	id          INTEGER PRIMARY KEY,
	kind        TEXT NOT NULL,    -- which letter
	about       INTEGER NOT NULL, -- the number of what it is about, by kind
	part        INTEGER NOT NULL, -- from 1
	message_id  TEXT NOT NULL UNIQUE,
	sender      TEXT NOT NULL,
	queued_at   TEXT NOT NULL,
	not_before  TEXT NOT NULL,
	composed_at TEXT,             -- the time that the letter bears
	message     BLOB              -- the letter, the same bytes for everybody and at every attempt
) STRICT;
CREATE UNIQUE INDEX email_about ON email (kind, about, part);

CREATE TABLE recipient (
	email        INTEGER NOT NULL REFERENCES email (id),
	address      TEXT NOT NULL,
	state        TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'outcome unknown', 'handed over', 'refused', 'expired', 'cancelled')),
	attempts     INTEGER NOT NULL DEFAULT 0,
	last_attempt TEXT,
	next_attempt TEXT NOT NULL,    -- while it is open
	last_answer  TEXT NOT NULL DEFAULT '', -- the server's words, which may hold addresses
	finished_at  TEXT,
	PRIMARY KEY (email, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX recipient_state ON recipient (state, next_attempt);
CREATE INDEX recipient_attempted ON recipient (last_attempt);

INSERT INTO email (id, kind, about, part, message_id, sender, queued_at, not_before, composed_at, message)
	SELECT id, kind, about, 1, message_id, sender, queued_at, not_before, composed_at, message FROM outbox;
INSERT INTO recipient (email, address, state, attempts, last_attempt, next_attempt, last_answer, finished_at)
	SELECT id, recipient, CASE state WHEN 'waiting' THEN 'queued' ELSE state END,
		attempts, last_attempt, next_attempt, last_answer, finished_at FROM outbox;
DROP TABLE outbox;
