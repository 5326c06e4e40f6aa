-- Owner: archive. The accounts of the days of one run of the daemon belong together.

-- +goose Up
ALTER TABLE intake ADD COLUMN run INTEGER NOT NULL DEFAULT 0; -- the number of its first day's account
UPDATE intake SET run = id;
CREATE UNIQUE INDEX intake_day ON intake (run, day);
