package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/record"
	"muniment/internal/sqlite"
	"muniment/internal/verify"
)

// proveAll CONFIG proves every record, as the command does, and fails if a proof holds a
// number or address by which WhatsApp knows anybody.
func proveAll() {
	if err := proveEach(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func proveEach(path string) error {
	c, err := config.Load(path)
	if err != nil {
		return err
	}
	home := daemon.Home(c.StateDirectory)
	key, err := home.OpenKey()
	if err != nil {
		return err
	}
	db, err := home.OpenArchive(context.Background())
	if err != nil {
		return err
	}
	defer db.Close()
	users, err := usersIn(db.Path())
	if err != nil {
		return err
	}
	return db.Write(context.Background(), func(tx *sqlite.Tx) error {
		proved, words := 0, 0
		if err := archive.Each(tx, func(r archive.Record) error {
			may, err := provable(tx, r.Seq)
			if err != nil {
				return err
			}
			p, err := verify.Prove(tx, key, now(), r.Seq, may)
			if err != nil {
				return fmt.Errorf("record %d: %w", r.Seq, err)
			}
			b, err := json.Marshal(p)
			if err != nil {
				return err
			}
			for _, user := range users {
				if strings.Contains(string(b), user) {
					return fmt.Errorf("the proof of record %d holds an address: %s", r.Seq, b)
				}
			}
			proven, err := p.Check()
			if err != nil {
				return fmt.Errorf("record %d: %w", r.Seq, err)
			}
			if says(proven, "text", r.Text) || says(proven, "words", record.Words(r.Text, r.Mentions)) {
				words++
			}
			proved++
			return nil
		}); err != nil {
			return err
		}
		fmt.Printf("%d records proved, %d with their words\n", proved, words)
		return nil
	})
}

func says(p verify.Proven, name, text string) bool {
	value, proved := p.Value(name)
	return text != "" && proved && value == text
}

// usersIn returns all by which WhatsApp knows somebody, or a group, in an archive.
func usersIn(path string) (users []string, err error) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.Query("SELECT jid FROM address UNION SELECT group_jid FROM record")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var jid string
		if err := rows.Scan(&jid); err != nil {
			return nil, err
		}
		user, _, _ := strings.Cut(jid, "@")
		if len(user) >= 7 { // no account or group has fewer digits
			users = append(users, user)
		}
	}
	if len(users) < 5 {
		err = errors.New("hardly anybody is known")
	}
	return users, errors.Join(err, rows.Err())
}
