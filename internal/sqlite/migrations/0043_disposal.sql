-- Owner: disposal. What was approved, what is destroyed early, reminders, and of which groups a
-- run destroyed records, which was one growing text.

-- +goose Up
ALTER TABLE disposal_list ADD COLUMN digest TEXT NOT NULL DEFAULT '';      -- of what was on it when it was approved
ALTER TABLE disposal_list ADD COLUMN because TEXT NOT NULL DEFAULT '';     -- early disposal: why; empty: what is on it is due
ALTER TABLE disposal_list ADD COLUMN proposed_by TEXT NOT NULL DEFAULT ''; -- early disposal: by whom,
ALTER TABLE disposal_list ADD COLUMN proposer TEXT NOT NULL DEFAULT '';    -- and in which role
ALTER TABLE disposal_item ADD COLUMN approved INTEGER NOT NULL DEFAULT 0;  -- it was on the list when that was approved
ALTER TABLE disposal_entry ADD COLUMN approved INTEGER NOT NULL DEFAULT 0;
UPDATE disposal_item SET approved = 1 WHERE list IN (SELECT id FROM disposal_list WHERE approved_at IS NOT NULL);

CREATE TABLE disposal_reminder (
	id       INTEGER PRIMARY KEY,
	list     INTEGER NOT NULL REFERENCES disposal_list (id),
	week     INTEGER NOT NULL, -- since the list was drawn up
	to_chair INTEGER NOT NULL,
	UNIQUE (list, week)
) STRICT;

-- Until the certificate tells.
CREATE TABLE disposal_group (
	seq  INTEGER PRIMARY KEY,
	run  INTEGER NOT NULL REFERENCES disposal_run (id),
	name TEXT NOT NULL -- the group's; empty: it is not configured any more
) STRICT;
CREATE INDEX disposal_group_run ON disposal_group (run);
INSERT INTO disposal_group (seq, run, name)
	SELECT s.value, r.id, g.key FROM disposal_run r, json_each(r.groups) g, json_each(g.value) s WHERE r.finished_at IS NULL;
ALTER TABLE disposal_run DROP COLUMN groups;
