//go:build integration

package letter

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// seen is one letter as one reader sees it.
type seen struct {
	Name    string `json:"name"`
	Source  string `json:"source"`
	Width   int    `json:"width"`
	Outlook bool   `json:"outlook"` // in the dark, as Outlook on the web and on phones makes it

	html string
}

// looked is what came of looking at it.
type looked struct {
	Name       string   `json:"name"`
	Violations []string `json:"violations"`
	Unsure     []string `json:"unsure"`
	Passes     int      `json:"passes"`
	Wide       int      `json:"wide"`
	Dark       bool     `json:"dark"`
	Ground     string   `json:"ground"` // its colour
}

// phone is how wide a small phone is, in CSS pixels.
const phone = 360

// Every letter is one that anybody can read, whatever shows it: axe finds nothing
// wrong, and on a phone nothing has to be moved sideways. Not in the light, not in
// the dark, not in Outlook's dark, and not where the page's sheet was thrown away.
func TestEverybodyCanReadEveryLetter(t *testing.T) {
	sheets := regexp.MustCompile(`(?s)<style>.*?</style>`)
	var light, dark []seen
	for name, html := range goldenPages(t) {
		for _, width := range []int{phone, 900} {
			at := fmt.Sprintf("%s, %d px", name, width)
			light = append(light,
				seen{Name: at + ", light", Width: width, html: html},
				seen{Name: at + ", without its sheet", Width: width, html: sheets.ReplaceAllString(html, "")},
				seen{Name: at + ", Outlook’s dark", Width: width, Outlook: true, html: html})
			dark = append(dark, seen{Name: at + ", dark", Width: width, html: html})
		}
	}
	for _, scheme := range []struct {
		name    string
		letters []seen
		dark    bool
	}{{"light", light, false}, {"dark", dark, true}} {
		t.Run(scheme.name, func(t *testing.T) {
			results := look(t, scheme.letters, scheme.dark)
			if len(results) != len(scheme.letters) {
				t.Errorf("%d of %d were looked at", len(results), len(scheme.letters))
			}
			for i, r := range results {
				for _, v := range append(r.Violations, r.Unsure...) {
					t.Errorf("%s: %s", r.Name, v)
				}
				if r.Passes < 10 {
					t.Errorf("%s: axe passed only %d rules", r.Name, r.Passes)
				}
				if width := scheme.letters[i].Width; r.Wide > width {
					t.Errorf("%s: it lies %d px wide", r.Name, r.Wide)
				}
				wantDark := scheme.dark || scheme.letters[i].Outlook
				if isDark := r.Ground != "rgb(255, 255, 255)"; isDark != wantDark || r.Dark != scheme.dark {
					t.Errorf("%s: its ground is %s", r.Name, r.Ground)
				}
			}
		})
	}
}

// A page with faults in it, so that the test above is known to find any.
func TestAxeFindsFaults(t *testing.T) {
	const faulty = `<!DOCTYPE html><html><head><title>A letter</title></head><body style="margin:0;background-color:#ffffff">
		<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw="><p style="color:#aaaaaa">Hard to see</p><div style="width:500px">Wide</div></body></html>`
	r := look(t, []seen{{Name: "faulty", Width: phone, html: faulty}}, false)[0]
	found := strings.Join(r.Violations, "\n")
	for _, want := range []string{"image-alt", "html-has-lang", "color-contrast"} {
		if !strings.Contains(found, want+": ") {
			t.Errorf("axe does not find %s:\n%s", want, found)
		}
	}
	if r.Wide <= phone {
		t.Errorf("it lies %d px wide", r.Wide)
	}
}

// Python's email, which is strict, finds nothing wrong with any letter.
func TestPythonReadsEveryLetter(t *testing.T) {
	files, err := filepath.Glob("testdata/*.eml")
	if err != nil || len(files) < 10 {
		t.Fatalf("golden files: %q, %v", files, err)
	}
	faulty := filepath.Join(t.TempDir(), "faulty.eml")
	if err := os.WriteFile(faulty, []byte("From: a@b@c\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		files []string
		sound bool
	}{{files, true}, {[]string{faulty}, false}} {
		found, err := exec.Command("python3", append([]string{"testdata/read.py"}, tt.files...)...).CombinedOutput()
		if err != nil || (len(found) == 0) != tt.sound {
			t.Errorf("%v\n%s", err, found)
		}
	}
}

// goldenPages returns the HTML of every golden letter, with its pictures in it.
func goldenPages(t *testing.T) map[string]string {
	all := make(map[string]string)
	for name, g := range goldens(t) {
		all[name] = g.html
		for _, e := range g.enclosed {
			if cid := strings.Trim(e.header.Get("Content-Id"), "<>"); cid != "" {
				all[name] = strings.ReplaceAll(all[name], "cid:"+cid, "data:image/jpeg;base64,"+base64.StdEncoding.EncodeToString(e.body))
			}
		}
	}
	return all
}

// look shows letters to a browser, and axe to the letters.
func look(t *testing.T, letters []seen, dark bool) []looked {
	t.Helper()
	axe, err := os.ReadFile("testdata/axe/node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatalf("axe is missing (npm ci --prefix internal/letter/testdata/axe): %v", err)
	}
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("the browser is missing (apt-get install chromium): %v", err)
	}
	mux := http.NewServeMux()
	page := func(path, mediaType, body string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", mediaType+"; charset=utf-8")
			fmt.Fprint(w, body)
		})
	}
	for i := range letters {
		letters[i].Source = fmt.Sprintf("/letter/%d", i)
		page(letters[i].Source, "text/html", letters[i].html)
	}
	list, err := json.Marshal(letters)
	if err != nil {
		t.Fatal(err)
	}
	run, err := os.ReadFile("testdata/axe/run.js")
	if err != nil {
		t.Fatal(err)
	}
	page("/{$}", "text/html", `<!DOCTYPE html><html lang="en-GB"><title>Letters</title><body><script src="/run.js"></script></body></html>`)
	page("/run.js", "text/javascript", string(run))
	page("/axe.min.js", "text/javascript", string(axe))
	page("/letters.json", "application/json", string(list))
	results := make(chan []looked, 1)
	mux.HandleFunc("POST /results", func(w http.ResponseWriter, r *http.Request) {
		var all []looked
		if err := json.NewDecoder(r.Body).Decode(&all); err != nil {
			t.Errorf("results: %v", err)
		}
		results <- all
	})
	server := httptest.NewServer(mux)
	defer server.Close()

	scheme := 1
	if dark {
		scheme = 0
	}
	home := t.TempDir()
	cmd := exec.Command(browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--user-data-dir="+filepath.Join(home, "profile"),
		fmt.Sprintf("--blink-settings=preferredColorScheme=%d", scheme), "--window-size=1000,900", "--remote-debugging-port=0", server.URL)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := os.Create(filepath.Join(home, "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { // with all that it started, before its directory goes
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	}()
	select {
	case all := <-results:
		return all
	case <-time.After(5 * time.Minute):
		said, _ := os.ReadFile(output.Name())
		t.Fatalf("the browser has not answered:\n%s", said)
		return nil
	}
}
