package bundle_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
)

// signer signs with one key. Its envelopes are no DSSE: the format of a bundle does not depend on what is in them.
type signer struct{ key ed25519.PrivateKey }

type envelope struct {
	Type               string
	Payload, Signature []byte
}

func newSigner(name string) signer {
	seed := sha256.Sum256([]byte(name))
	return signer{ed25519.NewKeyFromSeed(seed[:])}
}

func (s signer) Sign(_ context.Context, kind string, payload []byte) ([]byte, error) {
	return json.Marshal(envelope{kind, payload, ed25519.Sign(s.key, append([]byte(kind), payload...))})
}

var errSignature = errors.New("not a signature by a trusted key")

func (s signer) Verify(_ context.Context, kind string, data []byte) ([]byte, error) {
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, err
	}
	if e.Type != kind || !ed25519.Verify(s.key.Public().(ed25519.PublicKey), append([]byte(kind), e.Payload...), e.Signature) {
		return nil, errSignature
	}
	return e.Payload, nil
}

var (
	ops = newSigner("ops")
	now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
)

func digest(i int) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(fmt.Append(nil, i))) }

func header(version uint64) bundle.Header {
	return bundle.Header{Name: "test", Version: version, Issued: now, Expires: now.Add(time.Hour)}
}

// builder lists n denied digests and as many known ones, under a ban of a base two images below.
func builder(version uint64, n int) *bundle.Builder {
	b := bundle.NewBuilder(header(version))
	fill(b, n)
	return b
}

func fill(b *bundle.Builder, n int) {
	ban := b.Ban(bundle.Ban{ID: "BAN-1", Reason: "holes", DenyFrom: now, WayOut: "use 12.9"})
	base := b.Node(bundle.Node{Name: "base/debian:12.8", Digest: digest(-1)})
	mid := b.Node(bundle.Node{Name: "base/java:21", Digest: digest(-2), Base: base, Role: "base", Evidence: "build record"})
	b.Deny(digest(-1), bundle.Cause{Ban: ban})
	for i := range n {
		b.Deny(digest(2*i), bundle.Cause{Ban: ban, On: mid, Role: "base", Evidence: "signed provenance"})
		b.Know(digest(2*i + 1))
	}
}

func write(t testing.TB, b *bundle.Builder) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := b.Write(t.Context(), &out, ops); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func load(t testing.TB, data []byte) *bundle.Bundle {
	t.Helper()
	b, err := bundle.Load(t.Context(), data, ops)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
