// Package keys signs and verifies deny bundles and break-glass permits with the keys of package attest: an envelope is a
// sigstore bundle with a DSSE envelope in it, as all other evidence is.
//
//	err := builder.Write(ctx, file, keys.Signer(key))
//	deny, err := bundle.Load(ctx, data, keys.Verifier(trusted, time.Now))
//
// Give permits other keys than bundles: who may ban is not who may break the glass.
package keys

import (
	"context"
	"fmt"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
)

// Signer signs with a signer of package attest, usually an *attest.Key.
func Signer(s attest.Signer) bundle.Signer { return signer{s} }

type signer struct{ attest.Signer }

func (s signer) Sign(ctx context.Context, payloadType string, payload []byte) ([]byte, error) {
	b, err := s.Signer.Sign(ctx, payloadType, payload)
	if err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Verifier trusts whom a verifier of package attest trusts at the present time, usually attest.Keys.
func Verifier(v attest.Verifier, now func() time.Time) bundle.Verifier { return verifier{v, now} }

type verifier struct {
	trusted attest.Verifier
	now     func() time.Time
}

func (v verifier) Verify(ctx context.Context, payloadType string, envelope []byte) ([]byte, error) {
	b, err := attest.ParseBundle(envelope)
	if err != nil {
		return nil, err
	}
	if got := b.PayloadType(); got != payloadType {
		return nil, fmt.Errorf("it is signed as a %.100q, wanted is a %s", got, payloadType)
	}
	if _, err := v.trusted.Verify(ctx, b, v.now()); err != nil {
		return nil, err
	}
	return b.UnverifiedPayload(), nil
}
