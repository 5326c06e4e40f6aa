-- Owner: disposal. Entries of the access log on disposal lists.

-- +goose Up
CREATE TABLE disposal_entry (
	id   INTEGER PRIMARY KEY, -- of the journal's entry
	list INTEGER NOT NULL REFERENCES disposal_list (id)
) STRICT;
CREATE INDEX disposal_entry_list ON disposal_entry (list);

ALTER TABLE disposal_run ADD COLUMN entries_unsearched INTEGER NOT NULL DEFAULT 0; -- destroyed, and not searched for, as unsearched
