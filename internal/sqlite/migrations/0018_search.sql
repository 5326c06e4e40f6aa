-- Owner: archive. What a search finds: everything that has words, and of the changes of
-- a group only what somebody wrote. The condition is archive.searchable.

-- +goose Up
DROP TRIGGER record_is_not_searchable;
-- +goose StatementBegin
CREATE TRIGGER record_is_not_searchable AFTER DELETE ON record
WHEN (OLD.text <> '' OR OLD.file_name <> '') AND (OLD.kind <> 'group' OR OLD.type IN ('subject', 'description', 'notice'))
	AND OLD.seq <= (SELECT indexed FROM archive)
BEGIN INSERT INTO record_search (record_search, rowid, text, file_name) VALUES ('delete', OLD.seq, OLD.text, OLD.file_name); END;
-- +goose StatementEnd

-- What is read later than it was captured is found by what it says now.
-- +goose StatementBegin
CREATE TRIGGER record_is_searchable_anew AFTER UPDATE OF kind, type, text, file_name ON record
WHEN OLD.seq <= (SELECT indexed FROM archive)
BEGIN
	INSERT INTO record_search (record_search, rowid, text, file_name) SELECT 'delete', OLD.seq, OLD.text, OLD.file_name
		WHERE (OLD.text <> '' OR OLD.file_name <> '') AND (OLD.kind <> 'group' OR OLD.type IN ('subject', 'description', 'notice'));
	INSERT INTO record_search (rowid, text, file_name) SELECT NEW.seq, NEW.text, NEW.file_name
		WHERE (NEW.text <> '' OR NEW.file_name <> '') AND (NEW.kind <> 'group' OR NEW.type IN ('subject', 'description', 'notice'));
END;
-- +goose StatementEnd
