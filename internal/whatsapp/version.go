package whatsapp

import (
	"context"
	"io"
	"net/http"
	"sync"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
)

var (
	// builtIn is the version of WhatsApp's app that whatsmeow was written for.
	builtIn = store.GetWAVersion()
	// version is held while that which we connect as is changed: whatsmeow has one for
	// the whole process.
	version sync.Mutex
)

// largestPage bounds what is read of web.whatsapp.com: the page has less than one.
const largestPage = 8 << 20

// adoptVersion has us connect as the version of its app that WhatsApp publishes now,
// and reports whether that is another than before. It is kept in memory only: a newer
// muniment brings a newer one with it.
func (s *Session) adoptVersion(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	latest, err := whatsmeow.GetLatestVersion(ctx, &http.Client{Transport: bounded{s.options.HTTP.Transport}})
	if err != nil {
		s.options.Log.Warn("WhatsApp does not say which version of its app is the newest")
		return false
	}
	version.Lock()
	defer version.Unlock()
	if *latest == store.GetWAVersion() || latest.LessThan(builtIn) {
		return false
	}
	store.SetWAVersion(*latest)
	s.options.Log.Info("connecting as the newest version of WhatsApp's app", "version", latest.String())
	return true
}

// update learns which version WhatsApp wants, and connects. The first time, if none is
// known that it has not refused just now, that is left for later.
func (l *listener) update(ctx context.Context) {
	if !l.session.adoptVersion(ctx) && l.link.isFirst() && ctx.Err() == nil {
		l.link.unhelped()
		l.link.finished()
		return
	}
	l.reconnect(ctx)
}

// bounded is a transport of which nobody reads more of an answer than a page has.
type bounded struct{ by http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	by := b.by
	if by == nil {
		by = http.DefaultTransport
	}
	resp, err := by.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, largestPage), resp.Body}
	}
	return resp, err
}
