-- Owner: archive. Anybody in a group can name messages that never were. Of how many a sender's
-- records can show in a day that they are missing, each as a gap of its own, is bounded; how
-- often more were named, one gap counts.

-- +goose Up
ALTER TABLE gap ADD COLUMN further INTEGER NOT NULL DEFAULT 0;
CREATE INDEX gap_opened ON gap (opened_at) WHERE named_by IS NOT NULL;
