package whatsapp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"muniment/internal/record"
	"muniment/internal/standin"
)

func TestDownload(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	mp4 := bytes.Repeat([]byte("frame "), 100_000)
	var got bytes.Buffer
	if err := s.Download(w.within(), record.Video, record.File{Path: "/v/x?y"}, &got); !errors.Is(err, ErrNotConnected) {
		t.Errorf("before Run: %v", err)
	}

	m := newMemory(t)
	stop := w.run(s, m)
	w.ready(m)
	sent := []*standin.Message{
		w.ann.SendsVideo(mp4, "The flood"), w.ann.SendsVoice([]byte("opus")), w.bo.SendsImage([]byte("jpeg"), ""),
		w.bo.SendsDocument("minutes.pdf", "application/pdf", []byte("%PDF"), "March"),
	}
	rs := m.awaitRecords(len(sent))
	video, broken := rs[0], rs[2].File.Path
	fetch := func(r record.Received) error {
		got.Reset()
		err := s.Download(w.within(), r.Type, *r.File, &got)
		if err != nil && (strings.Contains(err.Error(), "/v/") || strings.Contains(err.Error(), "standin")) {
			t.Errorf("the error says where: %v", err)
		}
		return err
	}
	for i, r := range rs {
		if err := fetch(r); err != nil {
			t.Errorf("file %d: %v", i, err)
		}
		if sum := sha256.Sum256(got.Bytes()); !bytes.Equal(sum[:], r.File.Sealed) || r.Type != []record.Type{record.Video, record.Voice, record.Image, record.Document}[i] {
			t.Errorf("file %d, %s: %d bytes", i, r.Type, got.Len())
		}
	}
	asked := func() (n int) {
		for _, e := range w.server.Journal() {
			if e.Media != "" {
				n++
			}
		}
		return n
	}

	before := asked()
	w.server.FailMedia(1)
	if err := fetch(video); err == nil || errors.Is(err, ErrGone) || !strings.Contains(err.Error(), "503") {
		t.Errorf("the server failed: %v", err)
	}
	w.server.CutMedia(1, 1000)
	if err := fetch(video); err == nil || !strings.Contains(err.Error(), "broke off") || got.Len() != 1000 {
		t.Errorf("cut off after %d bytes: %v", got.Len(), err)
	}
	if err := fetch(video); err != nil || got.Len() < len(mp4) {
		t.Errorf("the next attempt: %d bytes, %v", got.Len(), err)
	}
	if n := asked() - before; n != 3 {
		t.Errorf("%d requests for three attempts", n)
	}
	if err := s.Download(w.within(), video.Type, *video.File, failing{}); !errors.Is(err, errDisk) {
		t.Errorf("nowhere to write it: %v", err)
	}
	w.server.Spoil(sent[1].Upload())
	if err := fetch(rs[1]); err != nil { // it is for the caller to tell
		t.Errorf("another file: %v", err)
	}
	w.server.Expire(sent[0].Upload())
	for what, r := range map[string]record.Received{
		"expired":   video,
		"unknown":   {Type: record.Image, File: &record.File{Path: "/v/unknown?x"}},
		"no path":   {Type: record.Image, File: &record.File{}},
		"no path 2": {Type: record.Image, File: &record.File{Path: "@example.org/x?"}},
		"garbage":   {Type: record.Image, File: &record.File{Path: "/x\n%zz"}},
	} {
		if err := fetch(r); !errors.Is(err, ErrGone) {
			t.Errorf("%s: %v, want ErrGone", what, err)
		}
	}
	if err := s.Download(w.within(), record.Text, *video.File, &got); err == nil || errors.Is(err, ErrGone) {
		t.Errorf("the file of a text: %v", err)
	}
	ended, cancel := context.WithCancel(w.within())
	cancel()
	if err := s.Download(ended, video.Type, *video.File, &got); !errors.Is(err, context.Canceled) {
		t.Errorf("not wanted any more: %v", err)
	}
	w.receiveOnly("/v/", "standin", "flood", broken)
	stop()
	if err := fetch(video); !errors.Is(err, ErrNotConnected) {
		t.Errorf("after Run: %v", err)
	}
}

// TestDownloadFromTheNextServer goes on to another server, unless the first has begun.
func TestDownloadFromTheNextServer(t *testing.T) {
	w := newWorld(t)
	w.server.SetMediaHosts("one.invalid", "two.invalid", "three.invalid")
	s := w.linked()
	m := newMemory(t)
	w.run(s, m)
	w.ready(m)
	sent := w.ann.SendsImage(make([]byte, 4000), "")
	r := m.awaitRecords(1)[0]
	for _, tt := range []struct {
		befalls func()
		bytes   int
		ok      bool
	}{
		{func() { w.server.FailMedia(2) }, 4026, true},
		{func() { w.server.FailMedia(3) }, 0, false},
		{func() { w.server.CutMedia(1, 0) }, 4026, true},
		{func() { w.server.CutMedia(1, 1000) }, 1000, false},
		{func() { w.server.Expire(sent.Upload()) }, 0, false},
	} {
		tt.befalls()
		var got bytes.Buffer
		if err := s.Download(w.within(), r.Type, *r.File, &got); (err == nil) != tt.ok || got.Len() != tt.bytes {
			t.Errorf("%d bytes, %v, want %d, %v", got.Len(), err, tt.bytes, tt.ok)
		}
	}
	w.receiveOnly("invalid")
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errDisk }

// TestDownloadThatStalls has a server that sends the beginning of a file and no more.
func TestDownloadThatStalls(t *testing.T) {
	w := newWorld(t)
	s := w.linked()
	s.stall = 300 * time.Millisecond
	silent := &silentMedia{RoundTripper: s.options.HTTP.Transport, begun: make(chan struct{}, 2)}
	s.options.HTTP = &http.Client{Transport: silent}
	m := newMemory(t)
	stop := w.run(s, m)
	w.ready(m)
	w.ann.SendsImage(make([]byte, 4000), "")
	r := m.awaitRecords(1)[0]
	if err := s.Download(w.within(), r.Type, *r.File, io.Discard); !errors.Is(err, errStalled) {
		t.Errorf("the server fell silent: %v", err)
	}
	for len(silent.begun) > 0 {
		<-silent.begun
	}

	s.stall = time.Hour
	failed := make(chan error, 1)
	go func() { failed <- s.Download(w.within(), r.Type, *r.File, io.Discard) }()
	<-silent.begun
	stop()
	if err := <-failed; !errors.Is(err, ErrNotConnected) {
		t.Errorf("when Run ends: %v", err)
	}
}

// TestStallingIsToldFromSlowness goes by a clock of its own.
func TestStallingIsToldFromSlowness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stalled atomic.Bool
		out := newSink(lazy{}, stallLimit, func() { stalled.Store(true) })
		defer out.idle.Stop()
		for range 10 {
			time.Sleep(stallLimit - time.Second)
			if _, err := out.Write([]byte("x")); err != nil || stalled.Load() {
				t.Fatalf("slow, but not silent: %v, %v", err, stalled.Load())
			}
		}
		time.Sleep(stallLimit + time.Second)
		if !stalled.Load() {
			t.Error("silence is not noticed")
		}
	})
}

// lazy takes its time, which is not the server's.
type lazy struct{}

func (lazy) Write(p []byte) (int, error) {
	time.Sleep(2 * stallLimit)
	return len(p), nil
}

// silentMedia sends 400 bytes of every file.
type silentMedia struct {
	http.RoundTripper
	begun chan struct{}
}

func (s *silentMedia) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.RoundTripper.RoundTrip(r)
	if err == nil && strings.HasPrefix(r.URL.Path, "/v/") {
		resp.Body = &silentBody{ReadCloser: resp.Body, ctx: r.Context()}
		s.begun <- struct{}{}
	}
	return resp, err
}

type silentBody struct {
	io.ReadCloser
	ctx  context.Context
	read bool
}

func (b *silentBody) Read(p []byte) (int, error) {
	if b.read {
		<-b.ctx.Done()
		return 0, b.ctx.Err()
	}
	b.read = true
	return b.ReadCloser.Read(p[:min(400, len(p))])
}
