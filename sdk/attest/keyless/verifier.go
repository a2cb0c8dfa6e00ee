package keyless

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
)

// Identity is a signer that is trusted: a name that an identity provider gives.
type Identity struct {
	// Issuer is the identity provider's URL, exactly.
	Issuer string
	// Subject is the name in the certificate, exactly: an address, or the URL of a workflow with its ref. SubjectPattern is a
	// regular expression instead, which has to match all of it.
	Subject, SubjectPattern string
}

// Roots are the authorities and logs that are trusted, with their times.
type Roots struct{ material root.TrustedMaterial }

// LoadRoots reads sigstore's trusted root (trusted_root.json, https://github.com/sigstore/protobuf-specs), which an
// organisation's own instance has too.
func LoadRoots(src []byte) (Roots, error) {
	material, err := root.NewTrustedRootFromJSON(src)
	if err != nil {
		return Roots{}, fmt.Errorf("trusted root: %w", err)
	}
	return Roots{material: material}, nil
}

// NewRoots takes what sigstore-go has loaded, such as by TUF.
func NewRoots(material root.TrustedMaterial) Roots { return Roots{material: material} }

// Verifier is an attest.Verifier.
type Verifier struct {
	stamped *verify.Verifier // by a timestamp authority
	logged  *verify.Verifier // in a transparency log
	policy  verify.PolicyBuilder
}

var _ attest.Verifier = (*Verifier)(nil)

// NewVerifier trusts identities as far as the roots vouch for them, at the time that a timestamp authority of the roots gives,
// or one of their logs for a bundle that has been logged. At least one identity is required.
func NewVerifier(roots Roots, identities ...Identity) (*Verifier, error) {
	if roots.material == nil || len(identities) == 0 {
		return nil, errors.New("keyless verification needs roots and at least one identity: without, anybody could have signed")
	}
	var policies []verify.PolicyOption
	for _, id := range identities {
		if id.Issuer == "" || id.Subject == "" && id.SubjectPattern == "" {
			return nil, errors.New("an identity needs its issuer and its subject")
		}
		pattern := id.SubjectPattern
		if pattern != "" {
			pattern = "^(?:" + pattern + ")$"
		}
		identity, err := verify.NewShortCertificateIdentity(id.Issuer, "", id.Subject, pattern)
		if err != nil {
			return nil, fmt.Errorf("identity %s of %s: %w", id.Subject+id.SubjectPattern, id.Issuer, err)
		}
		policies = append(policies, verify.WithCertificateIdentity(identity))
	}
	v := &Verifier{policy: verify.NewPolicy(verify.WithoutArtifactUnsafe(), policies...)}
	var err error
	if v.stamped, err = verify.NewVerifier(roots.material, verify.WithSignedTimestamps(1)); err != nil {
		return nil, err
	}
	v.logged, err = verify.NewVerifier(roots.material, verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1))
	return v, err
}

// Verify implements attest.Verifier. The time of the signature is compared with the certificate's; a signature from after at
// is not accepted. What the statement is about, attest.Verify compares.
func (v *Verifier) Verify(ctx context.Context, b *attest.Bundle, at time.Time) (attest.Identity, error) {
	if err := ctx.Err(); err != nil {
		return attest.Identity{}, err
	}
	entity, err := bundle.NewBundle(b.Proto())
	if err != nil {
		return attest.Identity{}, fmt.Errorf("%w: %w", attest.ErrUntrusted, clean(err, ""))
	}
	verifier := v.stamped
	if len(b.Proto().GetVerificationMaterial().GetTlogEntries()) > 0 {
		verifier = v.logged
	}
	result, err := verifier.Verify(entity, v.policy)
	if err != nil {
		return attest.Identity{}, fmt.Errorf("%w: %w", attest.ErrUntrusted, clean(err, ""))
	}
	if result.Signature == nil || result.Signature.Certificate == nil {
		return attest.Identity{}, fmt.Errorf("%w: it has no certificate", attest.ErrUntrusted)
	}
	for _, t := range result.VerifiedTimestamps {
		if t.Timestamp.After(at) {
			return attest.Identity{}, fmt.Errorf("%w: it is signed at %s, and it is %s", attest.ErrUntrusted, t.Timestamp.UTC().Format(time.RFC3339), at.UTC().Format(time.RFC3339))
		}
	}
	c := result.Signature.Certificate
	return attest.Identity{Name: c.SubjectAlternativeName, Issuer: c.Issuer}, nil
}
