-- Owner: forward. Corrections of conversations that were forwarded before their
-- messages were edited or deleted.

-- +goose Up
CREATE TABLE correction (
	id           INTEGER PRIMARY KEY,
	conversation INTEGER NOT NULL REFERENCES conversation (id)
) STRICT;
CREATE INDEX correction_conversation ON correction (conversation);
