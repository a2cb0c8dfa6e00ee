package attest

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
)

// PublicKey verifies what a [Key] signed. The zero value verifies nothing.
type PublicKey struct {
	verifier signature.Verifier
	der      []byte
}

// LoadPublicKey reads a public key in PEM, such as the cosign.pub of "cosign generate-key-pair". The error wraps
// [ErrMalformed].
func LoadPublicKey(src []byte) (PublicKey, error) {
	public, err := cryptoutils.UnmarshalPEMToPublicKey(src)
	if err != nil {
		if bytes.Contains(src, []byte("PRIVATE KEY")) {
			return PublicKey{}, fmt.Errorf("public key: %w: this is a private key, which must not leave its owner: give the public one", ErrMalformed)
		}
		return PublicKey{}, fmt.Errorf("public key: %w: it is not a public key in PEM", ErrMalformed)
	}
	return newPublicKey(public)
}

func newPublicKey(public crypto.PublicKey) (PublicKey, error) {
	if err := cryptoutils.ValidatePubKey(public); err != nil { //nolint:staticcheck // its successor is a module of its own, for certificates; size and curve are what matters here
		return PublicKey{}, fmt.Errorf("public key: %w: use Ed25519, ECDSA (P-256, P-384, P-521) or RSA (2048, 3072 or 4096 bits)", ErrMalformed)
	}
	verifier, err := signature.LoadDefaultVerifier(public)
	if err != nil {
		return PublicKey{}, fmt.Errorf("public key: %w: it can't verify", ErrMalformed)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	return PublicKey{verifier: verifier, der: der}, err
}

// ID is the SHA-256 of the key in DER (SubjectPublicKeyInfo): "sha256:" and 64 hexadecimal digits.
func (k PublicKey) ID() string {
	sum := sha256.Sum256(k.der)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// hint is the same in the form in which sigstore's bundles name a key.
func (k PublicKey) hint() string {
	sum := sha256.Sum256(k.der)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// String returns the id.
func (k PublicKey) String() string { return k.ID() }

// PEM returns the key in PEM, as cosign reads it.
func (k PublicKey) PEM() []byte {
	return cryptoutils.PEMEncode(cryptoutils.PublicKeyPEMType, k.der)
}

// Crypto returns the key as the standard library has it.
func (k PublicKey) Crypto() (crypto.PublicKey, error) { return k.verifier.PublicKey() }

// verifies says whether the key made the bundle's signature.
func (k PublicKey) verifies(b *Bundle) bool {
	message, sig := b.signed()
	return k.verifier != nil && k.verifier.VerifySignature(bytes.NewReader(sig), bytes.NewReader(message)) == nil
}
