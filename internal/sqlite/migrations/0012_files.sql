-- Owner: disposal. How many files went with the records of a run.

-- +goose Up
ALTER TABLE disposal_run ADD COLUMN media INTEGER NOT NULL DEFAULT 0;
