package daemon

import (
	"context"
	"errors"
	"time"

	"muniment/internal/alert"
	"muniment/internal/archive"
	"muniment/internal/command"
	"muniment/internal/config"
	"muniment/internal/letter"
	"muniment/internal/sqlite"
)

// commandPatience is how long the alert command may take.
const commandPatience = 30 * time.Second

// unwritableAgain is how soon the alert command is told again that the archive cannot be
// written to: that it was, nothing can note.
const unwritableAgain = time.Hour

// openDesk makes what alerts are told with.
func (d *Daemon) openDesk(c config.Config) {
	d.desk = alert.Desk{
		From: c.Mail.From, Clerk: c.Mail.Clerk, Sysadmin: c.Alerts.TechnicalTo, Token: d.archive.Token(),
		Commanded: len(c.Alerts.Command) > 0,
	}
	d.command = command.Command{Name: "the alert command", Argv: c.Alerts.Command, Patience: commandPatience}
}

// Alert tells of whatever is wrong and was not told, or is not any more. Run does it by
// itself.
func (d *Daemon) Alert(ctx context.Context) error {
	told := false
	err := d.db.Write(ctx, func(tx *sqlite.Tx) error {
		gaps, err := archive.Gaps(tx)
		if err != nil {
			return err
		}
		wrong, err := d.wrong(tx, gaps)
		if err != nil {
			return err
		}
		if told, err = d.desk.Check(tx, d.now(), wrong); err != nil {
			return err
		}
		news, err := d.news(tx, gaps)
		told = told || news
		return err
	})
	if err == nil && told {
		d.tell()
	}
	return err
}

// tell has those who tell look, after the commit in which there was something to.
func (d *Daemon) tell() {
	d.outbox.Wake()
	select {
	case d.toTell <- struct{}{}:
	default: // they will look anyway
	}
	d.look() // systemd shows it
}

// raise tells at once, in the transaction that finds it, of those that are sure.
func (d *Daemon) raise(tx *sqlite.Tx, wrong []alert.Condition) error {
	for _, c := range wrong {
		if c.Unsure {
			continue
		}
		if _, err := d.desk.Raise(tx, d.now(), c); err != nil {
			return err
		}
	}
	return nil
}

// raiseLink tells at once what the last gap says of the link.
func (d *Daemon) raiseLink(tx *sqlite.Tx) error {
	gaps, err := archive.Gaps(tx)
	if err != nil {
		return err
	}
	return d.raise(tx, d.linkWrong(gaps))
}

// commandAlerts runs the alert command for whatever it has not been run for. What the archive
// does not know is told again until the command has succeeded, as long as it is so.
func (d *Daemon) commandAlerts(ctx context.Context) error {
	var urgent *alert.Telling // nil: it was told, or there is none
	for ctx.Err() == nil {
		if urgent != nil && (d.refused.Load() == nil || d.runCommand(ctx, *urgent)) {
			urgent = nil
		}
		if err := d.CommandDue(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("the alert command waits for the archive; it will be tried again", "err", err)
		}
		select {
		case <-ctx.Done():
		case t := <-d.urgent:
			urgent = &t
		case <-d.toTell:
		case <-time.After(time.Minute):
		}
	}
	return nil
}

// CommandDue runs the alert command for every alert for which it is due. Run does it by
// itself.
func (d *Daemon) CommandDue(ctx context.Context) error {
	for d.desk.Commanded {
		var t alert.Telling
		err := d.db.Write(ctx, func(tx *sqlite.Tx) (err error) {
			t, err = alert.Begin(tx, d.now())
			return err
		})
		if errors.Is(err, alert.ErrNoTelling) {
			return nil
		} else if err != nil {
			return err
		}
		if !d.runCommand(ctx, t) {
			continue // later
		}
		if err := d.db.Write(ctx, func(tx *sqlite.Tx) error { return alert.Done(tx, t.ID) }); err != nil {
			return err
		}
	}
	return nil
}

// runCommand runs the alert command for one alert.
func (d *Daemon) runCommand(ctx context.Context, t alert.Telling) (ok bool) {
	subject, text, err := d.letters.AlertText(t)
	if err == nil {
		err = alert.Run(ctx, d.command, t.Kind, t.Sort, subject, text)
	}
	if err != nil {
		d.log.Error("nobody was told by the alert command", "alert", t.Kind, "err", err)
		return false
	}
	d.log.Info("told by the alert command", "alert", t.Kind, "what", t.Sort)
	return true
}

// tellUnwritable has the alert command say what nothing can note and no email can say.
func (d *Daemon) tellUnwritable(why string) {
	if !d.desk.Commanded || d.now().Sub(d.unwritableTold) < unwritableAgain {
		return
	}
	select {
	case d.urgent <- alert.Telling{Kind: alert.Unwritable, Sort: alert.Raised, At: d.now(), Since: d.now(), Cause: why}:
		d.unwritableTold = d.now()
	default: // it is being said
	}
}

func (d *Daemon) composeAlert(tx *sqlite.Tx, h letter.Header, id int64) ([]byte, error) {
	t, err := alert.Load(tx, id)
	if err != nil {
		return nil, err
	}
	if t.First != 0 {
		h.InReplyTo = d.messageID(alert.Mail, t.First)
	}
	return d.letters.Alert(h, t)
}
