-- Owner: forward. Marks, and the conversations they forward.

-- +goose Up
CREATE TABLE conversation (
	id            INTEGER PRIMARY KEY,
	target        BLOB NOT NULL,    -- origin of the marked message
	state         TEXT NOT NULL CHECK (state IN ('settling', 'settled', 'taken back', 'nothing new', 'not kept')),
	pause_seconds INTEGER NOT NULL, -- the rule that chooses the messages
	at_most       INTEGER NOT NULL,
	cut           INTEGER NOT NULL DEFAULT 0,
	continues     INTEGER REFERENCES conversation (id) -- whose growth this one forwards
) STRICT;
CREATE UNIQUE INDEX conversation_settling ON conversation (target) WHERE state = 'settling';
CREATE INDEX conversation_target ON conversation (target);

CREATE TABLE mark (
	reaction     INTEGER PRIMARY KEY, -- seq
	target       BLOB NOT NULL,       -- origin of the marked message
	person       INTEGER NOT NULL,
	emoji        TEXT NOT NULL,
	marked_at    TEXT NOT NULL,
	taken_back   INTEGER NOT NULL DEFAULT 0, -- seq of the reaction that took it back
	stood        INTEGER NOT NULL DEFAULT 0, -- when the conversation settled: the letter names its person
	conversation INTEGER NOT NULL REFERENCES conversation (id)
) STRICT;
CREATE INDEX mark_target ON mark (target, person);
CREATE INDEX mark_conversation ON mark (conversation);

CREATE TABLE forwarded (
	conversation INTEGER NOT NULL REFERENCES conversation (id),
	seq          INTEGER NOT NULL,
	PRIMARY KEY (conversation, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX forwarded_seq ON forwarded (seq);
