-- Owner: backup. The register of backups: the sealed files, where they lie, and what is known of their end.

-- +goose Up
CREATE TABLE backup (
	id             INTEGER PRIMARY KEY,
	directory      TEXT NOT NULL,              -- in which it was made
	name           TEXT NOT NULL,              -- of the file there
	made_at        TEXT NOT NULL,              -- what it holds is the archive as it was then
	bytes          INTEGER NOT NULL,           -- of the file
	digest         BLOB NOT NULL,              -- SHA-256 of the file; empty: it was found there
	leaves         INTEGER NOT NULL,           -- of the ledger in it; 0: likewise
	records        INTEGER NOT NULL,
	sent_at        TEXT,                       -- since when a copy of it may be elsewhere; null: there is none by our doing
	copied_at      TEXT,                       -- since when one certainly is
	gone_at        TEXT,                       -- from its directory; null: it is there
	remote_gone_at TEXT,                       -- likewise every copy by our doing
	UNIQUE (directory, name)
) STRICT;
