package sqlite

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"
)

// Emails of an archive from before an email had recipients and parts are what they were.
func TestEmailsOfAnEarlierLayout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "archive.db")
	db, err := open(path, "immediate")
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 26); err != nil {
		t.Fatal(err)
	}
	const at = "2026-11-02T09:00:00.000Z"
	if _, err := db.Exec(`INSERT INTO outbox (id, kind, about, message_id, sender, recipient, queued_at, not_before, composed_at, state, attempts, last_attempt, next_attempt, last_answer, message) VALUES
		(1, 'conversation', 7, 'a@x', 'from@x', 'to@x', ?1, ?1, ?1, 'waiting', 2, ?1, ?1, '451 later', x'0102'),
		(2, 'digest', 20261101, 'b@x', 'from@x', 'clerk@x', ?1, ?1, NULL, 'handed over', 1, ?1, ?1, '250 ok', NULL)`, at); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query(`SELECT kind || ' ' || about || ' part ' || part || ' for ' || address || ': ' || state || ', ' || attempts || ', ' || last_answer || ', ' || coalesce(hex(message), '')
		FROM email JOIN recipient ON email = id ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		got = append(got, s)
	}
	want := []string{"conversation 7 part 1 for to@x: queued, 2, 451 later, 0102", "digest 20261101 part 1 for clerk@x: handed over, 1, 250 ok, "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("emails (-want +got)\n%s", diff)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// Holds of an archive from before there were kinds stay what they were, and in force.
func TestHoldsOfAnEarlierLayout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "archive.db")
	db, err := open(path, "immediate")
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 35); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`
		INSERT INTO hold (id, scope, search, review_on, reason, placed_by, placed_at) VALUES (4, 'records', 'culvert', '2027-05-01', 'request', 'Jo', '2026-11-02T09:00:00.000Z');
		INSERT INTO hold_record (hold, seq) VALUES (4, 7), (4, 9)`); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := db.QueryRow(`SELECT concat_ws(' ', id, kind, case_ref, scope, search, ahead, review_on, reason, placed_by, placed_at, coalesce(released_at, 'in force'),
		(SELECT group_concat(seq) FROM hold_record WHERE hold = hold.id)) FROM hold`).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if want := "4 other  records culvert 0 2027-05-01 request Jo 2026-11-02T09:00:00.000Z in force 7,9"; got != want {
		t.Errorf("the hold is\n%s, want\n%s", got, want)
	}
	if _, err := db.Exec("DELETE FROM hold WHERE id = 4"); err == nil {
		t.Error("what a hold covers does not refer to it any more")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
