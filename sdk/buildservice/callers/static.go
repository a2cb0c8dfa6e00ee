package callers

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// Static are tokens that do not change, kept as hashes: who reads the configuration can't use them. They are random and
// long ([NewToken]), so one round of SHA-256 is enough; a password would not be.
type Static struct {
	// Tokens are "sha256:" and the hash of a token, by name.
	Tokens map[string]string
}

// staticPrefix lets secret scanners find tokens that got where they should not.
const staticPrefix = "plimsoll_"

// NewToken makes a token and what to keep of it.
func NewToken() (token, hash string) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it never fails (crypto/rand)
	token = staticPrefix + base64.RawURLEncoding.EncodeToString(secret)
	return token, HashToken(token)
}

// HashToken returns what is kept of a token.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Check says what is wrong with the tokens.
func (s Static) Check() error {
	for name, hash := range s.Tokens {
		digits, ok := strings.CutPrefix(hash, "sha256:")
		if b, err := hex.DecodeString(digits); !ok || err != nil || len(b) != sha256.Size {
			return fmt.Errorf("the token %s: keep its hash, sha256:<64 hexadecimal digits>, not the token", name)
		}
	}
	return nil
}

// Authenticate implements [Authenticator].
func (s Static) Authenticate(_ context.Context, token string) (*Caller, error) {
	hash := []byte(HashToken(token))
	var found string
	for name, known := range s.Tokens { // all of them, so that the time tells nothing
		if subtle.ConstantTimeCompare(hash, []byte(known)) == 1 {
			found = name
		}
	}
	if found == "" {
		return nil, fmt.Errorf("%w: no such static token", ErrDenied)
	}
	return &Caller{Name: "token:" + found, Token: found}, nil
}
