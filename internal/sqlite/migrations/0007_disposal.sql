-- Owner: disposal. Lists of what falls due, their approval, runs and certificates.

-- +goose Up
CREATE TABLE disposal_list (
	id          INTEGER PRIMARY KEY,
	drawn_up_at TEXT NOT NULL,
	destroy_on  TEXT NOT NULL, -- London date, not before
	approved_by TEXT,
	approver    TEXT,          -- the approver's role
	approved_at TEXT,
	closed_at   TEXT           -- run, or lapsed
) STRICT;
CREATE INDEX disposal_list_open ON disposal_list (destroy_on) WHERE closed_at IS NULL;

CREATE TABLE disposal_item (
	seq  INTEGER PRIMARY KEY,
	list INTEGER NOT NULL REFERENCES disposal_list (id)
) STRICT;
CREATE INDEX disposal_item_list ON disposal_item (list);

CREATE TABLE disposal_run (
	id          INTEGER PRIMARY KEY,
	list        INTEGER NOT NULL UNIQUE REFERENCES disposal_list (id),
	started_at  TEXT NOT NULL,
	authority   TEXT NOT NULL, -- what the approval rests on
	unsearched  INTEGER NOT NULL DEFAULT 0, -- destroyed, but never searched for: the run was interrupted
	residue     INTEGER NOT NULL DEFAULT 0, -- fragments that the last search found
	finished_at TEXT,
	certificate TEXT           -- JSON
) STRICT;
