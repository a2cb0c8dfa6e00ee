// Package kms signs with keys in key management services, by sigstore's interfaces. The private key never leaves the
// service.
//
//	import _ "github.com/sigstore/sigstore/pkg/signature/kms/aws" // the program's choice, and its weight
//
//	key, err := kms.Open(ctx, "awskms:///alias/build")
//
// The services themselves are brought by the program: each of sigstore's provider packages registers itself when it is
// imported, and [Register] takes one of your own. A key that no provider takes is asked of a plugin, a program
// sigstore-kms-NAME in the search path for a key NAME://..., as sigstore has it.
package kms

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
)

// Open returns a key that signs in a service: "awskms://", "gcpkms://", "azurekms://", "hashivault://" or what was
// registered. The service is asked for the public key now. SHA-256 is what it is asked to sign.
func Open(ctx context.Context, ref string) (*attest.Key, error) {
	signer, err := kms.Get(ctx, ref, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; does the program import the provider of this service?", ref, err)
	}
	key, err := attest.NewKey(withContext{signer, ctx})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	public, err := key.Public().Crypto()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	if curve, ok := public.(*ecdsa.PublicKey); ok && curve.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%s: its curve is %s, which signs more than SHA-256: use a key on P-256, RSA or Ed25519", ref, curve.Params().Name)
	}
	return key, nil
}

// withContext asks for the public key with the caller's context; signing has one of its own.
type withContext struct {
	kms.SignerVerifier
	ctx context.Context //nolint:containedctx // sigstore's interface has no other way, and it is used while opening only
}

func (w withContext) PublicKey(opts ...signature.PublicKeyOption) (crypto.PublicKey, error) {
	return w.SignerVerifier.PublicKey(append([]signature.PublicKeyOption{options.WithContext(w.ctx)}, opts...)...)
}

// Register has keys whose names begin with prefix ("mykms://") opened by a provider of the program's own. It holds for the
// whole process, as sigstore's registry does; call it once, at the start.
func Register(prefix string, provider kms.ProviderInit) { kms.AddProvider(prefix, provider) }
