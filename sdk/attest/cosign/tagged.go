package cosign

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// The layers of a signature's manifest (https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md).
const (
	payloadType         = "application/vnd.dev.cosign.simplesigning.v1+json"
	signatureAnnotation = "dev.cosignproject.cosign/signature"
)

// tagged looks at the tag that belongs to the image's digest.
func (s *Signatures) tagged(ctx context.Context, image name.Digest, key attest.PublicKey) (bool, error) {
	tag := image.Context().Tag(strings.Replace(image.DigestStr(), ":", "-", 1) + ".sig")
	list, err := s.from.Image(ctx, tag.Name(), "linux/amd64") // it is one manifest and of no platform
	if errors.Is(err, registry.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	manifest, err := list.Manifest()
	if err != nil {
		return false, err
	}
	if len(manifest.Layers) > maxSignatures {
		return false, fmt.Errorf("%s has %d signatures; %d are looked at", tag, len(manifest.Layers), maxSignatures)
	}
	public, err := key.Crypto()
	if err != nil {
		return false, err
	}
	verifier, err := signature.LoadDefaultVerifier(public)
	if err != nil {
		return false, err
	}
	var errs []error
	for _, layer := range manifest.Layers {
		ok, err := signs(list, layer, image, verifier)
		if ok {
			return true, nil
		}
		errs = append(errs, err)
	}
	return false, errors.Join(errs...)
}

// signs says whether a layer's payload names the image and has a signature by the key. What is no signature, and what
// somebody else signed, is none.
func signs(list v1.Image, layer v1.Descriptor, image name.Digest, verifier signature.Verifier) (bool, error) {
	sig, err := base64.StdEncoding.DecodeString(layer.Annotations[signatureAnnotation])
	if string(layer.MediaType) != payloadType || err != nil || len(sig) == 0 {
		return false, nil
	}
	if layer.Size > maxPayload {
		return false, fmt.Errorf("payload %s has %d bytes; %d are read", layer.Digest, layer.Size, maxPayload)
	}
	blob, err := list.LayerByDigest(layer.Digest)
	if err != nil {
		return false, err
	}
	body, err := blob.Compressed()
	if err != nil {
		return false, err
	}
	defer body.Close()
	raw, err := io.ReadAll(io.LimitReader(body, maxPayload+1)) // checked against its digest
	if err != nil {
		return false, err
	}
	if verifier.VerifySignature(bytes.NewReader(sig), bytes.NewReader(raw)) != nil {
		return false, nil // somebody else's
	}
	var named payload.Cosign
	if err := json.Unmarshal(raw, &named); err != nil {
		return false, nil
	}
	return named.Image.DigestStr() == image.DigestStr(), nil
}
