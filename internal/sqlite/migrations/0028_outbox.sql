-- Owner: mail. What an email may have come to for a recipient, and since when it fails.

-- +goose Up
ALTER TABLE recipient ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0;    -- goes before all that is not, and is not counted in the hour's
ALTER TABLE recipient ADD COLUMN failing_since TEXT;                   -- by a fault of its own, not one that holds up all
ALTER TABLE recipient ADD COLUMN kept_back INTEGER NOT NULL DEFAULT 0; -- this run of the program may not send there
ALTER TABLE recipient ADD COLUMN may_have_it INTEGER NOT NULL DEFAULT 0; -- an answer was lost: the same bytes are kept until it is known

DROP INDEX recipient_state;
CREATE INDEX recipient_owed ON recipient (urgent, next_attempt) WHERE finished_at IS NULL AND NOT kept_back;
CREATE INDEX recipient_state ON recipient (state);
