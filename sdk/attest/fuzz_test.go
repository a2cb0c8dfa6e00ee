package attest_test

import (
	"bytes"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/provenance"
)

// Whatever comes from a registry, nothing crashes and nobody is trusted who has not signed it.
func FuzzParseBundle(f *testing.F) {
	key := newKey(f, attest.ECDSA)
	trusted := attest.Keys{{Key: newKey(f, attest.ECDSA).Public()}, {Key: newKey(f, attest.Ed25519).Public()}}
	f.Add(signHello(f, key).Bytes())
	f.Add(statement(f, key, provenance.Type, origin(nil), attest.Subject{Digest: map[string]string{"sha256": "00"}}).Bytes())
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":{"payloadType":"x","signatures":[{}]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := attest.ParseBundle(raw)
		if err != nil {
			return
		}
		if by, err := trusted.Verify(t.Context(), b, now); err == nil {
			t.Errorf("%s is trusted for %q", by, raw)
		}
		if !bytes.Equal(b.Bytes(), raw) {
			t.Error("it changed")
		}
		_ = b.Envelope()
		_, _ = b.UnverifiedStatement()
	})
}

func FuzzParseStatement(f *testing.F) {
	f.Add([]byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"00"}}],"predicateType":"x","predicate":{}}`))
	f.Add([]byte(`{"_type":"https://in-toto.io/Statement/v0.1","subject":[null]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := attest.ParseStatement(raw)
		if err != nil {
			return
		}
		for _, r := range []attest.Requirement{attest.TestsPassed(), attest.LintPassed(), attest.NoVulnerabilities(nil)} {
			_, _, _ = r.Check(s.Predicate)
		}
		if len(s.Subject) == 0 || s.PredicateType == "" {
			t.Error("a statement about nothing")
		}
	})
}

func FuzzLoadKeys(f *testing.F) {
	f.Add(newKey(f, attest.ECDSA).Public().PEM())
	f.Add([]byte("keys:\n- name: a\n  publicKey: |\n    x\n  from: 2026-01-01\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		keys, err := attest.LoadKeys("keys.yaml", raw)
		if err == nil && len(keys) == 0 {
			t.Error("no keys, and no error")
		}
		_, _ = attest.LoadKey(raw, nil)
	})
}
