package people

import (
	"database/sql"
	"fmt"
	"maps"

	"muniment/internal/record"
	"muniment/internal/sqlite"
)

// ForgetStrangers removes what is known of persons who are in no group, not on
// the member register, and neither needed themselves, as senders of surviving records
// are, nor have one of the addresses that are needed, those that such records name.
// Of everybody it removes what nothing surviving bears: the names in imported chats that
// are not among those addresses, and the former push names that are not in pushNames.
func ForgetStrangers(tx *sqlite.Tx, needed map[string]bool, senders map[ID]bool, pushNames map[string]bool) error {
	if err := forgetNames(tx, needed, pushNames); err != nil {
		return fmt.Errorf("forget names: %w", err)
	}
	stays := maps.Clone(senders)
	if stays == nil {
		stays = make(map[ID]bool)
	}
	err := scan(tx, "SELECT jid, person FROM address", func(rows *sql.Rows) error {
		var jid string
		var p ID
		if err := rows.Scan(&jid, &p); err != nil {
			return err
		}
		stays[p] = stays[p] || needed[jid]
		return nil
	})
	if err != nil {
		return err
	}
	var strangers []ID // aliases before those whom they refer to
	err = scan(tx, `
		SELECT id, coalesce(same_as, id) FROM person
		WHERE coalesce(same_as, id) NOT IN (SELECT person FROM participant UNION SELECT person FROM member)
		ORDER BY same_as IS NULL`, func(rows *sql.Rows) error {
		var id, is ID
		if err := rows.Scan(&id, &is); err != nil {
			return err
		}
		if !stays[is] && !stays[id] {
			strangers = append(strangers, id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range strangers {
		for _, q := range []string{
			"DELETE FROM address WHERE person = ?", "DELETE FROM push_name WHERE person = ?", "DELETE FROM person WHERE id = ?",
		} {
			if _, err := tx.Exec(q, p); err != nil {
				return fmt.Errorf("forget strangers: %w", err)
			}
		}
	}
	return nil
}

func forgetNames(tx *sqlite.Tx, needed, pushNames map[string]bool) error {
	var authors []string
	if err := scan(tx, "SELECT jid FROM address", func(rows *sql.Rows) error {
		var a record.Address
		err := rows.Scan(&a.JID)
		if _, exported := ExportedName(a); exported && !needed[a.JID] {
			authors = append(authors, a.JID)
		}
		return err
	}); err != nil {
		return err
	}
	for _, jid := range authors {
		if _, err := tx.Exec("DELETE FROM address WHERE jid = ?", jid); err != nil {
			return err
		}
	}
	var former []string
	if err := scan(tx, "SELECT DISTINCT name FROM push_name WHERE until <> ''", func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		if !pushNames[name] {
			former = append(former, name)
		}
		return err
	}); err != nil {
		return err
	}
	for _, name := range former {
		if _, err := tx.Exec("DELETE FROM push_name WHERE name = ? AND until <> ''", name); err != nil {
			return err
		}
	}
	return nil
}

// Says reports whether an address, a push name or the member register holds fragment.
func Says(tx *sqlite.Tx, fragment []byte) (says bool, err error) {
	if err := tx.QueryRow(`
		SELECT EXISTS (SELECT 1 FROM push_name WHERE instr(CAST(name AS BLOB), ?1))
			OR EXISTS (SELECT 1 FROM address WHERE instr(CAST(jid AS BLOB), ?1))
			OR EXISTS (SELECT 1 FROM member WHERE instr(CAST(name AS BLOB), ?1) OR instr(CAST(role AS BLOB), ?1)
				OR instr(CAST(email AS BLOB), ?1) OR instr(CAST(absent AS BLOB), ?1) OR instr(CAST(alternative AS BLOB), ?1)
				OR instr(CAST(notice_version AS BLOB), ?1))`, fragment).Scan(&says); err != nil {
		return false, fmt.Errorf("search the people: %w", err)
	}
	return says, nil
}
