-- Owner: disposal. Of which groups a run destroyed records: a stub does not tell.

-- +goose Up
ALTER TABLE disposal_run ADD COLUMN groups TEXT NOT NULL DEFAULT '{}'; -- JSON: record numbers, by the group's name
