package daemon

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"time"

	"muniment/internal/ledger"
	"muniment/internal/sqlite"
)

// stampWait is how long a time-stamping authority may take.
const stampWait = 30 * time.Second

// stamp has the latest checkpoint stamped with the time, where an authority is
// configured. That it cannot be is no failure of anything else: it is logged, the status
// shows it, and the next night tries again.
func (d *Daemon) stamp(ctx context.Context) error {
	c := d.o.Config.Ledger
	if c.TimestampURL == "" {
		return nil
	}
	var id int64
	var note string
	var is bool
	if err := d.db.Read(ctx, func(tx *sqlite.Tx) (err error) {
		id, note, is, err = ledger.Unstamped(tx)
		return err
	}); err != nil || !is {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stampWait)
	defer cancel()
	token, err := stampBy(ctx, c.TimestampURL, c.TimestampCA, note)
	if err != nil {
		d.log.Warn("the ledger's checkpoint was not stamped with the time; it will be tried again tomorrow", "err", err)
		return nil
	}
	return d.db.Write(ctx, func(tx *sqlite.Tx) error { return ledger.KeepStamp(tx, id, token) })
}

// stampBy asks an authority for a time stamp; caFile may be empty.
func stampBy(ctx context.Context, url, caFile, note string) ([]byte, error) {
	a := ledger.Authority{URL: url, Client: &http.Client{Timeout: stampWait}}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("ledger.timestamp_ca: %w", err)
		}
		if a.Roots = x509.NewCertPool(); !a.Roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ledger.timestamp_ca: there is no certificate in %s", caFile)
		}
	}
	return a.Stamp(ctx, note)
}
