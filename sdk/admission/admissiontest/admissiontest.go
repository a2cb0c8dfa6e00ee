// Package admissiontest makes deny bundles for tests and examples of gates: signed by a key of its own, dated so that they
// hold now.
//
//	deny := admissiontest.New("test")
//	deny.Ban("BAN-1", "use base/debian:12.9", image)
//	gate := admission.NewGate(admission.Options{Bundles: deny})
//
// It is not for production.
package admissiontest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
)

// Deny is a bundle that can be changed while gates use it. It is safe for concurrent use.
type Deny struct {
	// Key signs the bundle, and is trusted by its own Verify.
	Key Key

	mu      sync.Mutex
	header  bundle.Header
	add     []func(*bundle.Builder)
	current *bundle.Bundle
	data    []byte
	mark    time.Time
	err     error
}

var _ admission.Bundles = (*Deny)(nil)

// New returns an empty bundle of a stream, version 1, that was issued an hour ago and expires in an hour.
func New(name string) *Deny {
	now := time.Now()
	d := &Deny{
		Key:    NewKey(name),
		header: bundle.Header{Name: name, Version: 1, Issued: now.Add(-time.Hour), Expires: now.Add(time.Hour)},
	}
	d.make()
	return d
}

// Digest is a made-up digest, always the same for the same text.
func Digest(text string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) }

// Ban denies digests, all of them because they stand on the base "base/debian:12.8", from two hours ago on.
func (d *Deny) Ban(id, wayOut string, digests ...string) {
	from := time.Now().Add(-2 * time.Hour)
	d.Add(func(b *bundle.Builder) {
		ban := b.Ban(bundle.Ban{ID: id, Reason: "CVE-2026-12345 in openssl", DenyFrom: from, WayOut: wayOut})
		base := b.Node(bundle.Node{Name: "base/debian:12.8", Digest: Digest("base/debian:12.8")})
		for _, digest := range digests {
			b.Deny(digest, bundle.Cause{Ban: ban, On: base, Role: "base", Evidence: "signed provenance"})
		}
	})
}

// Know lists digests as known and not denied.
func (d *Deny) Know(digests ...string) {
	d.Add(func(b *bundle.Builder) {
		for _, digest := range digests {
			b.Know(digest)
		}
	})
}

// Add changes the bundle and counts its version up.
func (d *Deny) Add(change func(*bundle.Builder)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.add = append(d.add, change)
	d.header.Version++
	d.make()
}

// Date changes when it was issued and expires.
func (d *Deny) Date(issued, expires time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.header.Issued, d.header.Expires = issued, expires
	d.header.Version++
	d.make()
}

// Fail has gates be told that there is no bundle.
func (d *Deny) Fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

// Mark sets the latest time that was seen.
func (d *Deny) Mark(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mark = at
}

func (d *Deny) make() {
	b := bundle.NewBuilder(d.header)
	for _, add := range d.add {
		add(b)
	}
	var out bytes.Buffer
	err := b.Write(context.Background(), &out, d.Key)
	if err == nil {
		d.data = out.Bytes()
		d.current, err = bundle.Load(context.Background(), d.data, d.Key)
	}
	if err != nil {
		panic(err) // a mistake in the test
	}
}

// Data returns the bundle's bytes.
func (d *Deny) Data() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.data
}

// Current implements [admission.Bundles].
func (d *Deny) Current(context.Context) (admission.Held, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return admission.Held{}, d.err
	}
	return admission.Held{Bundle: d.current, Mark: d.mark}, nil
}

// Key signs and verifies. Its envelopes are not those of package attest, so that tests do without it.
type Key struct{ private ed25519.PrivateKey }

// NewKey returns a key, always the same one for the same name.
func NewKey(name string) Key {
	seed := sha256.Sum256([]byte(name))
	return Key{ed25519.NewKeyFromSeed(seed[:])}
}

type envelope struct {
	Type      string `json:"type"`
	Payload   []byte `json:"payload"`
	Signature []byte `json:"signature"`
}

// ErrSignature says that another key signed, or none.
var ErrSignature = errors.New("not signed by the key that is trusted")

// Sign implements [bundle.Signer].
func (k Key) Sign(_ context.Context, payloadType string, payload []byte) ([]byte, error) {
	return json.Marshal(envelope{payloadType, payload, ed25519.Sign(k.private, append([]byte(payloadType+"\n"), payload...))})
}

// Verify implements [bundle.Verifier].
func (k Key) Verify(_ context.Context, payloadType string, data []byte) ([]byte, error) {
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, err
	}
	public, _ := k.private.Public().(ed25519.PublicKey)
	if e.Type != payloadType || !ed25519.Verify(public, append([]byte(payloadType+"\n"), e.Payload...), e.Signature) {
		return nil, ErrSignature
	}
	return e.Payload, nil
}
