package attest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// TrustedKey is a key that is trusted for a time.
type TrustedKey struct {
	// Name is what people call it; "" takes the key's id.
	Name string
	Key  PublicKey
	// From and Until are the times in which its signatures are accepted: From included, Until not. Zero is open. They are
	// compared with the time of the check and not with the time of the signature, which only the signer knows: after Until
	// nothing that the key has signed is accepted any more, however old. To retire a key, let it end when what it signed is
	// no longer in use, and sign with the next one from today.
	From, Until time.Time
}

// Keys are the keys that an organisation trusts. No keys trust nobody.
type Keys []TrustedKey

var _ Verifier = Keys(nil)

// Verify implements [Verifier]. The error says which key signed if it is trusted at another time, and else which keys
// there are.
func (keys Keys) Verify(ctx context.Context, b *Bundle, at time.Time) (Identity, error) {
	if err := ctx.Err(); err != nil {
		return Identity{}, err
	}
	var names []string
	for _, k := range keys {
		if !k.Key.verifies(b) {
			names = append(names, k.name())
			continue
		}
		switch {
		case !k.From.IsZero() && at.Before(k.From):
			return Identity{}, fmt.Errorf("%w: the key %s is trusted from %s on, and it is %s", ErrUntrusted, k.name(), k.From.UTC().Format(time.RFC3339), at.UTC().Format(time.RFC3339))
		case !k.Until.IsZero() && !at.Before(k.Until):
			return Identity{}, fmt.Errorf("%w: the key %s was trusted until %s, and it is %s", ErrUntrusted, k.name(), k.Until.UTC().Format(time.RFC3339), at.UTC().Format(time.RFC3339))
		}
		return Identity{KeyID: k.Key.ID(), Name: k.Name}, nil
	}
	if len(names) == 0 {
		return Identity{}, fmt.Errorf("%w: no key is trusted", ErrUntrusted)
	}
	return Identity{}, fmt.Errorf("%w: the signature of %s is not by %s", ErrUntrusted, signedBy(b), strings.Join(names, ", "))
}

func (k TrustedKey) name() string {
	if k.Name != "" {
		return k.Name
	}
	return k.Key.ID()
}

// signedBy is what a bundle says of its signer. That is nobody's word but the bundle's own.
func signedBy(b *Bundle) string {
	material := b.Proto().GetVerificationMaterial()
	switch {
	case material.GetPublicKey().GetHint() != "":
		return "key " + clip(material.GetPublicKey().GetHint())
	case material.GetCertificate() != nil || material.GetX509CertificateChain() != nil:
		return "a certificate"
	}
	return "an unnamed key"
}

// keyFile is the YAML of [LoadKeys].
type keyFile struct {
	Keys []struct {
		Name      string       `yaml:"name"`
		PublicKey string       `yaml:"publicKey"`
		From      catalog.Date `yaml:"from"`
		Until     catalog.Date `yaml:"until"`
	} `yaml:"keys"`
}

// LoadKeys reads trusted keys: one public key in PEM, trusted without an end, or a list in YAML. Name is what errors call
// the file; they wrap [ErrMalformed].
//
//	keys:
//	  - name: build service 2026
//	    publicKey: |
//	      -----BEGIN PUBLIC KEY-----
//	      ...
//	    from: 2026-01-01    # optional; a day in UTC or an RFC 3339 time
//	    until: 2027-06-30   # optional; a day is included
func LoadKeys(name string, src []byte) (Keys, error) {
	if bytes.HasPrefix(bytes.TrimSpace(src), []byte("-----BEGIN")) {
		key, err := LoadPublicKey(src)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return Keys{{Key: key}}, nil
	}
	var file keyFile
	decoder, err := yaml.NewLoader(bytes.NewReader(src), yaml.WithKnownFields(), yaml.WithUniqueKeys())
	if err == nil {
		err = decoder.Load(&file)
	}
	switch {
	case errors.Is(err, io.EOF) || err == nil && len(file.Keys) == 0:
		return nil, fmt.Errorf("%s: %w: it has no keys", name, ErrMalformed)
	case err != nil:
		return nil, fmt.Errorf("%s: %w: %s", name, ErrMalformed, clip(err.Error()))
	}
	var keys Keys
	seen := map[string]string{}
	for i, k := range file.Keys {
		where := fmt.Sprintf("%s: key %d", name, i+1)
		if k.Name != "" {
			where += fmt.Sprintf(" (%s)", clip(k.Name))
		}
		key, err := LoadPublicKey([]byte(k.PublicKey))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		if other, twice := seen[key.ID()]; twice {
			return nil, fmt.Errorf("%s: %w: it is the same key as %s", where, ErrMalformed, other)
		}
		seen[key.ID()] = where
		if !k.Until.IsZero() && !k.Until.End().After(k.From.Begin()) {
			return nil, fmt.Errorf("%s: %w: it ends (%s) before it begins (%s)", where, ErrMalformed, k.Until, k.From)
		}
		keys = append(keys, TrustedKey{Name: k.Name, Key: key, From: k.From.Begin(), Until: k.Until.End()})
	}
	return keys, nil
}
