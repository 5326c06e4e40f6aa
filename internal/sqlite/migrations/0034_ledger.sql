-- Owner: archive. In which form a record's leaf was made; see internal/ledger/FORMAT.md. What
-- is captured from now on can be proved without disclosing by which numbers WhatsApp knows
-- people. A checkpoint may have a time stamp of an authority, RFC 3161.

-- +goose Up
ALTER TABLE record ADD COLUMN form INTEGER NOT NULL DEFAULT 1;
-- +goose StatementBegin
CREATE TRIGGER record_form_is_fixed BEFORE UPDATE OF form ON record
BEGIN SELECT RAISE(ABORT, 'a record is never altered'); END;
-- +goose StatementEnd

ALTER TABLE checkpoint ADD COLUMN stamp BLOB; -- the authority's token over the note
