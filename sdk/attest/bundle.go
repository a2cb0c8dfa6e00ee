package attest

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	dssepb "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"google.golang.org/protobuf/encoding/protojson"
)

// BundleMediaType is the media type of bundles, in a registry too
// (https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md).
const BundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// MaxBundleBytes is how large a bundle may be. Evidence about one image is some kilobytes; a list of its packages may be
// some megabytes.
const MaxBundleBytes = 16 << 20

// Bundle is a signed payload with what is needed to verify it, in sigstore's format. It does not change.
type Bundle struct {
	proto *bundlepb.Bundle
	raw   []byte
}

// ParseBundle reads a bundle of the versions 0.1 to 0.3 that has an envelope with exactly one signature. It says nothing
// about whether that signature holds. The error wraps [ErrMalformed].
func ParseBundle(raw []byte) (*Bundle, error) {
	if len(raw) > MaxBundleBytes {
		return nil, fmt.Errorf("bundle: %w: larger than %d bytes", ErrMalformed, MaxBundleBytes)
	}
	proto := &bundlepb.Bundle{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(raw, proto); err != nil {
		return nil, fmt.Errorf("bundle: %w: %s", ErrMalformed, clip(err.Error()))
	}
	return newBundle(proto, raw)
}

// NewBundle makes a bundle of sigstore's own type; other implementations of [Signer] need it. The error wraps
// [ErrMalformed].
func NewBundle(proto *bundlepb.Bundle) (*Bundle, error) {
	raw, err := protojson.Marshal(proto)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w: %w", ErrMalformed, err)
	}
	return newBundle(proto, raw)
}

func newBundle(proto *bundlepb.Bundle, raw []byte) (*Bundle, error) {
	switch proto.GetMediaType() {
	case BundleMediaType, "application/vnd.dev.sigstore.bundle+json;version=0.3",
		"application/vnd.dev.sigstore.bundle+json;version=0.2", "application/vnd.dev.sigstore.bundle+json;version=0.1":
	default:
		return nil, fmt.Errorf("bundle: %w: %q is not the media type of a bundle", ErrMalformed, clip(proto.GetMediaType()))
	}
	envelope := proto.GetDsseEnvelope()
	switch {
	case envelope == nil:
		return nil, fmt.Errorf("bundle: %w: it has no envelope", ErrMalformed)
	case len(envelope.GetSignatures()) != 1:
		return nil, fmt.Errorf("bundle: %w: its envelope has %d signatures, not one", ErrMalformed, len(envelope.GetSignatures()))
	case envelope.GetPayloadType() == "":
		return nil, fmt.Errorf("bundle: %w: its payload has no type", ErrMalformed)
	}
	return &Bundle{proto: proto, raw: raw}, nil
}

// MarshalJSON returns the bundle as it is stored; what was parsed comes back byte for byte.
func (b *Bundle) MarshalJSON() ([]byte, error) { return b.raw, nil }

// Bytes returns the bundle as it is stored. The caller does not change it.
func (b *Bundle) Bytes() []byte { return b.raw }

// Proto returns the bundle as sigstore's own type. The caller does not change it.
func (b *Bundle) Proto() *bundlepb.Bundle { return b.proto }

// PayloadType is the media type of the payload.
func (b *Bundle) PayloadType() string { return b.proto.GetDsseEnvelope().GetPayloadType() }

// UnverifiedPayload returns the payload, whoever signed it. What decides takes it only after [Verifier.Verify].
func (b *Bundle) UnverifiedPayload() []byte { return b.proto.GetDsseEnvelope().GetPayload() }

// Envelope returns the envelope as JSON of its own, which older tools store (https://github.com/secure-systems-lab/dsse,
// envelope.md).
func (b *Bundle) Envelope() *dsse.Envelope {
	e := b.proto.GetDsseEnvelope()
	envelope := &dsse.Envelope{
		PayloadType: e.GetPayloadType(),
		Payload:     base64.StdEncoding.EncodeToString(e.GetPayload()),
	}
	for _, s := range e.GetSignatures() {
		envelope.Signatures = append(envelope.Signatures, dsse.Signature{
			KeyID: s.GetKeyid(), Sig: base64.StdEncoding.EncodeToString(s.GetSig()),
		})
	}
	return envelope
}

// signed is what the signature covers.
func (b *Bundle) signed() (message, signature []byte) {
	e := b.proto.GetDsseEnvelope()
	return dsse.PAE(e.GetPayloadType(), e.GetPayload()), e.GetSignatures()[0].GetSig()
}

// newKeyBundle makes a bundle that was signed with a key.
func newKeyBundle(key PublicKey, payloadType string, payload, signature []byte) (*Bundle, error) {
	if payloadType == "" {
		return nil, errors.New("a payload to be signed has a type")
	}
	return NewBundle(&bundlepb.Bundle{
		MediaType: BundleMediaType,
		VerificationMaterial: &bundlepb.VerificationMaterial{
			Content: &bundlepb.VerificationMaterial_PublicKey{PublicKey: &commonpb.PublicKeyIdentifier{Hint: key.hint()}},
		},
		Content: &bundlepb.Bundle_DsseEnvelope{DsseEnvelope: &dssepb.Envelope{
			PayloadType: payloadType, Payload: payload,
			Signatures: []*dssepb.Signature{{Sig: signature}},
		}},
	})
}

// clip shortens a text that came from outside for an error.
func clip(s string) string {
	const limit = 200
	if len(s) > limit {
		return s[:limit] + "..."
	}
	return s
}
