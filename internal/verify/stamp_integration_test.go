//go:build integration

package verify_test

import (
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"muniment/internal/ledger"
	"muniment/internal/sqlite"
)

const authorityConfig = `[tsa]
default_tsa = t
[t]
serial = serial
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
signer_digest = sha256
crypto_device = builtin
`

const authorityKeys = `echo 01 > serial
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=TSA-CA -days 30
openssl req -newkey rsa:2048 -nodes -keyout k.pem -subj /CN=TSA -out c.csr
printf 'extendedKeyUsage=critical,timeStamping\n' > ext
openssl x509 -req -in c.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile ext -out c.pem`

// A time-stamping authority of OpenSSL's stamps a checkpoint; OpenSSL agrees that the token
// is of it, and so does verify, until either is altered.
func TestATimeStampOfOpenSSL(t *testing.T) {
	dir := t.TempDir()
	run := func(script string) {
		t.Helper()
		c := exec.Command("sh", "-ec", script)
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
	}
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("tsa.cnf", []byte(authorityConfig))
	run(authorityKeys)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		write("q.tsq", q)
		run("openssl ts -reply -config tsa.cnf -queryfile q.tsq -inkey k.pem -signer c.pem -chain c.pem -out r.tsr")
		w.Write(read(t, filepath.Join(dir, "r.tsr")))
	}))
	defer server.Close()
	a := ledger.Authority{URL: server.URL, Client: server.Client(), Roots: x509.NewCertPool()}
	a.Roots.AppendCertsFromPEM(read(t, filepath.Join(dir, "ca.pem")))

	v := newVault(t)
	note := v.story()
	token, err := a.Stamp(t.Context(), note)
	if err != nil {
		t.Fatal(err)
	}
	write("note", []byte(note))
	write("token", token)
	run("openssl ts -verify -data note -in token -token_in -CAfile ca.pem")

	v.write(func(tx *sqlite.Tx) error {
		id, _, is, err := ledger.Unstamped(tx)
		if err != nil || !is {
			t.Fatalf("nothing to stamp: %v", err)
		}
		return ledger.KeepStamp(tx, id, token)
	})
	v.expectFaults(v.verifies())
	v.signs(v.key)
	v.tampers("UPDATE checkpoint SET stamp = (SELECT stamp FROM checkpoint WHERE id = 1) WHERE id = 2")
	v.expectFaults(v.verifies(), "the time stamp of checkpoint 2 is not of it: the time stamp is of something else")
	v.tampers("UPDATE checkpoint SET stamp = x'3000'")
	if r := v.verifies(); len(r.Faults) != 2 {
		t.Errorf("faults: %q", r.Faults)
	}
}
