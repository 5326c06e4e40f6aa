-- Owner: archive. The name of an export's file is that of a person where the chat is
-- private, or a number. What file it was, its digest tells.

-- +goose Up
ALTER TABLE import DROP COLUMN file_name;
