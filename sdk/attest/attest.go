// Package attest is the evidence about images: what was built from what, that it was linted and tested, and by whom, as
// signed in-toto statements that anybody can check.
//
// Evidence is made by a [Signer], usually a [Key], and accepted by a [Verifier], usually the trusted [Keys] of an
// organisation. What passes between them is a [Bundle]: an envelope (DSSE) with a signed payload and what is needed to
// check it, in sigstore's format, which cosign and the other tools of sigstore read too.
//
//	key, err := attest.LoadKey(pem, passphrase)
//	bundle, err := attest.Sign(ctx, key, payloadType, payload)
//	...
//	trusted, err := attest.LoadKeys("keys.yaml", src)
//	by, err := trusted.Verify(ctx, bundle, time.Now())
//
// Most programs verify an image and all that was said about it with one call of [Verify], which reads the evidence from the
// image's registry ([Store]). Package provenance decodes what it finds; package pipeline issues it.
//
// Nothing here prints a key or puts one into an error. Keys in a key management service are used by [NewKey].
package attest

import (
	"context"
	"errors"
	"time"
)

// Signer signs payloads. Implementations are safe for concurrent use.
type Signer interface {
	// Sign puts a payload with its type ("application/vnd.in-toto+json") into an envelope, signs it, and returns it with all
	// that a [Verifier] needs to know.
	Sign(ctx context.Context, payloadType string, payload []byte) (*Bundle, error)
}

// Verifier says who signed a bundle. Implementations are safe for concurrent use.
type Verifier interface {
	// Verify returns who signed the bundle if that is somebody who was trusted at the time. Everything else is an error that
	// wraps [ErrUntrusted].
	Verify(ctx context.Context, b *Bundle, at time.Time) (Identity, error)
}

// Identity is who signed.
type Identity struct {
	// KeyID is the key's, as [PublicKey.ID] gives it; empty for a certificate.
	KeyID string `json:"keyId,omitempty"`
	// Name is what the trusted keys call the key, or who the certificate was issued to: an address or a URL.
	Name string `json:"name,omitempty"`
	// Issuer is who vouched for the name of a certificate: the URL of the identity provider.
	Issuer string `json:"issuer,omitempty"`
}

// String is the name, or the key's id if it has none.
func (i Identity) String() string {
	switch {
	case i.Issuer != "":
		return i.Name + " (" + i.Issuer + ")"
	case i.Name != "":
		return i.Name
	}
	return i.KeyID
}

// What callers branch on.
var (
	// ErrUntrusted: nobody who is trusted signed this, or not at this time.
	ErrUntrusted = errors.New("not signed by anyone trusted")
	// ErrMalformed: this is not what it should be: no key, no bundle, no statement.
	ErrMalformed = errors.New("malformed")
	// ErrPassphrase: a key can't be decrypted with the passphrase that was given, or none was given.
	ErrPassphrase = errors.New("wrong passphrase")
)
