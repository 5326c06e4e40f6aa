-- Owner: people. Who is behind an address, the council's member register, and
-- who is in a group now.

-- +goose Up
CREATE TABLE person (
	id        INTEGER PRIMARY KEY,
	same_as   INTEGER REFERENCES person (id), -- found out later to be this person
	push_name TEXT NOT NULL DEFAULT ''        -- the latest; unverified
) STRICT;
CREATE INDEX person_same_as ON person (same_as) WHERE same_as IS NOT NULL;

CREATE TABLE address (
	jid    TEXT PRIMARY KEY,
	person INTEGER NOT NULL REFERENCES person (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX address_person ON address (person);

CREATE TABLE member (
	id       INTEGER PRIMARY KEY,
	person   INTEGER NOT NULL REFERENCES person (id), -- who comes back has another entry
	name     TEXT NOT NULL,
	role     TEXT NOT NULL,
	email    TEXT NOT NULL DEFAULT '',
	added_at TEXT NOT NULL,
	until    TEXT NOT NULL DEFAULT ''                 -- the moment from which it counts no more; empty: none
) STRICT;
CREATE INDEX member_person ON member (person);

CREATE TABLE participant (
	group_jid TEXT NOT NULL,
	person    INTEGER NOT NULL REFERENCES person (id),
	PRIMARY KEY (group_jid, person)
) STRICT, WITHOUT ROWID;
