-- Owner: people. Terms, absences and notices on the member register, and what people
-- have called themselves.

-- +goose Up
ALTER TABLE member RENAME TO old_member;
DROP INDEX member_person;
CREATE TABLE member (
	id             INTEGER PRIMARY KEY AUTOINCREMENT, -- a number is never given again: holds and the journal name it
	person         INTEGER NOT NULL REFERENCES person (id), -- who comes back has another entry
	name           TEXT NOT NULL,
	role           TEXT NOT NULL,
	email          TEXT NOT NULL DEFAULT '',
	from_at        TEXT NOT NULL DEFAULT '', -- the moment from which it counts; empty: not said
	until          TEXT NOT NULL DEFAULT '', -- the moment from which it counts no more; empty: none
	absent         TEXT NOT NULL DEFAULT '', -- why the person is not in the group
	alternative    TEXT NOT NULL DEFAULT '', -- what the person gets instead
	confirmed_at   TEXT NOT NULL DEFAULT '', -- when that was confirmed
	notice_at      TEXT NOT NULL DEFAULT '', -- when the privacy notice was given
	notice_version TEXT NOT NULL DEFAULT '', -- and which
	added_at       TEXT NOT NULL
) STRICT;
INSERT INTO member (id, person, name, role, email, until, added_at) SELECT id, person, name, role, email, until, added_at FROM old_member;
DROP TABLE old_member;
CREATE INDEX member_person ON member (person);

CREATE TABLE push_name (
	person INTEGER NOT NULL REFERENCES person (id),
	name   TEXT NOT NULL,            -- unverified
	since  TEXT NOT NULL,            -- when it was first seen
	until  TEXT NOT NULL DEFAULT '', -- when another was seen; empty: it is the latest
	PRIMARY KEY (person, name)
) STRICT, WITHOUT ROWID;
INSERT INTO push_name (person, name, since) SELECT id, push_name, strftime('%Y-%m-%dT%H:%M:%fZ') FROM person WHERE push_name <> '';
ALTER TABLE person DROP COLUMN push_name;
