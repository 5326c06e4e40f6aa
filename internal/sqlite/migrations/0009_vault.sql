-- Owner: vault. The files that messages bring: where each is fetched and checked
-- and opened with what, and what became of it. A file without its key is of no use,
-- and the key goes with the record.

-- +goose Up
CREATE TABLE media (
	seq          INTEGER PRIMARY KEY, -- the record that brings it
	type         TEXT NOT NULL,
	name         TEXT NOT NULL,
	mime         TEXT NOT NULL,
	size         INTEGER NOT NULL,    -- bytes: as the sender says; once it is kept, as it is
	path         TEXT NOT NULL,       -- where on WhatsApp's servers
	key          BLOB NOT NULL,
	digest       BLOB NOT NULL,       -- SHA-256 of the file
	sealed       BLOB NOT NULL,       -- SHA-256 of the file as delivered; so it is called in the media directory
	state        TEXT NOT NULL CHECK (state IN ('wanted', 'kept', 'lost')),
	reason       TEXT NOT NULL,       -- why it is lost
	since        TEXT NOT NULL,       -- wanted; when our own disk failed last, if that was later
	attempts     INTEGER NOT NULL DEFAULT 0,
	wrong        INTEGER NOT NULL DEFAULT 0, -- of these, how many brought something else
	next_attempt TEXT NOT NULL,       -- while wanted
	finished_at  TEXT,                -- kept or lost
	CHECK ((state = 'lost') = (reason <> '')),
	CHECK ((state = 'wanted') = (finished_at IS NULL)),
	CHECK (state = 'lost' OR length(key) = 32 AND length(digest) = 32 AND length(sealed) = 32)
) STRICT;
CREATE INDEX media_sealed ON media (sealed);
CREATE INDEX media_wanted ON media (next_attempt) WHERE state = 'wanted';
