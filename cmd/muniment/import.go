package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"muniment/internal/archive"
	"muniment/internal/config"
	"muniment/internal/daemon"
	"muniment/internal/people"
	"muniment/internal/record"
	"muniment/internal/retention"
	"muniment/internal/saying"
	"muniment/internal/sqlite"
	"muniment/internal/transcript"
	"muniment/internal/vault"
)

// errDiffers is returned by import --check when phone and archive differ.
var errDiffers = errors.New("the phone and the archive differ")

// importing is what the command is asked to do.
type importing struct {
	group, zone   string
	check, anyway bool
	limit         int
	by            actor
}

func (a *app) importCommand() *cobra.Command {
	var in importing
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Take in what a phone exports of the chat, from before the link",
		Long: `Import reads what a phone writes with "Export chat" in WhatsApp, and makes records
of what the archive lacks: the time before this device was linked, or a gap. On the
phone of a member, open the group, choose More or the group's name, Export chat,
with media, and bring the file here as it is: the zip file, or the text alone.
Exports of Android phones and of iPhones in English are understood, with the dates of
the United Kingdom, the United States, or year first.

Imported records are marked as such wherever they are shown: a phone's export is a
text that whoever had it could have changed, without WhatsApp's own IDs, and names
people as the phone's owner does. Authors whom the owner calls exactly as the member
register does are tied to that person; tie others with ` + "`muniment member identify`" + `.
The lines of the export are kept with each record. Photos and other files of the
export are kept encrypted, like all others.

What the archive has already, captured or imported, is not doubled: a message is
known by its time and its words. What is past its period by the retention schedule
does not enter. An import that was interrupted is taken up by doing it again. The
service may run meanwhile. Delete the export when it has served: nobody destroys it
when its messages fall due.

With --check nothing is taken in: import shows what the phone has that the archive
lacks, and what the archive has of the same time that the phone lacks, such as what
was deleted there. Exit code 5 means that there is such a difference.`,
		Example: `  sudo muniment import "WhatsApp Chat - Cranford councillors.zip" --check --for "Jo Marsh" --reason "audit 2026"
  sudo muniment import "WhatsApp Chat - Cranford councillors.zip" --for "Jo Marsh" --reason "minute 26/014"
  sudo muniment import chat.zip --group "Cranford councillors" --zone Europe/Madrid --for "Jo Marsh" --reason "minute 26/014"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("give the file that the phone exported: a zip file, or the text alone")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			e, file, err := in.read(args[0]) // before root's rights are given up
			if err != nil {
				return err
			}
			defer file.Close()
			return a.withArchive(c.Context(), func(cfg config.Config, home daemon.Home, db *sqlite.DB) error {
				return in.run(c, cfg, home, db, e)
			})
		},
	}
	c.Flags().StringVar(&in.group, "group", "", "the `name` of the group, as configured; needed if there are several")
	c.Flags().BoolVar(&in.check, "check", false, "only compare, and take nothing in")
	c.Flags().StringVar(&in.zone, "zone", "Europe/London", "the time `zone` of the phone when it exported the chat")
	c.Flags().BoolVar(&in.anyway, "anyway", false, "take it in although nothing shows that it is of this group")
	c.Flags().IntVar(&in.limit, "limit", 50, "with --check: show at most so many of each")
	return in.by.flags(c, true)
}

// read reads the export.
func (in importing) read(path string) (*transcript.Export, *os.File, error) {
	zone, err := time.LoadLocation(in.zone)
	if err != nil || in.zone == "" || in.zone == "Local" {
		return nil, nil, usageError{fmt.Errorf("--zone %q: write a time zone as Europe/London", in.zone)}
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, usageError{err}
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = usageError{fmt.Errorf("%s is no file: give the one that the phone exported", path)}
	}
	var e *transcript.Export
	if err == nil {
		e, err = transcript.Read(file, info.Size(), filepath.Base(path), transcript.Options{Zone: zone, Now: now()})
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return e, file, nil
}

// groupOf returns which of the listed groups is meant.
func (in importing) groupOf(cfg config.Config) (config.Group, error) {
	groups, err := groupsNamed(cfg, in.group)
	switch {
	case err != nil:
		return config.Group{}, usageError{err}
	case len(groups) == 0:
		return config.Group{}, usageError{errors.New("no group is configured: only what was said in a listed group is kept")}
	case len(groups) > 1:
		var names []string
		for _, g := range groups {
			names = append(names, g.Name)
		}
		return config.Group{}, usageError{fmt.Errorf("say which group's chat it is, with --group: %s", saying.And(names))}
	}
	return groups[0], nil
}

func (in importing) run(c *cobra.Command, cfg config.Config, home daemon.Home, db *sqlite.DB, e *transcript.Export) error {
	g, err := in.groupOf(cfg)
	if err != nil {
		return err
	}
	files := home.Vault(db)
	i := archive.Import{
		Export: e, Zone: in.zone, Group: g.JID, Names: []string{g.Name}, Who: in.by.who, Reason: in.by.reason, Anyway: in.anyway,
		DB: db, Now: now, Put: files.Put, Keep: vault.Keep, Progress: progressOf("importing"),
		Seal: func(ctx context.Context, t record.Type, f record.File, name string) (record.File, error) {
			r, _, err := e.Open(name)
			if err != nil {
				return f, err
			}
			defer r.Close()
			return files.Seal(ctx, t, f, r)
		},
	}
	var ar *archive.Archive
	if err := db.Read(c.Context(), func(tx *sqlite.Tx) (err error) {
		if ar, err = archive.Load(tx, cfg.Retention.Schedule); err != nil {
			return err
		}
		i.Lost, err = lostFiles(tx)
		return err
	}); err != nil {
		return err
	}
	out := c.OutOrStdout()
	fmt.Fprint(out, describeExport(e, in.zone))
	if in.check {
		return in.compare(c.Context(), out, ar, i)
	}
	if err := e.Check(progressOf("checking the files")); err != nil {
		return err
	}
	done, err := ar.Import(c.Context(), i)
	if doubt := archive.Doubt(""); errors.As(err, &doubt) {
		return fmt.Errorf("nothing was imported: %w. Look with --check; if it is the group's chat all the same, use --anyway", doubt)
	} else if err != nil {
		return fmt.Errorf("%w; what was imported by then is kept: do it again to go on", err)
	}
	var taken, tie string
	if err := db.Read(c.Context(), func(tx *sqlite.Tx) (err error) { taken, tie, err = authors(tx, e); return err }); err != nil {
		return err
	}
	_, err = io.WriteString(out, describeImport(done, e, g, cfg.Retention.Schedule.Years(retention.Messages, g.JID))+taken+tie)
	return err
}

// authors says which of the authors are taken for people on the register under another name,
// as somebody has said of an earlier export, and which nobody has tied to a person.
func authors(tx *sqlite.Tx, e *transcript.Export) (taken, tie string, err error) {
	names, err := people.LoadNames(tx)
	if err != nil {
		return "", "", err
	}
	seen := make(map[string]bool)
	var known, unknown []string
	for _, n := range e.Entries {
		if n.Author == "" || transcript.IsNumber(n.Author) || seen[n.Author] {
			continue
		}
		seen[n.Author] = true
		author := n.Author
		if people.HoldsNumber(author) {
			author = "somebody whom the phone calls by a number"
		}
		switch m, ok := names.Member(names.Behind(people.Exported(n.Author))); {
		case !ok:
			unknown = append(unknown, author)
		case m.Name != n.Author:
			known = append(known, fmt.Sprintf("%s for %s", author, m.Name))
		}
	}
	slices.Sort(known)
	slices.Sort(unknown)
	if len(known) > 0 {
		taken = fmt.Sprintf("Taken for people on the register, as was said of an earlier export: %s. Whether this phone means the same people, nothing tells; what is imported cannot be parted again.\n",
			printable(saying.And(known)))
	}
	if len(unknown) > 0 {
		tie = fmt.Sprintf("Who these are is not known here: %s. Tie each to the register with `muniment member identify --exported`.\n",
			printable(saying.And(unknown)))
	}
	return taken, tie, nil
}

// lostFiles returns which records have lost their file.
func lostFiles(tx *sqlite.Tx) (func(record.Seq) bool, error) {
	lost := make(map[record.Seq]bool)
	err := vault.Each(tx, func(m vault.Media) error {
		if m.State == vault.Lost {
			lost[m.Seq] = true
		}
		return nil
	})
	return func(s record.Seq) bool { return lost[s] }, err
}

// progressOf shows progress at a terminal, and nothing elsewhere.
func progressOf(what string) func(done, all int64) {
	if !atTerminal(os.Stderr) {
		return nil
	}
	var bar *progressbar.ProgressBar
	return func(done, all int64) {
		if bar == nil {
			bar = progressbar.Default(all, what)
		}
		_ = bar.Set64(done) // a terminal that does not take it loses nothing
	}
}

// describeExport says what the export is, and what in it was not understood.
func describeExport(e *transcript.Export, zone string) string {
	var b strings.Builder
	called := ""
	if n := len(e.Names); n > 0 && !transcript.IsNumber(e.Names[n-1]) { // else it is a private chat
		called = fmt.Sprintf(" of “%s”", printable(e.Names[n-1]))
	}
	phone := "an Android phone"
	if e.Phone == "iPhone" {
		phone = "an iPhone"
	}
	fmt.Fprintf(&b, "The export%s was made by %s: %s, %s.\n", called, phone, count(e.Lines, "line"), plural(len(e.Entries), "entry", "entries"))
	order := "Dates are read as " + string(e.Order)
	if !e.Sure {
		order += ", though nothing in it tells: look whether the days are right"
	}
	unit := "minute"
	if e.Unit == time.Second {
		unit = "second"
	}
	fmt.Fprintf(&b, "%s. Times are exact to the %s and those of %s.\n", order, unit, zone)
	switch {
	case e.Attached > 0 && e.Missing > 0:
		fmt.Fprintf(&b, "It has %s with it; %s missing.\n", count(e.Attached, "file"), plural(e.Missing, "that a message names is", "that messages name are"))
	case e.Attached > 0:
		fmt.Fprintf(&b, "It has %s with it, and none is missing.\n", count(e.Attached, "file"))
	case e.Missing > 0:
		fmt.Fprintf(&b, "%s not with it, though messages name them: was it exported without media?\n", plural(e.Missing, "file is", "files are"))
	}
	if n := len(e.Unnamed); n > 0 {
		fmt.Fprintf(&b, "%s to no message, and will be left out.\n", plural(n, "file belongs", "files belong"))
	}
	if e.Back > 0 {
		fmt.Fprintf(&b, "%s earlier by more than an hour than what stands before: it came late, or somebody pasted it into a message.\n", plural(e.Back, "entry is", "entries are"))
	}
	const most = 20
	for _, f := range e.Faults[:min(len(e.Faults), most)] {
		fmt.Fprintf(&b, "  %s\n", f)
	}
	if more := len(e.Faults) - most; more > 0 {
		fmt.Fprintf(&b, "  and %d more like these\n", more)
	}
	return b.String()
}

// plural writes n things, of which one and several are called so.
func plural(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

// describeImport says what came of an import.
func describeImport(done archive.Imported, e *transcript.Export, g config.Group, years int) string {
	var b strings.Builder
	line := func(what string, n int, of string) { fmt.Fprintf(&b, "  %-30s %s\n", what, plural(n, of, of+"s")) }
	fmt.Fprintf(&b, "\nIt is from %s to %s.\n\n", moment(done.First), moment(done.Last))
	line("in the archive already", done.Known-len(done.Mended), "message")
	line("imported now", done.Messages, "message")
	line("  of these with their file", done.Files, "message")
	line("  and what the phone tells", done.Notices, "notice")
	if n := len(done.Mended); n > 0 {
		line("  whose file was missing here", n, "message")
	}
	if done.PastDue > 0 {
		fmt.Fprintf(&b, "  %-30s %s: what is older than %s by the retention schedule does not enter\n", "left out", plural(done.PastDue, "entry", "entries"), count(years, "year"))
	}
	if done.Destroyed > 0 {
		fmt.Fprintf(&b, "  %-30s %s: destroyed here before, and so it stays\n", "left out", plural(done.Destroyed, "entry", "entries"))
	}
	if n := len(done.Future); n > 0 {
		fmt.Fprintf(&b, "  %-30s %s, the first in line %d: in the future\n", "left out", plural(n, "entry", "entries"), e.Entries[done.Future[0]].Line)
	}
	if n := len(done.Later); n > 0 {
		fmt.Fprintf(&b, "  %-30s %s, the first in line %d: later than the last message that this device received, it may still receive them\n",
			"left out", plural(n, "entry", "entries"), e.Entries[done.Later[0]].Line)
	}
	b.WriteByte('\n')
	switch {
	case done.ID == 0:
		b.WriteString("There was nothing to import: the archive was not changed.\n")
	case done.Resumed:
		fmt.Fprintf(&b, "This was import %d, which had been interrupted; it is complete now.\n", done.ID)
	default:
		fmt.Fprintf(&b, "This was import %d.\n", done.ID)
	}
	if len(done.Tied) > 0 {
		fmt.Fprintf(&b, "%s the same person as on the member register from now on, having the same name: %s.\n",
			plural(len(done.Tied), "author is", "authors are"), printable(saying.And(done.Tied)))
	}
	if n := olderThan(g.Notice.GivenOn, e, done.New); n > 0 {
		fmt.Fprintf(&b, "%s older than the privacy notice of %s.\n", plural(n, "imported entry is", "imported entries are"), g.Notice.GivenOn.Format("2 January 2006"))
	}
	return b.String()
}

// olderThan counts the entries from before that day.
func olderThan(day time.Time, e *transcript.Export, entries []int) (n int) {
	if day.IsZero() {
		return 0
	}
	start := retention.Date(day.Format(time.DateOnly)).Start()
	for _, i := range entries {
		if e.Entries[i].At.Before(start) {
			n++
		}
	}
	return n
}

// compare shows what the phone has and the archive lacks, and the reverse. Nothing is
// shown unless the journal says so.
func (in importing) compare(ctx context.Context, out io.Writer, a *archive.Archive, i archive.Import) error {
	var c archive.Comparison
	var differences string
	differ := false
	if err := i.DB.Read(ctx, func(tx *sqlite.Tx) (err error) { // it takes seconds, which a capture need not wait for
		if c, err = a.Compare(tx, now(), i.Group, i.Export, i.Names, i.Lost); err != nil {
			return err
		}
		differences, differ, err = in.differences(tx, c, i)
		return err
	}); err != nil {
		return err
	}
	if err := i.DB.Write(ctx, func(tx *sqlite.Tx) error { return i.Compared(tx, c) }); err != nil {
		return err
	}
	if _, err := io.WriteString(out, differences); err != nil {
		return err
	}
	if differ {
		return errDiffers
	}
	return nil
}

// differences puts a comparison in words.
func (in importing) differences(tx *sqlite.Tx, c archive.Comparison, i archive.Import) (text string, differ bool, err error) {
	names, err := people.LoadNames(tx)
	if err != nil {
		return "", false, err
	}
	gaps, err := archive.Gaps(tx)
	if err != nil {
		return "", false, err
	}
	records, err := archive.Some(tx, c.Lacks)
	if err != nil {
		return "", false, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nCompared from %s to %s; nothing was changed.\n\n", moment(c.First), moment(c.Last))
	fmt.Fprintf(&b, "  %-30s %s\n", "in both", count(c.Known-len(c.Mended), "message"))
	lacking := slices.DeleteFunc(slices.Concat(c.New, c.Later), func(n int) bool { return i.Export.Entries[n].Sort == transcript.Notice })
	fmt.Fprintf(&b, "  %-30s %s\n  %-30s %s\n", "only on the phone", count(len(lacking), "message"), "only in the archive", count(len(records), "message"))
	if c.PastDue > 0 {
		fmt.Fprintf(&b, "  %-30s %s\n", "past their period", plural(c.PastDue, "entry", "entries"))
	}
	if doubt := c.Doubt(); doubt != nil {
		fmt.Fprintf(&b, "\nIs it this group's chat? %s.\n", saying.Capital(doubt.Error()))
	}
	teller := saying.Teller{Names: names}
	if len(lacking) > 0 {
		b.WriteString("\nThe phone has, and the archive lacks:\n\n")
		if err := in.printLacking(&b, teller, lacking, c, i, gaps); err != nil {
			return "", false, err
		}
	}
	if len(records) > 0 {
		b.WriteString("\nThe archive has, and the phone lacks: deleted there, disappeared, or never received:\n\n")
		slices.SortFunc(records, func(r, s archive.Record) int { return r.Sent.Compare(s.Sent) })
		for _, r := range records[:min(len(records), in.limit)] {
			fmt.Fprintf(&b, "  record %-6d %s  %s: %s\n", r.Seq, shortMoment(r.Sent), printable(names.Of(r.Person)), printable(teller.Brief(r, firstWords)))
		}
		in.more(&b, len(records))
	}
	taken, _, err := authors(tx, i.Export)
	if taken != "" {
		b.WriteString("\n" + taken)
	}
	return b.String(), len(lacking)+len(records) > 0, err
}

// firstWords is how many characters of a message are shown.
const firstWords = 60

// printLacking prints the messages that only the phone has, and why the archive may lack
// each.
func (in importing) printLacking(b *strings.Builder, teller saying.Teller, lacking []int, c archive.Comparison, i archive.Import, gaps []archive.Gap) error {
	for _, at := range lacking[:min(len(lacking), in.limit)] {
		n := i.Export.Entries[at]
		r, err := i.Preview(teller.Names, n)
		if err != nil {
			return err
		}
		author := n.Author
		switch {
		case r.Person != 0:
			author = teller.Names.Of(r.Person)
		case transcript.IsNumber(author) || people.HoldsNumber(author):
			author = "somebody whom the phone calls by a number"
		}
		why := whyLacking(n.At, c, i.Group, gaps)
		if slices.Contains(c.Mended, at) {
			why = "  [the archive has it without its file]"
		}
		fmt.Fprintf(b, "  line %-6d %s  %s: %s%s\n", n.Line, shortMoment(n.At), printable(author), printable(teller.Brief(r, firstWords)), why)
	}
	in.more(b, len(lacking))
	return nil
}

func (in importing) more(b *strings.Builder, all int) {
	if more := all - in.limit; more > 0 {
		fmt.Fprintf(b, "  and %d more: use --limit\n", more)
	}
}

// whyLacking says in which known gap a message falls that the archive lacks.
func whyLacking(at time.Time, c archive.Comparison, group string, gaps []archive.Gap) string {
	if c.From.IsZero() || at.Before(c.From) {
		return "  [before the first message that was captured]"
	}
	for _, g := range gaps {
		if (g.Group == "" || g.Group == group) && g.Covers(at) {
			return fmt.Sprintf("  [in a gap: %s]", saying.GapKind(g.Kind))
		}
	}
	if at.After(c.Until) {
		return "  [later than the last message that was captured: it may still come]"
	}
	return ""
}
