package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/disposal"
	"muniment/internal/forward"
	"muniment/internal/journal"
	"muniment/internal/ledger"
	"muniment/internal/mail"
	"muniment/internal/retention"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
	"muniment/internal/vault"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show how the record is kept: link, records, gaps, emails, holds, disposal",
		Long: `Status shows whether the link stands, whether the daemon runs and how it fares:
what somebody of the council should look at, what is in the archive, that everything
received is accounted for, what is known to be missing, which emails wait or were
refused, what is on hold and what is due to be destroyed. It shows no message, name
or number.`,
		Example: "  muniment status",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withArchive(c.Context(), func(cfg config.Config, home daemon.Home, db *sqlite.DB) error {
				return db.Read(c.Context(), func(tx *sqlite.Tx) error {
					return printStatus(c.OutOrStdout(), tx, cfg, home.Running(), home.Full())
				})
			})
		},
	}
}

// printStatus prints all or, where something cannot be read, nothing: half a
// status would look like a whole one.
func printStatus(out io.Writer, tx *sqlite.Tx, cfg config.Config, running, full bool) error {
	state := "not running"
	if running {
		state = "running"
	}
	var b strings.Builder
	if err := printLink(&b, tx, running); err != nil {
		return err
	}
	fmt.Fprintf(&b, "Daemon     %s\n", state)
	configured := func(part func(io.Writer, *sqlite.Tx, config.Config) error) func(io.Writer, *sqlite.Tx) error {
		return func(out io.Writer, tx *sqlite.Tx) error { return part(out, tx, cfg) }
	}
	for _, part := range []func(io.Writer, *sqlite.Tx) error{
		configured(printAlerts), func(out io.Writer, tx *sqlite.Tx) error { return printAttention(out, tx, cfg, running, full) }, configured(printRecordsStatus), printFiles, printIntake,
		func(out io.Writer, tx *sqlite.Tx) error { return printGaps(out, tx, cfg, now(), running) },
		printMail, printHolds, printDisposal, printRestored, configured(printBackups), configured(printStamp),
	} {
		if err := part(&b, tx); err != nil {
			return err
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// printStamp says whether the ledger's daily checkpoint is stamped with the time, where it
// should be.
func printStamp(out io.Writer, tx *sqlite.Tx, cfg config.Config) error {
	if cfg.Ledger.TimestampURL == "" {
		return nil
	}
	last, err := ledger.LastStamped(tx)
	switch {
	case err != nil:
		return err
	case last.IsZero():
		fmt.Fprintln(out, "Time stamp none yet: the authority is asked every night; if it gives none, the log of the service says why")
	case now().Sub(last) > 48*time.Hour:
		fmt.Fprintf(out, "Time stamp NONE since that of %s: the log of the service says why\n", moment(last))
	default:
		fmt.Fprintf(out, "Time stamp of the ledger as it was on %s\n", moment(last))
	}
	return nil
}

// printLink says how the link to WhatsApp stands, as the journal tells.
func printLink(out io.Writer, tx *sqlite.Tx, running bool) error {
	linked, since, err := journal.LastOf(tx, journal.Linked)
	if err != nil {
		return err
	}
	lost, lostAt, err := journal.LastOf(tx, journal.LinkLost)
	if err != nil {
		return err
	}
	gaps, err := archive.Gaps(tx)
	if err != nil {
		return err
	}
	open := slices.IndexFunc(gaps, func(g archive.Gap) bool { return g.Kind == archive.NotConnected && g.Closed.IsZero() })
	switch {
	case lost > linked:
		fmt.Fprintf(out, "Link       lost since %s: link again with `muniment link`\n", moment(lostAt))
	case linked == 0:
		fmt.Fprintln(out, "Link       never linked")
	case running && open >= 0:
		fmt.Fprintf(out, "Link       linked since %s, but not connected since %s:\n           %s\n", moment(since), moment(gaps[open].Opened), gaps[open].Cause)
	default:
		fmt.Fprintf(out, "Link       linked since %s\n", moment(since))
	}
	seen, err := archive.PhoneSeen(tx)
	if err != nil || linked == 0 {
		return err
	}
	fmt.Fprintf(out, "           the council's phone was last seen on %s\n", moment(seen))
	return nil
}

// printAttention says what somebody should look at, of each group; nothing where there is
// nothing.
func printAttention(out io.Writer, tx *sqlite.Tx, cfg config.Config, running, full bool) error {
	all, err := diskAttention(tx, running, full)
	if err != nil {
		return err
	}
	missed, err := archive.PhoneMissed(tx)
	if err != nil {
		return err
	}
	if !missed.IsZero() {
		all = append(all, fmt.Sprintf("the council's phone has not been seen since %s: open WhatsApp on it; after about 14 days WhatsApp unlinks this machine", moment(missed)))
	}
	waiting, err := waitingMarks(tx)
	if err != nil {
		return err
	}
	all = append(all, waiting...)
	for _, g := range cfg.Groups {
		a, err := archive.AttentionTo(tx, g.JID, now())
		if err != nil {
			return err
		}
		which := "the group"
		if len(cfg.Groups) > 1 {
			which = "the group " + printable(g.Name)
		}
		all = append(all, attention(a, which)...)
	}
	heading := "Attention"
	for _, line := range all {
		fmt.Fprintf(out, "%-10s %s\n", heading, line)
		heading = ""
	}
	return nil
}

// waitingMarks says which marked conversations are not owed to anybody yet, and why.
func waitingMarks(tx *sqlite.Tx) (lines []string, err error) {
	for _, w := range []struct {
		wait forward.Wait
		why  string
	}{
		{forward.ForAnAddress, "for the chair's email address, at one of the council's domains: `muniment member edit`"},
		{forward.ForAnotherDay, "for another day, since one member marked more than thirty: they go by themselves"},
	} {
		n, since, err := forward.Waiting(tx, w.wait)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			lines = append(lines, fmt.Sprintf("%s, marked since %s, waiting %s", count(n, "conversation"), moment(since), w.why))
		}
	}
	return lines, nil
}

// diskAttention says that the disk is too full for files, or for anything: the daemon, if
// it runs, notes every minute that it is there, and whatever keeps it from that keeps it
// from recording.
func diskAttention(tx *sqlite.Tx, running, full bool) (lines []string, err error) {
	seen, err := archive.LastSeen(tx, now())
	if err != nil {
		return nil, err
	}
	const delivers = "WhatsApp keeps what is sent and will deliver it again"
	switch silent := running && !seen.IsZero() && now().Sub(seen) > 3*time.Minute; {
	case silent && full:
		return []string{fmt.Sprintf("the archive cannot be written to since %s: the disk is full; %s; make room", moment(seen), delivers)}, nil
	case silent:
		lines = append(lines, fmt.Sprintf("nothing has been written to the archive since %s, see the log of the service; %s", moment(seen), delivers))
	case full:
		return []string{"the disk is full: nothing can be recorded; " + delivers + "; make room"}, nil
	}
	since, err := vault.WaitingSince(tx)
	if err == nil && !since.IsZero() {
		lines = append(lines, fmt.Sprintf("the disk is nearly full since %s: photos and files wait, messages are still recorded; make room", moment(since)))
	}
	return lines, err
}

// attention writes what deserves attention in which group, a line each.
func attention(a archive.Attention, which string) (lines []string) {
	say := func(is bool, format string, args ...any) {
		if is {
			lines = append(lines, fmt.Sprintf(format, args...))
		}
	}
	say(!a.Outside.IsZero(), "the council's account has not been in %s since %s: what is sent there is not recorded", which, moment(a.Outside))
	admins := ""
	if a.Admins > 0 {
		admins = fmt.Sprintf(" (%s)", count(a.Admins, "admin"))
	}
	say(len(a.Strangers) > 0, "%s in %s, and not on the register%s: `muniment member list --strangers`", persons(len(a.Strangers)), which, admins)
	say(len(a.Former) > 0, "%s in %s, and not in office: `muniment member list`", persons(len(a.Former)), which)
	say(a.Timer > 0, "messages in %s disappear from phones after %s, since %s", which, saying.Span(a.Timer), moment(a.TimerSince))
	say(a.ViewOnce > 0, "%s to be viewed once in %s in the last 30 days: what they show is not recorded", count(a.ViewOnce, "message"), which)
	return lines
}

// persons writes how many people are somewhere.
func persons(n int) string {
	if n == 1 {
		return "1 person is"
	}
	return fmt.Sprintf("%d people are", n)
}

// count writes n things, of which one is called so.
func count[N int | int64](n N, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

func printRecordsStatus(out io.Writer, tx *sqlite.Tx, cfg config.Config) error {
	a, err := archive.Load(tx, cfg.Retention.Schedule)
	if err != nil {
		return err
	}
	n, err := a.Count(tx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Records    %d kept, %d of them on hold; %d destroyed\n", n.Kept, n.OnHold, n.Destroyed)
	if !n.LastCaptured.IsZero() {
		fmt.Fprintf(out, "           the last captured on %s\n", moment(n.LastCaptured))
	}
	if err := printGroups(out, tx, cfg); err != nil {
		return err
	}
	var kinds []string
	for kind := range n.Unsupported {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		fmt.Fprintf(out, "           %d kept but not shown by this version: %s\n", n.Unsupported[kind], kind)
	}
	if n.Sealed > 0 {
		fmt.Fprintf(out, "           %d kept but not readable: encrypted under a message that is not here, or not by who sent it\n", n.Sealed)
	}
	return nil
}

// printGroups says how many records there are of each group, unless there is only one.
func printGroups(out io.Writer, tx *sqlite.Tx, cfg config.Config) error {
	in, err := archive.KeptIn(tx)
	if err != nil {
		return err
	}
	var other int64
	for _, n := range in {
		other += n
	}
	for _, g := range cfg.Groups {
		other -= in[g.JID]
	}
	if len(cfg.Groups) == 1 && other == 0 {
		return nil
	}
	for _, g := range cfg.Groups {
		fmt.Fprintf(out, "           “%s”: %d\n", printable(g.Name), in[g.JID])
	}
	if other > 0 {
		fmt.Fprintf(out, "           of groups that are no longer in the configuration: %d\n", other)
	}
	return nil
}

// printFiles says what became of photos and other files; nothing where none came.
func printFiles(out io.Writer, tx *sqlite.Tx) error {
	c, err := vault.Counts(tx)
	if err != nil || c.Wanted+c.Kept+c.Lost == 0 {
		return err
	}
	fmt.Fprintf(out, "Files      %d kept, %d to be fetched, %d lost\n", c.Kept, c.Wanted, c.Lost)
	if c.Asked > 0 {
		fmt.Fprintf(out, "           %d of them WhatsApp no longer has: the council's phone was asked\n", c.Asked)
	}
	return nil
}

// printIntake says what became of all that was received since the last start.
func printIntake(out io.Writer, tx *sqlite.Tx) error {
	intakes, err := archive.Intakes(tx)
	if err != nil || len(intakes) == 0 {
		return err
	}
	run := archive.Sum(slices.DeleteFunc(intakes, func(i archive.Intake) bool { return i.Run != intakes[0].Run }))
	fmt.Fprintf(out, "Received   since %s: %d = %d captured + %d duplicate + %d failed\n",
		moment(run.Started), run.Received, run.Captured, run.Duplicate, run.Failed)
	fmt.Fprintf(out, "           + %d not of the group (other chats, and deliveries without a message)\n", run.OutOfScope)
	if n := run.Unaccounted(); n != 0 {
		fmt.Fprintf(out, "           NOT ACCOUNTED FOR: %d\n", n)
	}
	return nil
}

// printGaps says how many gaps there are and what they come to.
func printGaps(out io.Writer, tx *sqlite.Tx, cfg config.Config, at time.Time, running bool) error {
	r, err := new(wantedGaps).report(tx, cfg, at, running)
	if err != nil {
		return err
	}
	open := 0
	for _, g := range r.Gaps {
		if g.Closed.IsZero() {
			open++
		}
	}
	fmt.Fprintf(out, "Gaps       %d open, %d closed: see `muniment gaps`\n", open, len(r.Gaps)-open)
	return screen{width: 100}.row(out, []int{9}, "", printable(r.teller.Verdict(r.Statement)))
}

// nextEmails is how many emails are shown that do not go: `muniment outbox` has them all.
const nextEmails = 5

func printMail(out io.Writer, tx *sqlite.Tx) error {
	counts, err := mail.Counts(tx)
	if err != nil {
		return err
	}
	items, err := mail.List(tx, wantedStates(false)...)
	if err != nil {
		return err
	}
	failed := counts[mail.Refused] + counts[mail.Expired]
	fmt.Fprintf(out, "Emails     %d handed over to the mail server, %d waiting, %d refused or expired",
		counts[mail.HandedOver], counts[mail.Queued]+counts[mail.Sending]+counts[mail.Unknown], failed)
	if failed > 0 {
		fmt.Fprint(out, ": see `muniment outbox list`")
	}
	fmt.Fprintln(out)
	shown := 0
	for _, it := range items {
		for _, r := range it.Recipients {
			if r.State == mail.HandedOver || r.State == mail.Cancelled || r.Attempts == 0 && r.LastAnswer == "" { // or kept back
				continue
			}
			if shown++; shown <= nextEmails {
				tried := ""
				if r.Attempts > 0 {
					tried = " after " + count(r.Attempts, "attempt")
				}
				fmt.Fprintf(out, "           %s %d, %s%s: %s\n", it.Kind, it.About, r.State, tried, printable(r.LastAnswer))
			}
		}
	}
	if more := shown - nextEmails; more > 0 {
		fmt.Fprintf(out, "           and %d more: see `muniment outbox list`\n", more)
	}
	return nil
}

func printHolds(out io.Writer, tx *sqlite.Tx) error {
	holds, err := archive.Holds(tx)
	if err != nil {
		return err
	}
	inForce := slices.DeleteFunc(holds, func(h archive.Hold) bool { return !h.Released.IsZero() })
	fmt.Fprintf(out, "Holds      %d in force\n", len(inForce))
	for _, h := range inForce {
		fmt.Fprintf(out, "           hold %d, placed on %s: %s\n", h.ID, day(h.Placed), covered(h))
	}
	return nil
}

// nextLists is how many disposal lists are shown: a month of old records fills a screen
// with them.
const nextLists = 3

func printDisposal(out io.Writer, tx *sqlite.Tx) error {
	lists, err := disposal.Lists(tx)
	if err != nil {
		return err
	}
	lists = slices.DeleteFunc(lists, func(l disposal.List) bool { return !l.Closed.IsZero() })
	slices.Reverse(lists) // what is destroyed next comes first
	fmt.Fprintf(out, "Disposal   %s open\n", count(len(lists), "list"))
	for _, l := range lists[:min(nextLists, len(lists))] {
		fmt.Fprintf(out, "           list %d: %s, to be destroyed from %s\n", l.ID, saying.Listed(l.Records, l.Entries), l.DestroyOn.Long())
	}
	if more := len(lists) - nextLists; more > 0 {
		fmt.Fprintf(out, "           and %d more until %s: see `muniment disposal list`\n", more, lists[len(lists)-1].DestroyOn.Long())
	}
	return nil
}

// moment writes t in London time.
func moment(t time.Time) string { return t.In(retention.London).Format("2 January 2006 at 15:04") }
