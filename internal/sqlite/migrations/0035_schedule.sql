-- Owner: archive. The retention schedule in force, as the journal last told it: a row for
-- each rule, and for each group if it is only for some. Destruction goes by it.

-- +goose Up
CREATE TABLE schedule (
	rule      INTEGER NOT NULL, -- its place, from 0
	of_class  TEXT NOT NULL,
	of_group  TEXT NOT NULL,    -- JID; empty: all groups
	period    INTEGER NOT NULL, -- years; 9999: for good
	counts    TEXT NOT NULL,    -- what the period counts from
	covers    TEXT NOT NULL,
	authority TEXT NOT NULL,
	PRIMARY KEY (rule, of_group)
) STRICT, WITHOUT ROWID;

ALTER TABLE archive ADD COLUMN minute TEXT NOT NULL DEFAULT ''; -- that adopted the schedule
INSERT INTO schedule SELECT 0, 'WA-MSG', '', years, 'message', '', '' FROM archive;
INSERT INTO schedule SELECT 1, 'WA-ROSTER', '', years, 'list', '', '' FROM archive;
ALTER TABLE archive DROP COLUMN years;
