-- Owner: people. Who of a group's participants may delete others' messages.

-- +goose Up
ALTER TABLE participant ADD COLUMN admin INTEGER NOT NULL DEFAULT 0;
