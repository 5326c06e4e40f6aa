package forward

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"muniment/internal/archive"
	"muniment/internal/journal"
	"muniment/internal/mail"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/sqlite"
)

// Wait is why a marked conversation is not owed yet.
type Wait string

// What conversations wait for; see [Post.Resume].
const (
	ForAnAddress  Wait = "for an address"  // of the chair, at the council's own domains
	ForAnotherDay Wait = "for another day" // who marked it has marked [MostADay] others today
)

// MostADay is how many conversations a member can have owed in a day, in London, under
// each mark. Who marks everything would fill the mailbox that others rely upon, and the
// hour's emails with it; what is beyond goes on the next days.
const MostADay = 30

// open makes a conversation around a message, under a mark. No email is owed yet. The
// author is whoever the mark says has sent the message, for when it is not here.
func (f Rules) open(tx *sqlite.Tx, now time.Time, agreed record.Mark, target []byte, author record.Address) (id int64, err error) {
	recipient, aboutClerk := agreed.To, false
	switch agreed.Does {
	case record.Forward:
		recipient = or(agreed.To, f.To)
	case record.Look:
		recipient = or(agreed.To, f.Clerk)
	case record.Report:
		if aboutClerk, err = isClerks(tx, now, target, author); err != nil {
			return 0, err
		}
		recipient = or(agreed.To, f.Clerk)
		if aboutClerk {
			recipient = agreed.AboutClerk // none: the chair's, looked up when it is owed
		}
	}
	err = tx.QueryRow(`
		INSERT INTO conversation (target, state, pause_seconds, at_most, mark, does, recipient, about_clerk)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		target, Settling, int64(f.Choice.Pause/time.Second), f.Choice.AtMost, agreed.Name, agreed.Does, recipient, aboutClerk).Scan(&id)
	return id, err
}

func or(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

// isClerks reports whether a message is of somebody who reads what the clerk is sent: the
// clerk or the deputy in office, or whoever uses the council's own account, unless the
// register says that it is somebody else. Of a message that is not here, its author is who
// the mark says; nothing is sent about it until it is here, see [Rules.Arrived].
func isClerks(tx *sqlite.Tx, now time.Time, target []byte, author record.Address) (bool, error) {
	seq, err := archive.Find(tx, target)
	if err != nil {
		return false, err
	}
	names, err := people.LoadNames(tx)
	if err != nil {
		return false, err
	}
	of := archive.Record{Person: names.Behind(author)}
	if seq != 0 {
		found, err := archive.Some(tx, []record.Seq{seq})
		if err != nil || len(found) == 0 {
			return false, err
		}
		of = found[0]
	}
	entries := slices.DeleteFunc(slices.Clone(names.Entries(of.Person)), func(m people.Member) bool { return !m.InOffice(now) })
	if len(entries) == 0 {
		return of.Own, nil
	}
	return slices.ContainsFunc(entries, clerks), nil
}

// release owes the email of a conversation that is settling, unless it is owed, or has
// to wait. One that joins others who mark it may have it go.
func (p Post) release(tx *sqlite.Tx, now time.Time, id int64, notBefore time.Time) error {
	var recipient, name, owed string
	var waited Wait
	if err := tx.QueryRow("SELECT recipient, mark, waits, owed_at FROM conversation WHERE id = ?", id).Scan(&recipient, &name, &waited, &owed); err != nil {
		return fmt.Errorf("conversation %d: %w", id, err)
	}
	if owed != "" {
		return nil
	}
	var err error
	if recipient == "" {
		if recipient, err = p.Chair(tx, now); err != nil {
			return err
		}
	}
	waits := ForAnAddress
	if recipient != "" {
		if waits, err = wait(tx, now, id, name); err != nil {
			return err
		}
	}
	if waits != "" {
		if _, err := tx.Exec("UPDATE conversation SET waits = ? WHERE id = ?", waits, id); err != nil {
			return fmt.Errorf("conversation %d: %w", id, err)
		}
		if waits == waited {
			return nil
		}
		return journal.Write(tx, journal.Entry{At: now, Who: journal.Daemon, Act: journal.MarkWaits,
			About: journal.About{"conversation": id, "waits": waits}})
	}
	if _, err := tx.Exec("UPDATE conversation SET waits = '', owed_at = ?, recipient = ? WHERE id = ?", sqlite.FormatTime(now), recipient, id); err != nil {
		return fmt.Errorf("conversation %d: %w", id, err)
	}
	return p.queue(tx, now, Letter, id, []string{recipient}, notBefore)
}

// queue owes an email.
func (p Post) queue(tx *sqlite.Tx, now time.Time, kind string, about int64, to []string, notBefore time.Time) error {
	_, err := mail.Queue(tx, now, mail.Item{
		Kind: kind, About: about,
		MessageID: mail.MessageID(kind, about, p.Token, p.From),
		From:      p.From, To: to,
		NotBefore: notBefore,
	})
	return err
}

// wait returns whether a conversation has to wait for another day: all who marked it have
// had as many as they may today.
func wait(tx *sqlite.Tx, now time.Time, id int64, name string) (Wait, error) {
	today := retention.DateOf(now)
	var room bool
	if err := tx.QueryRow(`
		SELECT EXISTS (SELECT 1 FROM mark by WHERE by.conversation = ?1 AND by.taken_back = 0 AND ?2 > (
			SELECT count(DISTINCT c.id) FROM conversation c JOIN mark m ON m.conversation = c.id
			WHERE m.person = by.person AND c.mark = ?3 AND c.owed_at >= ?4 AND c.owed_at < ?5))`,
		id, MostADay, name, sqlite.FormatTime(today.Start()), sqlite.FormatTime(today.AddDays(1).Start())).Scan(&room); err != nil {
		return "", fmt.Errorf("conversation %d: %w", id, err)
	}
	if !room {
		return ForAnotherDay, nil
	}
	return "", nil
}

// Chair returns the address of the chair on the member register, if it is at the council's
// own domains and nobody else's; else none: what is about the clerk is never for
// the clerk.
func (p Post) Chair(tx *sqlite.Tx, now time.Time) (string, error) {
	members, err := people.Members(tx)
	if err != nil {
		return "", err
	}
	others := append([]string{p.Clerk, p.From}, p.Shared...)
	for _, m := range members {
		if clerks(m) && m.InOffice(now) {
			others = append(others, m.Email)
		}
	}
	for _, m := range members {
		isOthers := func(address string) bool { return strings.EqualFold(address, m.Email) }
		if m.Role == "chair" && m.InOffice(now) && p.Owns != nil && p.Owns(m.Email) && !slices.ContainsFunc(others, isOthers) {
			return m.Email, nil
		}
	}
	return "", nil
}

// clerks reports whether m is somebody who reads what the clerk is sent.
func clerks(m people.Member) bool { return m.Role == "clerk" || m.Role == "deputy" }

// mostAtOnce is how many conversations go on at most when Resume is called: who marks
// everything keeps nobody else waiting.
const mostAtOnce = 100

// Resume owes what has waited and need not any more, and returns how many conversations
// these are. It may be called every minute, however many wait.
func (p Post) Resume(tx *sqlite.Tx, now time.Time) (n int, err error) {
	chair, err := p.Chair(tx, now)
	if err != nil {
		return 0, err
	}
	today := retention.DateOf(now)
	ids, err := query(tx, `
		SELECT id FROM conversation c WHERE waits <> '' AND (
			waits = ?1 AND ?2 OR
			waits = ?3 AND EXISTS (SELECT 1 FROM mark m WHERE m.conversation = c.id AND m.taken_back = 0 AND (m.person, c.mark) NOT IN (
				SELECT m.person, o.mark FROM conversation o JOIN mark m ON m.conversation = o.id
				WHERE o.owed_at >= ?4 AND o.owed_at < ?5 GROUP BY m.person, o.mark HAVING count(DISTINCT o.id) >= ?6)))
		ORDER BY id LIMIT ?7`,
		ForAnAddress, chair != "", ForAnotherDay, sqlite.FormatTime(today.Start()), sqlite.FormatTime(today.AddDays(1).Start()), MostADay, mostAtOnce)
	if err != nil {
		return 0, fmt.Errorf("conversations that wait: %w", err)
	}
	for _, id := range ids {
		if err := p.release(tx, now, id, now); err != nil {
			return 0, err
		}
		var owed bool
		if err := tx.QueryRow("SELECT waits = '' FROM conversation WHERE id = ?", id).Scan(&owed); err != nil {
			return 0, fmt.Errorf("conversation %d: %w", id, err)
		}
		if owed {
			n++
		}
	}
	return n, nil
}

// Waiting returns how many conversations wait for w, and since when the first was marked.
func Waiting(tx *sqlite.Tx, w Wait) (n int, since time.Time, err error) {
	var first string
	if err = tx.QueryRow(`
		SELECT count(DISTINCT c.id), coalesce(min(m.marked_at), '') FROM conversation c JOIN mark m ON m.conversation = c.id
		WHERE c.waits <> '' AND c.waits = ?`, w).Scan(&n, &first); err == nil {
		since, err = sqlite.ParseTime(first)
	}
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("conversations that wait: %w", err)
	}
	return n, since, nil
}
