package attest_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func newKey(t testing.TB, algorithm attest.Algorithm) *attest.Key {
	t.Helper()
	key, err := attest.GenerateKey(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKeysSignAndSurviveEncryption(t *testing.T) {
	for _, algorithm := range []attest.Algorithm{attest.ECDSA, attest.Ed25519} {
		t.Run(string(algorithm), func(t *testing.T) {
			key := newKey(t, algorithm)
			sealed, err := key.MarshalEncrypted([]byte("open sesame"))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(sealed, []byte("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----")) {
				t.Errorf("not as cosign writes it:\n%s", sealed)
			}
			loaded, err := attest.LoadKey(sealed, []byte("open sesame"))
			if err != nil {
				t.Fatal(err)
			}
			bundle, err := loaded.Sign(t.Context(), "text/plain", []byte("hello"))
			if err != nil {
				t.Fatal(err)
			}
			public, err := attest.LoadPublicKey(key.Public().PEM())
			if err != nil {
				t.Fatal(err)
			}
			by, err := attest.Keys{{Name: "ops", Key: public}}.Verify(t.Context(), bundle, now)
			if err != nil || by.KeyID != key.Public().ID() || by.Name != "ops" {
				t.Errorf("got %+v, %v", by, err)
			}
		})
	}
}

func TestLoadKeyForms(t *testing.T) {
	ec := func(curve elliptic.Curve) *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	p384 := ec(elliptic.P384())
	big, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(p384)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(p384)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := x509.MarshalPKCS8PrivateKey(ec(elliptic.P224()))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, kind string
		der        []byte
		want       error
	}{
		{"PKCS 8", "PRIVATE KEY", pkcs8, nil},
		{"SEC 1", "EC PRIVATE KEY", sec1, nil},
		{"PKCS 1", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(big), nil},
		{"weak", "PRIVATE KEY", weak, attest.ErrMalformed},
		{"cut", "PRIVATE KEY", pkcs8[:40], attest.ErrMalformed},
		{"a certificate", "CERTIFICATE", pkcs8, attest.ErrMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			key, err := attest.LoadKey(pem.EncodeToMemory(&pem.Block{Type: test.kind, Bytes: test.der}), nil)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if err != nil {
				return
			}
			bundle, err := key.Sign(t.Context(), "text/plain", []byte("hello"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := (attest.Keys{{Key: key.Public()}}).Verify(t.Context(), bundle, now); err != nil {
				t.Error(err)
			}
		})
	}
}

// Whatever is done with a key, and whatever goes wrong with its file, nothing of it shows.
func TestKeysDoNotShow(t *testing.T) {
	key := newKey(t, attest.ECDSA)
	sealed, err := key.MarshalEncrypted([]byte("open sesame"))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", key)
	asJSON, err := json.Marshal(map[string]any{"key": key})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprint(key), fmt.Sprintf("%v %+v %#v %s %q %x %d", key, key, key, key, key, key, key), log.String(), string(asJSON),
	} {
		if rest := strings.ReplaceAll(text, key.Public().ID(), "ID"); len(rest) > 150 || !strings.Contains(rest, "ID") {
			t.Errorf("more than the id shows: %s", text)
		}
	}
	secret := string(sealed[60:100])
	for _, test := range []struct {
		name            string
		src, passphrase []byte
		want            error
	}{
		{"wrong passphrase", sealed, []byte("close sesame"), attest.ErrPassphrase},
		{"no passphrase", sealed, nil, attest.ErrPassphrase},
		{"damaged", bytes.Replace(sealed, sealed[200:210], []byte("AAAAAAAAAA"), 1), []byte("open sesame"), attest.ErrPassphrase},
		{"no PEM", sealed[10:], []byte("open sesame"), attest.ErrMalformed},
		{"empty", nil, nil, attest.ErrMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := attest.LoadKey(test.src, test.passphrase)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if text := err.Error(); strings.Contains(text, secret) || strings.Contains(text, "sesame") || len(text) > 200 {
				t.Errorf("the error shows too much: %s", text)
			}
		})
	}
	if _, err := attest.LoadKeys("keys.yaml", sealed); err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "private key") {
		t.Errorf("a private key among the trusted ones: %v", err)
	}
}

func TestRotation(t *testing.T) {
	old, renewed := newKey(t, attest.ECDSA), newKey(t, attest.Ed25519)
	indent := func(pem []byte) string { return strings.ReplaceAll(strings.TrimSpace(string(pem)), "\n", "\n      ") }
	keys, err := attest.LoadKeys("keys.yaml", fmt.Appendf(nil, `keys:
  - name: build service 2025
    publicKey: |
      %s
    until: 2026-11-30
  - name: build service 2026
    publicKey: |
      %s
    from: 2026-11-01T00:00:00Z
`, indent(old.Public().PEM()), indent(renewed.Public().PEM())))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		key  *attest.Key
		at   time.Time
		want string
	}{
		{"old before", old, now.AddDate(0, -1, 0), ""},
		{"renewed before", renewed, now.AddDate(0, -1, 0), "not signed by anyone trusted: the key build service 2026 is trusted from 2026-11-01T00:00:00Z on, and it is 2026-10-25T12:00:00Z"},
		{"old in between", old, now, ""},
		{"renewed in between", renewed, now, ""},
		{"old on its last day", old, time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC), ""},
		{"old after", old, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), "not signed by anyone trusted: the key build service 2025 was trusted until 2026-12-01T00:00:00Z, and it is 2026-12-01T00:00:00Z"},
		{"renewed after", renewed, now.AddDate(1, 0, 0), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			bundle, err := test.key.Sign(t.Context(), "text/plain", []byte("hello"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = keys.Verify(t.Context(), bundle, test.at)
			if got := text(err); got != test.want || (err != nil) != errors.Is(err, attest.ErrUntrusted) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestLoadKeysRefuses(t *testing.T) {
	public := strings.ReplaceAll(strings.TrimSpace(string(newKey(t, attest.ECDSA).Public().PEM())), "\n", "\n      ")
	for _, test := range []struct{ name, src, want string }{
		{"nothing", "", "keys.yaml: malformed: it has no keys"},
		{"no keys", "keys: []", "keys.yaml: malformed: it has no keys"},
		{"unknown field", "keys:\n- name: a\n  expires: 2027-01-01\n", "expires"},
		{"twice", "keys:\n  - name: a\n    publicKey: |\n      " + public + "\n  - name: b\n    publicKey: |\n      " + public + "\n", "keys.yaml: key 2 (b): malformed: it is the same key as keys.yaml: key 1 (a)"},
		{"ends before it begins", "keys:\n  - publicKey: |\n      " + public + "\n    from: 2027-01-01\n    until: 2026-01-01\n", "it ends (2026-01-01) before it begins (2027-01-01)"},
		{"no key", "keys:\n- name: a\n  publicKey: hello\n", "keys.yaml: key 1 (a): public key: malformed: it is not a public key in PEM"},
		{"not a date", "keys:\n- name: a\n  until: soon\n", "soon"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := attest.LoadKeys("keys.yaml", []byte(test.src))
			if !errors.Is(err, attest.ErrMalformed) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestNobodyIsTrustedByDefault(t *testing.T) {
	bundle, err := newKey(t, attest.ECDSA).Sign(t.Context(), "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, keys := range []attest.Keys{nil, {{}}, {{Key: newKey(t, attest.ECDSA).Public()}}} {
		if by, err := keys.Verify(t.Context(), bundle, now); !errors.Is(err, attest.ErrUntrusted) || by != (attest.Identity{}) {
			t.Errorf("%d keys: got %v, %v", len(keys), by, err)
		}
	}
}
