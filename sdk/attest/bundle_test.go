package attest_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
)

func signHello(t testing.TB, key *attest.Key) *attest.Bundle {
	t.Helper()
	bundle, err := key.Sign(t.Context(), "text/plain", []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

func TestBundlesComeBackByteForByte(t *testing.T) {
	key := newKey(t, attest.ECDSA)
	bundle := signHello(t, key)
	spaced := bytes.ReplaceAll(bundle.Bytes(), []byte(","), []byte(" ,\n"))
	parsed, err := attest.ParseBundle(spaced)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(parsed.Bytes(), spaced) || string(parsed.UnverifiedPayload()) != "hello" || parsed.PayloadType() != "text/plain" {
		t.Errorf("got %s", parsed.Bytes())
	}
	if _, err := (attest.Keys{{Key: key.Public()}}).Verify(t.Context(), parsed, now); err != nil {
		t.Error(err)
	}
}

// What is signed is the payload with its type; neither can be exchanged.
func TestTamperedBundles(t *testing.T) {
	key, thief := newKey(t, attest.ECDSA), newKey(t, attest.ECDSA)
	trusted := attest.Keys{{Key: key.Public()}}
	bundle, foreign := string(signHello(t, key).Bytes()), string(signHello(t, thief).Bytes())
	between := func(s, after, before string) string {
		_, s, _ = strings.Cut(strings.ReplaceAll(s, `": "`, `":"`), after)
		s, _, _ = strings.Cut(s, before)
		return s
	}
	hint, foreignHint := between(bundle, `"hint":"`, `"`), between(foreign, `"hint":"`, `"`)
	for _, test := range []struct {
		name, raw string
		want      error
	}{
		{"payload", strings.Replace(bundle, base64.StdEncoding.EncodeToString([]byte("hello")), base64.StdEncoding.EncodeToString([]byte("hullo")), 1), attest.ErrUntrusted},
		{"payload type", strings.Replace(bundle, "text/plain", "text/html", 1), attest.ErrUntrusted},
		{"another's signature", foreign, attest.ErrUntrusted},
		{"another's signature in our name", strings.Replace(foreign, foreignHint, hint, 1), attest.ErrUntrusted},
		{"our signature in another's name", strings.Replace(bundle, hint, foreignHint, 1), nil}, // the name is nobody's word
		{"two envelopes", strings.Replace(bundle, `"dsseEnvelope"`, `"dsseEnvelope":{},"dsseEnvelope"`, 1), attest.ErrMalformed},
		{"no signature", strings.Replace(bundle, `"signatures"`, `"signatures":[], "other"`, 1), attest.ErrMalformed},
		{"other type", strings.Replace(bundle, attest.BundleMediaType, "application/json", 1), attest.ErrMalformed},
		{"cut", bundle[:len(bundle)/2], attest.ErrMalformed},
		{"empty", "", attest.ErrMalformed},
		{"deep", strings.Repeat(`{"x":`, 100_000), attest.ErrMalformed},
		{"huge", strings.Repeat(" ", attest.MaxBundleBytes+1), attest.ErrMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.raw == bundle {
				t.Fatal("nothing was changed")
			}
			b, err := attest.ParseBundle([]byte(test.raw))
			if err == nil {
				_, err = trusted.Verify(t.Context(), b, now)
			}
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if err != nil && len(err.Error()) > 500 {
				t.Errorf("a long error: %s", err)
			}
		})
	}
}
