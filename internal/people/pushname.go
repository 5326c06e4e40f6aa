package people

import (
	"database/sql"
	"fmt"
	"time"

	"muniment/internal/sqlite"
)

// PushName is what somebody calls himself, or once did. Nobody has verified it.
type PushName struct {
	Name  string
	Since time.Time // when it was first seen
	Until time.Time // when another was seen; zero: it is the latest
}

// callsHimself notes that p calls himself name now.
func callsHimself(tx *sqlite.Tx, now time.Time, p ID, name string) error {
	if _, err := tx.Exec("UPDATE push_name SET until = ? WHERE person = ? AND until = ''", sqlite.FormatTime(now), p); err != nil {
		return fmt.Errorf("note a push name: %w", err)
	}
	if _, err := tx.Exec(`
		INSERT INTO push_name (person, name, since) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET until = ''`,
		p, name, sqlite.FormatTime(now)); err != nil {
		return fmt.Errorf("note a push name: %w", err)
	}
	return nil
}

// mergePushNames gives elder the names of younger. Of two that were both the latest, the
// one that was first seen later is.
func mergePushNames(tx *sqlite.Tx, now time.Time, elder, younger ID) error {
	if _, err := tx.Exec(`
		INSERT INTO push_name (person, name, since, until) SELECT ?, name, since, until FROM push_name WHERE person = ?
		ON CONFLICT DO UPDATE SET since = min(since, excluded.since),
			until = CASE WHEN until = '' OR excluded.until = '' THEN '' ELSE max(until, excluded.until) END`,
		elder, younger); err != nil {
		return fmt.Errorf("merge push names: %w", err)
	}
	if _, err := tx.Exec("DELETE FROM push_name WHERE person = ?", younger); err != nil {
		return fmt.Errorf("merge push names: %w", err)
	}
	if _, err := tx.Exec(`
		UPDATE push_name SET until = ?2 WHERE person = ?1 AND until = ''
			AND name <> (SELECT name FROM push_name WHERE person = ?1 AND until = '' ORDER BY since DESC, name LIMIT 1)`,
		elder, sqlite.FormatTime(now)); err != nil {
		return fmt.Errorf("merge push names: %w", err)
	}
	return nil
}

// pushNames returns what everybody has called himself, the latest first.
func pushNames(tx *sqlite.Tx) (map[ID][]PushName, error) {
	of := make(map[ID][]PushName)
	return of, scan(tx, "SELECT person, name, since, until FROM push_name ORDER BY until = '' DESC, until DESC, name", func(rows *sql.Rows) error {
		var p ID
		var n PushName
		var since, until string
		err := rows.Scan(&p, &n.Name, &since, &until)
		if err == nil {
			n.Since, err = sqlite.ParseTime(since)
		}
		if err == nil {
			n.Until, err = sqlite.ParseTime(until)
		}
		of[p] = append(of[p], n)
		return err
	})
}
