-- Owner: flag. Which messages the clerk has said are no concern. What is flagged is derived
-- from the records; who said so and why stands in the journal.

-- +goose Up
CREATE TABLE no_concern (
	seq     INTEGER NOT NULL, -- of the message
	concern TEXT NOT NULL CHECK (concern IN ('personal', 'meeting')),
	at      TEXT NOT NULL,    -- what was said in it later is flagged anew
	PRIMARY KEY (seq, concern, at)
) STRICT, WITHOUT ROWID;
