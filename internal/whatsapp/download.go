package whatsapp

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"

	"muniment/internal/record"
)

// mediaKinds are what WhatsApp's media servers call the types of files.
var mediaKinds = map[record.Type]string{
	record.Image: "image", record.Sticker: "image", record.Video: "video", record.GIF: "video", record.VideoNote: "video",
	record.Audio: "audio", record.Voice: "audio", record.Document: "document", record.Stickers: "sticker-pack",
	record.History: "md-msg-hist", // what the council's own phone offers
}

// Download writes a file of type t, [record.Received.FileType], to w as WhatsApp keeps it:
// encrypted. Nothing is checked but that it came whole as far as the server said;
// what f says of the file is for the caller to compare.
//
// There is one attempt, with what has been written to w left there if it fails. The
// error is [ErrGone] if WhatsApp has no such file any more, and [ErrNotConnected] if
// Run is not connected; Run's end ends it with that too. It names no address.
func (s *Session) Download(ctx context.Context, t record.Type, f record.File, w io.Writer) error {
	if err := s.download(ctx, t, f, w); err != nil {
		return fmt.Errorf("download a file: %w", err)
	}
	return nil
}

func (s *Session) download(ctx context.Context, t record.Type, f record.File, w io.Writer) error {
	kind := mediaKinds[t]
	if kind == "" {
		return fmt.Errorf("messages of type %q have none", t)
	}
	// The path is the sender's, the host is WhatsApp's: it must not become another.
	if _, err := url.Parse("https://host" + f.Path); err != nil || !strings.HasPrefix(f.Path, "/") {
		return fmt.Errorf("%w: the message does not say where", ErrGone)
	}
	l := s.listener.Load()
	if l == nil || !l.link.isUp() {
		return ErrNotConnected
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.base, func() { cancel(ErrNotConnected) })()

	hosts, err := l.mediaHosts(ctx)
	if err != nil {
		return orCause(ctx, err)
	}
	out := newSink(w, s.stall, func() { cancel(errStalled) })
	defer out.idle.Stop()
	for _, host := range hosts {
		out.idle.Reset(s.stall)
		address := fmt.Sprintf("https://%s%s&hash=%s&mms-type=%s&__wa-mms=",
			host.Hostname, f.Path, base64.URLEncoding.EncodeToString(f.Sealed), kind)
		_, _, err = l.internals().DownloadMediaToFile(ctx, address, out)
		switch {
		case err == nil:
			return nil
		case out.err != nil:
			return out.err
		}
		err = orCause(ctx, mediaError(err))
		// Another server cannot take back what this one has written.
		if ctx.Err() != nil || out.begun || errors.Is(err, ErrGone) {
			break
		}
	}
	return err
}

// stallLimit is how long a download may go without a byte. How long it may take is
// for the caller to say: a film over a slow line takes its time.
const stallLimit = time.Minute

var errStalled = errors.New("WhatsApp's server sends nothing")

// internals are what whatsmeow does not offer but has: all that it offers decrypts.
func (l *listener) internals() *whatsmeow.DangerousInternalClient {
	return l.client.DangerousInternals() //lint:ignore SA1019 it means: dangerous
}

// mediaHosts returns the servers that have media, at least one.
func (l *listener) mediaHosts(ctx context.Context) ([]whatsmeow.MediaConnHost, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	media, err := l.internals().RefreshMediaConn(ctx, false)
	switch {
	case errors.Is(err, whatsmeow.ErrNotConnected), errors.Is(err, whatsmeow.ErrIQDisconnected), errors.Is(err, whatsmeow.ErrNotLoggedIn):
		return nil, ErrNotConnected
	case err != nil:
		return nil, fmt.Errorf("ask for WhatsApp's media servers: %w", plain(err))
	case len(media.Hosts) == 0:
		return nil, errors.New("WhatsApp names no media server")
	}
	return media.Hosts, nil
}

// mediaError makes an error of a media server's, or of the way there, one that says
// neither where nor what.
func mediaError(err error) error {
	var answer whatsmeow.DownloadHTTPError
	switch {
	case errors.As(err, &answer):
		switch answer.StatusCode {
		case http.StatusForbidden, http.StatusNotFound, http.StatusGone:
			return ErrGone
		}
		return fmt.Errorf("WhatsApp's server answered with status %d", answer.StatusCode)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the file broke off")
	}
	return plain(err)
}

// orCause returns why ctx is done, if it is, and otherwise err.
func orCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// A sink passes on what is downloaded, and stops the clock that runs while nothing
// comes. The time that w itself takes does not count.
type sink struct {
	w     io.Writer
	idle  *time.Timer
	limit time.Duration
	begun bool
	err   error // of w
}

// newSink makes a sink that calls stalled when nothing has come for so long.
func newSink(w io.Writer, limit time.Duration, stalled func()) *sink {
	return &sink{w: w, idle: time.AfterFunc(limit, stalled), limit: limit}
}

func (s *sink) Write(p []byte) (n int, err error) {
	s.idle.Stop()
	defer s.idle.Reset(s.limit)
	s.begun = true
	n, s.err = s.w.Write(p)
	if s.err == nil && n < len(p) {
		s.err = io.ErrShortWrite
	}
	return n, s.err
}
