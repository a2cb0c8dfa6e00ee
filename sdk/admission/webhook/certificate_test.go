package webhook_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission/webhook"
)

func TestCertificateIsRenewed(t *testing.T) {
	dir := t.TempDir()
	c := &webhook.Certificate{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	if _, err := c.Get(nil); err == nil {
		t.Error("no file, and no error")
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{GetCertificate: c.Get}
	reach := func(issued *webhook.Issued) error {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(issued.CA)
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "plimsoll.plimsoll-system.svc"}, DisableKeepAlives: true}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	issue := func(at time.Time) *webhook.Issued {
		issued, err := webhook.Issue([]string{"plimsoll.plimsoll-system.svc", "127.0.0.1"}, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string][]byte{c.CertFile: issued.Cert, c.KeyFile: issued.Key} {
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(name, at, at); err != nil {
				t.Fatal(err)
			}
		}
		return issued
	}
	first := issue(time.Now().Add(-time.Hour))
	if _, err := c.Get(nil); err != nil {
		t.Fatal(err)
	}
	// httptest brings a certificate of its own unless there is one.
	server.TLS.Certificates = []tls.Certificate{*must(c.Get(nil))}
	server.StartTLS()
	defer server.Close()
	if err := reach(first); err != nil {
		t.Error(err)
	}
	second := issue(time.Now())
	if err := reach(second); err != nil {
		t.Errorf("renewed: %v", err)
	}
	if err := reach(first); err == nil {
		t.Error("the old authority is still good")
	}
	if err := os.WriteFile(c.CertFile, []byte("half a"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := reach(second); err != nil {
		t.Errorf("with broken files the last good one serves: %v", err)
	}
}

func must(c *tls.Certificate, err error) *tls.Certificate {
	if err != nil {
		panic(err)
	}
	return c
}
