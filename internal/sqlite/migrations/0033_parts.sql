-- Owner: forward. In which part of its email a message of a conversation is.

-- +goose Up
ALTER TABLE forwarded ADD COLUMN part INTEGER NOT NULL DEFAULT 0; -- from 1; 0: not decided, or from before there were parts
