-- Owner: alert. What is wrong, or has happened, that somebody of the council is told of at
-- once; and what was told.

-- +goose Up
CREATE TABLE alert (
	id        INTEGER PRIMARY KEY,
	topic     TEXT NOT NULL,                -- what is one matter, whichever kind of it
	about     TEXT NOT NULL,                -- which of several: a group's name as configured, or what expires
	kind      TEXT NOT NULL,
	level     INTEGER NOT NULL,
	since     TEXT NOT NULL,
	cause     TEXT NOT NULL,                -- sentences of the program's
	number    INTEGER NOT NULL,             -- of what there is now; of events, of those not told yet
	rounds    INTEGER NOT NULL DEFAULT 0,   -- how often it has come back
	reminders INTEGER NOT NULL DEFAULT 0,   -- since it was last raised
	well_at   TEXT,                         -- since when it is well again, which is not told yet; null: it is wrong
	ended_at  TEXT                          -- null: open
) STRICT;
CREATE INDEX alert_topic ON alert (topic, about);
CREATE UNIQUE INDEX alert_open ON alert (topic, about) WHERE ended_at IS NULL;

-- Each telling, as it was at its moment.
CREATE TABLE alert_telling (
	id      INTEGER PRIMARY KEY,
	alert   INTEGER NOT NULL REFERENCES alert (id),
	sort    TEXT NOT NULL,
	at      TEXT NOT NULL,
	kind    TEXT NOT NULL,
	since   TEXT NOT NULL,
	until   TEXT,
	cause   TEXT NOT NULL,
	number  INTEGER NOT NULL,
	tries   INTEGER NOT NULL DEFAULT 0,     -- of the alert command
	next_try TEXT                           -- null: it need not be run, or not any more
) STRICT;
CREATE INDEX alert_telling_of ON alert_telling (alert);
CREATE INDEX alert_telling_due ON alert_telling (next_try) WHERE next_try IS NOT NULL;

-- Up to where the journal and the like have been looked through for what is to be told. Of
-- what was there before there were alerts, nobody is told.
CREATE TABLE alert_seen (
	what TEXT PRIMARY KEY,
	upto INTEGER NOT NULL
) STRICT;
INSERT INTO alert_seen SELECT 'journal', coalesce(max(id), 0) FROM journal;
INSERT INTO alert_seen SELECT 'gap', coalesce(max(id), 0) FROM gap;
INSERT INTO alert_seen SELECT 'intake', CAST(replace(coalesce(max(day), '0'), '-', '') AS INTEGER) FROM intake;
