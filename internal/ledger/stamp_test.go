package ledger_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"muniment/internal/ledger"
)

// authority is a time-stamping authority with a certificate of its own.
type authority struct {
	ledger.Authority
	clock time.Time
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{clock: time.Now().Truncate(time.Second)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Time"}, NotBefore: a.clock.Add(-time.Hour), NotAfter: a.clock.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		q, err := timestamp.ParseRequest(b)
		if err != nil {
			http.Error(w, "not a query", http.StatusBadRequest)
			return
		}
		answer := timestamp.Timestamp{HashAlgorithm: q.HashAlgorithm, HashedMessage: q.HashedMessage, Time: a.clock, Nonce: q.Nonce,
			Policy: asn1.ObjectIdentifier{1, 2, 3}, AddTSACertificate: true}
		out, err := answer.CreateResponseWithOpts(cert, key, crypto.SHA256)
		if err != nil {
			t.Error(err)
		}
		w.Write(out)
	}))
	t.Cleanup(server.Close)
	a.URL, a.Client, a.Roots = server.URL, server.Client(), x509.NewCertPool()
	a.Roots.AddCert(cert)
	return a
}

const stamped = "muniment\n12\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— muniment AAAA\n"

// A time stamp is of one checkpoint, and by the authority that is configured.
func TestTimeStamp(t *testing.T) {
	a, another := newAuthority(t), newAuthority(t)
	token, err := a.Stamp(t.Context(), stamped)
	if err != nil {
		t.Fatal(err)
	}
	at, err := ledger.CheckStamp(token, stamped, a.Roots)
	if err != nil || !at.Equal(a.clock) {
		t.Errorf("stamped at %v, err %v; want %v", at, err, a.clock)
	}
	if _, err := ledger.CheckStamp(token, stamped, nil); err != nil {
		t.Errorf("by whomever: %v", err)
	}
	if _, err := ledger.CheckStamp(token, stamped+" ", a.Roots); err == nil {
		t.Error("it passes for the stamp of something else")
	}
	if _, err := ledger.CheckStamp(token, stamped, another.Roots); err == nil {
		t.Error("anybody's stamp is taken for the authority's")
	}
	another.Roots = a.Roots
	if _, err := another.Stamp(t.Context(), stamped); err == nil {
		t.Error("another authority's answer was taken")
	}
	passed := 0
	for i := range token {
		altered := append([]byte(nil), token...)
		altered[i] ^= 1
		if got, err := ledger.CheckStamp(altered, stamped, a.Roots); err == nil && !got.Equal(at) {
			t.Errorf("byte %d was altered, and it says another time: %v", i, got)
		} else if err == nil {
			passed++
		}
	}
	if passed > len(token)/3 {
		t.Errorf("%d of %d bytes can be altered", passed, len(token))
	}
}
