-- Owner: archive. The records, the quotations taken out of them, what remains of
-- destroyed ones, holds, gaps, and the account of what was received.

-- +goose Up
CREATE TABLE archive (
	id         INTEGER PRIMARY KEY CHECK (id = 1),
	origin_key BLOB NOT NULL, -- keys the HMAC that names a message
	created_at TEXT NOT NULL,
	years      INTEGER NOT NULL DEFAULT 6 -- for which messages are kept, as the journal last said
) STRICT;

CREATE TABLE record (
	seq          INTEGER PRIMARY KEY,
	origin       BLOB NOT NULL UNIQUE, -- HMAC of kind, group, sender and message ID
	kind         TEXT NOT NULL,
	type         TEXT NOT NULL,
	group_jid    TEXT NOT NULL,
	id           TEXT NOT NULL,
	person       INTEGER REFERENCES person (id), -- the sender
	sender       TEXT NOT NULL,        -- as WhatsApp addressed him
	sender_alt   TEXT NOT NULL,
	push_name    TEXT NOT NULL,
	own          INTEGER NOT NULL,
	sent         TEXT NOT NULL,
	captured     TEXT NOT NULL,
	text         TEXT NOT NULL,
	emoji        TEXT NOT NULL,
	target       BLOB,                 -- origin of the message reacted or replied to
	mentions     TEXT NOT NULL,        -- JSON array of JIDs
	participants TEXT NOT NULL,        -- JSON array of addresses
	version      TEXT NOT NULL,
	protobuf     BLOB NOT NULL,
	class        TEXT NOT NULL,
	due          TEXT NOT NULL,        -- London date from whose start it may be destroyed
	due_from     TEXT NOT NULL CHECK (due_from IN ('own', 'parent')),
	years        INTEGER NOT NULL,     -- the period that due rests on
	salt         BLOB NOT NULL,
	leaf         INTEGER NOT NULL UNIQUE
) STRICT;
CREATE INDEX record_target ON record (target) WHERE target IS NOT NULL;
CREATE INDEX record_due ON record (due);
CREATE INDEX record_person ON record (person);
CREATE INDEX record_sent ON record (group_jid, sent, seq);
CREATE INDEX record_unsupported ON record (type) WHERE kind = 'unsupported';

-- Only the due date may change, once, when a parent arrives later, and who the
-- sender is found to be.
-- +goose StatementBegin
CREATE TRIGGER record_is_never_altered BEFORE UPDATE OF
	seq, origin, kind, type, group_jid, id, sender, sender_alt, push_name, own, sent, captured,
	text, emoji, target, mentions, participants, version, protobuf, class, salt, leaf ON record
BEGIN SELECT RAISE(ABORT, 'a record is never altered'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER record_due_is_fixed BEFORE UPDATE OF due, due_from, years ON record
WHEN NOT (OLD.kind = 'reaction' AND OLD.due_from = 'own' AND NEW.due_from = 'parent')
BEGIN SELECT RAISE(ABORT, 'a due date is fixed once'); END;
-- +goose StatementEnd

CREATE TABLE quotation (
	record   INTEGER NOT NULL, -- the reply's seq
	n        INTEGER NOT NULL, -- its place in the reply, from 0
	digest   BLOB NOT NULL,    -- what the reply's leaf commits to
	origin   BLOB NOT NULL,    -- of the message quoted
	due      TEXT NOT NULL,
	salt     BLOB,             -- these are destroyed with the original
	id       TEXT,
	sender   TEXT,
	text     TEXT,
	protobuf BLOB,
	PRIMARY KEY (record, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX quotation_origin ON quotation (origin);
CREATE INDEX quotation_due ON quotation (due) WHERE salt IS NOT NULL;

CREATE TABLE stub (
	seq          INTEGER PRIMARY KEY,
	origin       BLOB NOT NULL UNIQUE,
	sent_on      TEXT NOT NULL, -- London date
	class        TEXT NOT NULL,
	rule         TEXT NOT NULL,
	destroyed_on TEXT NOT NULL,
	run          INTEGER NOT NULL,
	authority    TEXT NOT NULL, -- the approver's role or the standing minute
	leaf         INTEGER NOT NULL UNIQUE
) STRICT;

CREATE TABLE hold (
	id             INTEGER PRIMARY KEY,
	scope          TEXT NOT NULL CHECK (scope IN ('all')),
	reason         TEXT NOT NULL,
	placed_by      TEXT NOT NULL,
	placed_at      TEXT NOT NULL,
	released_by    TEXT,
	released_at    TEXT,
	release_reason TEXT
) STRICT;

CREATE TABLE gap (
	id        INTEGER PRIMARY KEY,
	kind      TEXT NOT NULL CHECK (kind IN ('not connected', 'not linked', 'not decrypted', 'abandoned')),
	origin    BLOB,            -- of the message that could not be decrypted
	group_jid TEXT NOT NULL,   -- empty: every group
	opened_at TEXT NOT NULL,
	cause     TEXT NOT NULL,
	closed_at TEXT
) STRICT;
CREATE UNIQUE INDEX gap_origin ON gap (origin) WHERE origin IS NOT NULL;
CREATE INDEX gap_open ON gap (kind) WHERE closed_at IS NULL;

-- One row for each time that the daemon ran. received counts at the door, the
-- others where each event ended, so that the sum can be checked.
CREATE TABLE intake (
	id           INTEGER PRIMARY KEY,
	started_at   TEXT NOT NULL,
	seen_at      TEXT NOT NULL, -- the daemon was alive
	received     INTEGER NOT NULL DEFAULT 0,
	captured     INTEGER NOT NULL DEFAULT 0,
	duplicate    INTEGER NOT NULL DEFAULT 0,
	out_of_scope INTEGER NOT NULL DEFAULT 0,
	failed       INTEGER NOT NULL DEFAULT 0
) STRICT;
