-- Owner: vault. Files that WhatsApp no longer has, and for which the council's own phone was asked.

-- +goose Up
ALTER TABLE media ADD COLUMN asked INTEGER NOT NULL DEFAULT 0; -- how often
ALTER TABLE media ADD COLUMN asked_at TEXT;                    -- when last
CREATE INDEX media_asked ON media (asked_at) WHERE asked > 0;
