-- Owner: archive. What amends a message is looked for by kind and time: whoever pins one
-- a thousand times, or reacts to it, does not make every view go through all of these for
-- each of them.

-- +goose Up
DROP INDEX record_target;
CREATE INDEX record_target ON record (target, kind, sent, seq) WHERE target IS NOT NULL;
