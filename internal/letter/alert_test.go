package letter

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/alert"
)

// of returns a telling of each sort that there is of a kind.
func tellings(k alert.Kind) (all []alert.Telling) {
	t := alert.Telling{ID: 7, Kind: k, Sort: alert.Raised, At: at("2026-11-24 14:20"), Since: at("2026-11-24 14:05"), Number: 1}
	switch k {
	case alert.Outside, alert.TimerOn, alert.Missing, alert.Stranger, alert.NewAdmin, alert.Renamed:
		t.About = "Cranford councillors"
	case alert.Expiring:
		t.About, t.Cause = "The mail server’s certificate", "It expires on 4 December 2026."
	case alert.Expired:
		t.About, t.Cause = "The secret of the mail account", "It expired on 24 November 2026."
	case alert.PhoneUnseen:
		t.Number = 10
	case alert.LinkLost:
		t.Cause = "This machine was removed from the linked devices, on the council's phone or because that was not used for long."
	case alert.Banned:
		t.Cause = "WhatsApp has banned the council's account until 25 November 2026 at 14:05. After that, muniment connects again by itself."
	}
	all = append(all, t)
	second := t
	switch second.ID = 9; {
	case k.Event():
		second.Sort, second.Number, second.First = alert.Further, 3, 7
		all = append(all, second)
	case k.Daily():
		second.Sort, second.At, second.First = alert.Reminder, at("2026-11-25 14:20"), 7
		all = append(all, second)
	}
	if !k.Event() {
		last := t
		last.ID, last.Sort, last.At, last.Until, last.First = 11, alert.Ended, at("2026-11-25 09:40"), at("2026-11-25 09:30"), 7
		all = append(all, last)
	}
	return all
}

func TestAlert(t *testing.T) {
	for name, told := range map[string]alert.Telling{
		"alert":          tellings(alert.LinkLost)[0],
		"alert-reminder": tellings(alert.LinkLost)[1],
		"alert-ended":    tellings(alert.LinkLost)[2],
		"alert-event":    tellings(alert.Stranger)[0],
		"alert-events":   tellings(alert.Stranger)[1],
	} {
		h := header(fmt.Sprintf("alert.%d", told.ID), told.At)
		h.To = []string{"clerk@cranford-pc.example", "it@cranford-pc.example"}
		if told.First != 0 {
			h.InReplyTo = header(fmt.Sprintf("alert.%d", told.First), told.At).MessageID
		}
		msg, err := writer().Alert(h, told)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, msg)
	}
}

// What is told of every kind, each time, one after the other. The HTML says the same, see [compose].
func TestEveryAlert(t *testing.T) {
	var text strings.Builder
	for _, k := range alert.Kinds {
		for _, told := range tellings(k) {
			msg, err := writer().Alert(header("alert.7", told.At), told)
			if err != nil {
				t.Fatal(err)
			}
			p := parse(t, msg)
			subject, same, err := writer().AlertText(told)
			if err != nil || same != strings.ReplaceAll(p.text, "\r\n", "\n") {
				t.Errorf("%s, %s: the command is given something else, %v:\n%s", k, told.Sort, err, same)
			}
			fmt.Fprintf(&text, "==== %s, %s\nSubject: %s\n\n%s\n", k, told.Sort, subject, p.text)
			if strings.ContainsAny(subject+p.text, "{}") {
				t.Errorf("%s, %s: not all is filled in:\n%s", k, told.Sort, p.text)
			}
		}
	}
	file := filepath.Join("testdata", "alerts.txt")
	if *update {
		if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text.String()); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
	}
}

// Every kind has its words, and what has an end has words for that.
func TestEveryAlertHasItsWords(t *testing.T) {
	for k := range alarms {
		if !slices.Contains(alert.Kinds, k) {
			t.Errorf("there is no kind %q", k)
		}
	}
	for _, k := range alert.Kinds {
		m := alarms[k]
		if m.what == "" || m.means == "" || m.do == "" || (m.over == "") != k.Event() || (m.then == "") != k.Event() {
			t.Errorf("%s: %+v", k, m)
		}
		if strings.HasSuffix(m.what, ".") || len(m.what) > 90 {
			t.Errorf("%s: a title should be short, and no sentence with its full stop: %q", k, m.what)
		}
	}
}

func TestAlertOfADemonstration(t *testing.T) {
	w := writer()
	w.Demonstration = true
	told := tellings(alert.DiskLow)[0]
	msg, err := w.Alert(header("alert.1", told.At), told)
	if err != nil {
		t.Fatal(err)
	}
	subject, text, err := w.AlertText(told)
	if err != nil {
		t.Fatal(err)
	}
	for what, s := range map[string]string{"email": parse(t, msg).text, "subject": subject, "text": text} {
		if !strings.Contains(s, "DEMONSTRATION") {
			t.Errorf("the %s does not say that it is a demonstration’s:\n%s", what, s)
		}
	}
}
