-- Owner: forward. Several marks: what each does, and where its emails go; conversations that
-- wait before they are owed, and those forwarded by hand.

-- +goose Up
ALTER TABLE conversation ADD COLUMN mark TEXT NOT NULL DEFAULT 'important'; -- its name; 'by hand': nobody marked it
ALTER TABLE conversation ADD COLUMN does TEXT NOT NULL DEFAULT 'forward' CHECK (does IN ('forward', 'report', 'look'));
ALTER TABLE conversation ADD COLUMN recipient TEXT NOT NULL DEFAULT ''; -- empty: the chair, at the register's address
ALTER TABLE conversation ADD COLUMN about_clerk INTEGER NOT NULL DEFAULT 0; -- a report, and not for the clerk's eyes
ALTER TABLE conversation ADD COLUMN waits TEXT NOT NULL DEFAULT '' CHECK (waits IN ('', 'for an address', 'for another day'));
ALTER TABLE conversation ADD COLUMN owed_at TEXT NOT NULL DEFAULT ''; -- since when there is an email; empty: it waits, or before this was kept
ALTER TABLE conversation ADD COLUMN by_hand TEXT NOT NULL DEFAULT ''; -- for whom

DROP INDEX conversation_settling;
CREATE UNIQUE INDEX conversation_settling ON conversation (target, mark) WHERE state = 'settling';
CREATE INDEX conversation_waits ON conversation (id) WHERE waits <> '';
CREATE INDEX conversation_owed ON conversation (owed_at);

-- Notes that are filed with what was sent, since no mark stands on it any more.
CREATE TABLE withdrawal (
	id           INTEGER PRIMARY KEY,
	conversation INTEGER NOT NULL REFERENCES conversation (id)
) STRICT;
CREATE INDEX withdrawal_conversation ON withdrawal (conversation);
