package standin_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow"

	"muniment/internal/standin"
)

// TestThroughTheProxy reaches the server as a process does whose environment
// names the stand-in as its proxy and its authority.
func TestThroughTheProxy(t *testing.T) {
	s := start(t, standin.Options{})
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := s.CAFile(file); err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate in the file")
	}
	proxy := &url.URL{Scheme: "http", Host: s.Addr()}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = http.ProxyURL(proxy)
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	t.Cleanup(transport.CloseIdleConnections)

	ann := s.Member("Ann Brook", "+447700900101")
	s.Group("Official group", ann, s.Phone())
	c := newClient(t, s)
	c.reach(&http.Client{Transport: transport})
	c.link()
	e := c.message(ann.SendsImage([]byte("jpeg"), ""))
	if got, err := c.Download(within(t), e.Message.GetImageMessage()); err != nil || string(got) != "jpeg" {
		t.Errorf("download: %q, %v", got, err)
	}
	c.settled()
}

// TestThroughTheEnvironment has a process that knows nothing of the stand-in
// fetch a file from it, under a name that does not exist.
func TestThroughTheEnvironment(t *testing.T) {
	s := start(t, standin.Options{})
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := s.CAFile(file); err != nil {
		t.Fatal(err)
	}
	u := s.Upload(whatsmeow.MediaImage, []byte("jpeg"))
	child := exec.CommandContext(within(t), os.Args[0])
	child.Env = append(os.Environ(), "HTTPS_PROXY=http://"+s.Addr(), "SSL_CERT_FILE="+file, "NO_PROXY=",
		"STANDIN_TEST_GET=https://media.example.invalid"+u.DirectPath)
	out, err := child.CombinedOutput()
	if sum := sha256.Sum256(out); err != nil || !bytes.Equal(sum[:], u.FileEncSHA256) {
		t.Errorf("child: %v\n%s", err, out)
	}
}

// fetch is what the child process does.
func fetch(url string) {
	resp, err := http.Get(url)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	io.Copy(os.Stdout, resp.Body)
}

func TestCloseLeavesNothingRunning(t *testing.T) {
	v, c := found(t, standin.Options{})
	c.message(v.ann.Says("The last word."))
	c.stop()
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	if err := v.WaitOnline(within(t)); err == nil {
		t.Error("a closed server waits for a client")
	}
	buf := make([]byte, 1<<20)
	for range 1000 {
		left := 0
		for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(stack, "internal/standin.(") {
				left++
			}
		}
		if left == 0 {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("something still runs:\n%s", buf)
}
