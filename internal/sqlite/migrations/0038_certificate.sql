-- Owner: disposal. What is proved of a destruction, and what certifies it.

-- +goose Up
ALTER TABLE disposal_run ADD COLUMN searched_at TEXT;                        -- since when the files are known to be clean; null: they were not searched yet
ALTER TABLE disposal_run ADD COLUMN searched INTEGER NOT NULL DEFAULT 0;     -- records that were searched for, of those destroyed
ALTER TABLE disposal_run ADD COLUMN files INTEGER NOT NULL DEFAULT 0;        -- files that were read then,
ALTER TABLE disposal_run ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;        -- and their bytes
ALTER TABLE disposal_run ADD COLUMN counts TEXT NOT NULL DEFAULT '{}';       -- JSON: what was destroyed, and the copies of it

-- What was issued of a run: first an interim certificate as long as a backup may hold what
-- was destroyed, and then the final one; or the final one at once.
CREATE TABLE certificate (
	id         INTEGER PRIMARY KEY,
	run        INTEGER NOT NULL REFERENCES disposal_run (id),
	status     TEXT NOT NULL, -- interim, final
	issued_at  TEXT NOT NULL,
	body       TEXT NOT NULL, -- JSON; the journal's entry of the issue commits to its digest
	note       TEXT NOT NULL, -- the digest, signed; empty: it was issued before that was done
	checkpoint TEXT NOT NULL, -- signed; it covers that entry
	UNIQUE (run, status)
) STRICT;
INSERT INTO certificate (run, status, issued_at, body, note, checkpoint)
	SELECT id, 'final', finished_at, certificate, '', coalesce(certificate ->> 'checkpoint', '') FROM disposal_run WHERE certificate IS NOT NULL;
ALTER TABLE disposal_run DROP COLUMN certificate;
