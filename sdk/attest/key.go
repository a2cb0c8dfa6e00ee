package attest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// Key signs with a private key, from a file or in a key management service. However it is printed, logged or marshalled,
// only its id shows. It is safe for concurrent use.
type Key struct {
	signer  signature.Signer
	public  PublicKey
	private crypto.PrivateKey // nil when it is elsewhere
}

var _ Signer = (*Key)(nil)

// Algorithm is a kind of key.
type Algorithm string

// The algorithms of [GenerateKey]. [LoadKey] also takes ECDSA P-384 and P-521, and RSA of 2048, 3072 and 4096 bits.
const (
	ECDSA   Algorithm = "ecdsa"   // P-256 with SHA-256, which all tools of sigstore verify
	Ed25519 Algorithm = "ed25519" // smaller and faster
)

// GenerateKey makes a new key.
func GenerateKey(algorithm Algorithm) (*Key, error) {
	var private crypto.PrivateKey
	var err error
	switch algorithm {
	case ECDSA:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case Ed25519:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		return nil, fmt.Errorf("%q is not a kind of key: use %s or %s", algorithm, ECDSA, Ed25519)
	}
	if err != nil {
		return nil, err
	}
	return newFileKey(private)
}

// LoadKey reads a private key in PEM: as cosign writes it, encrypted with a passphrase, which may be empty; or PKCS #8, SEC
// 1 or PKCS #1, encrypted or not. The passphrase is not looked at when the key is not encrypted. Errors wrap
// [ErrPassphrase] or [ErrMalformed] and have nothing of the input in them.
func LoadKey(src, passphrase []byte) (*Key, error) {
	block, _ := pem.Decode(src)
	if block == nil {
		return nil, fmt.Errorf("private key: %w: it is not in PEM", ErrMalformed)
	}
	private, err := cryptoutils.UnmarshalPEMToPrivateKey(src, cryptoutils.StaticPasswordFunc(nonNil(passphrase)))
	switch {
	case err == nil:
		return newFileKey(private)
	case isEncrypted(block):
		return nil, fmt.Errorf("private key: %w", ErrPassphrase)
	}
	return nil, fmt.Errorf("private key: %w: it is neither a key of cosign's nor one in PKCS #8, SEC 1 or PKCS #1", ErrMalformed)
}

// nonNil makes the empty passphrase one that is tried: cosign's keys may be encrypted with it.
func nonNil(passphrase []byte) []byte {
	if passphrase == nil {
		return []byte{}
	}
	return passphrase
}

func isEncrypted(block *pem.Block) bool {
	return bytes.Contains([]byte(block.Type), []byte("ENCRYPTED ")) || block.Headers["DEK-Info"] != ""
}

func newFileKey(private crypto.PrivateKey) (*Key, error) {
	if pair, ok := private.(crypto.Signer); !ok || cryptoutils.ValidatePubKey(pair.Public()) != nil { //nolint:staticcheck // its successor is a module of its own, for certificates; size and curve are what matters here
		return nil, fmt.Errorf("private key: %w: use Ed25519, ECDSA (P-256, P-384, P-521) or RSA (2048, 3072 or 4096 bits)", ErrMalformed)
	}
	signer, err := signature.LoadDefaultSigner(private)
	if err != nil {
		return nil, fmt.Errorf("private key: %w: it can't sign", ErrMalformed)
	}
	key, err := NewKey(signer)
	if err == nil {
		key.private = private
	}
	return key, err
}

// NewKey signs with a signer of sigstore's: a key in a key management service, a token, an agent. It is asked for its
// public key now.
func NewKey(signer signature.Signer) (*Key, error) {
	public, err := signer.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("public key of the signer: %w", err)
	}
	k := &Key{signer: signer}
	k.public, err = newPublicKey(public)
	return k, err
}

// Sign implements [Signer].
func (k *Key) Sign(ctx context.Context, payloadType string, payload []byte) (*Bundle, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	message := dsse.PAE(payloadType, payload)
	sig, err := k.signer.SignMessage(bytes.NewReader(message), options.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("sign with the key %s: %w", k.public.ID(), err)
	}
	return newKeyBundle(k.public, payloadType, payload, sig)
}

// Public returns the key that verifies what this one signs.
func (k *Key) Public() PublicKey { return k.public }

// ErrElsewhere is why a key that this process only uses can't be written to a file.
var ErrElsewhere = errors.New("the private key is elsewhere")

// MarshalEncrypted returns the private key in PEM, encrypted with a passphrase as cosign does it (scrypt and NaCl
// secretbox). An empty passphrase is allowed and protects nothing. There is no unencrypted form.
func (k *Key) MarshalEncrypted(passphrase []byte) ([]byte, error) {
	if k.private == nil {
		return nil, fmt.Errorf("key %s: %w", k.public.ID(), ErrElsewhere)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, err
	}
	sealed, err := encrypted.Encrypt(der, passphrase)
	if err != nil {
		return nil, err
	}
	return cryptoutils.PEMEncode(cryptoutils.EncryptedSigstorePrivateKeyPEMType, sealed), nil
}

// String returns the id of the public key.
func (k *Key) String() string { return k.public.ID() }

// Format writes the id of the public key, whatever the verb.
func (k *Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalText returns the id of the public key; JSON has it too.
func (k *Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue is the id of the public key.
func (k *Key) LogValue() slog.Value { return slog.StringValue(k.String()) }
