package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/hiddeco/sshsig"
)

// Why a commit's signature does not count. They come inside a [*SignatureError].
var (
	ErrUnsigned  = errors.New("is not signed")
	ErrUntrusted = errors.New("is signed by a key that is not trusted")
	ErrForged    = errors.New("has a signature that does not fit")
)

// SignatureError says which commit lacks a signature that counts.
type SignatureError struct {
	Commit string
	// Err wraps [ErrUnsigned], [ErrUntrusted] or [ErrForged].
	Err error
}

func (e *SignatureError) Error() string { return "commit " + e.Commit + " " + e.Err.Error() }

// Unwrap returns Err.
func (e *SignatureError) Unwrap() error { return e.Err }

// Signatures are the keys of which one must have signed a commit. Without any key, no commit passes.
type Signatures struct {
	// PGP are public keys, each an armored block with one or more of them.
	PGP []string
	// SSH are lines in the form of ssh-keygen's allowed_signers file (ssh-keygen(1), ALLOWED SIGNERS): names, options,
	// key. Of the options, namespaces, valid-after and valid-before are understood, times without "Z" as UTC;
	// cert-authority is refused.
	SSH []string
	// Time is when a key must be valid. Default: the commit's time, which whoever made the commit has chosen; set it to
	// the present where an expired key must not sign any more.
	Time time.Time
}

// verify returns who signed the commit: "Name <address> FINGERPRINT" or "name SHA256:...".
func (s *Signatures) verify(store storer.EncodedObjectStorer, commit *object.Commit) (string, error) {
	signed, signature, err := signedPart(store, commit)
	if err != nil {
		return "", &SignatureError{commit.Hash.String(), err}
	}
	at := s.Time
	if at.IsZero() {
		at = commit.Committer.When
	}
	var signer string
	switch {
	case strings.HasPrefix(signature, "-----BEGIN SSH SIGNATURE-----"):
		signer, err = s.verifySSH(signed, signature, at)
	case strings.HasPrefix(signature, "-----BEGIN PGP SIGNATURE-----"):
		signer, err = s.verifyPGP(signed, signature, at)
	case signature == "":
		err = fmt.Errorf("%w; sign it with a listed key (git commit -S)", ErrUnsigned)
	default:
		err = fmt.Errorf("%w: it is neither of SSH nor of PGP", ErrForged)
	}
	if _, ok := errors.AsType[*SignersError](err); err == nil || ok {
		return signer, err
	}
	return "", &SignatureError{commit.Hash.String(), err}
}

// SignersError says which of the keys in [Signatures] can't be read. No commit passes then.
type SignersError struct {
	// Option is "PGP" or "SSH", Index counts from 0.
	Option string
	Index  int
	Err    error
}

func (e *SignersError) Error() string {
	return fmt.Sprintf("Signatures.%s[%d]: %v", e.Option, e.Index, e.Err)
}

// Unwrap returns what is wrong.
func (e *SignersError) Unwrap() error { return e.Err }

func (s *Signatures) verifyPGP(signed []byte, signature string, at time.Time) (string, error) {
	var keys openpgp.EntityList
	for i, armored := range s.PGP {
		some, err := openpgp.ReadArmoredKeyRing(strings.NewReader(armored))
		if err != nil {
			return "", &SignersError{"PGP", i, err}
		}
		keys = append(keys, some...)
	}
	config := &packet.Config{Time: func() time.Time { return at }}
	sig, signer, err := openpgp.VerifyArmoredDetachedSignature(keys, bytes.NewReader(signed), strings.NewReader(signature), config)
	switch {
	case errors.Is(err, pgperrors.ErrUnknownIssuer):
		return "", fmt.Errorf("%w: its PGP key is not listed", ErrUntrusted)
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrForged, err)
	}
	if _, ok := signer.SigningKeyById(at, *sig.IssuerKeyId, config); !ok { // the library looks at the time of signing
		return "", fmt.Errorf("%w: PGP key %X is not valid on %s", ErrUntrusted, *sig.IssuerKeyId, at.UTC().Format(time.DateOnly))
	}
	name := strings.ToUpper(fmt.Sprintf("%x", signer.PrimaryKey.Fingerprint))
	if _, identity := signer.PrimaryIdentity(at, config); identity != nil {
		name = identity.Name + " " + name
	}
	return name, nil
}

func (s *Signatures) verifySSH(signed []byte, signature string, at time.Time) (string, error) {
	sig, err := sshsig.Unarmor([]byte(signature))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrForged, err)
	}
	signer, err := s.findSSH(sig.PublicKey, at)
	if err != nil {
		return "", err
	}
	if err := sshsig.Verify(bytes.NewReader(signed), sig, sig.PublicKey, sig.HashAlgorithm, "git"); err != nil {
		return "", fmt.Errorf("%w: %w", ErrForged, err)
	}
	return signer, nil
}

// signedPart takes a commit apart into what was signed and the signature, "" if there is none. It reads the very bytes
// that the commit's id is made of and refuses a commit that another reader could understand in another way.
func signedPart(store storer.EncodedObjectStorer, commit *object.Commit) (signed []byte, signature string, err error) {
	raw, err := rawCommit(store, commit.Hash)
	if err != nil {
		return nil, "", err
	}
	header := raw
	if i := bytes.Index(raw, []byte("\n\n")); i >= 0 {
		header = raw[:i+1]
	}
	seen := map[string]int{}
	var field string
	var sig strings.Builder
	for line := range strings.Lines(string(header)) {
		name, value, _ := strings.Cut(line, " ")
		if name != "" { // else the line continues the one above
			field = strings.TrimSuffix(name, "\n")
			seen[field]++
		}
		switch field {
		case "gpgsig":
			sig.WriteString(value)
		case "gpgsig-sha256": // of the same commit in a SHA-256 repository
		default:
			signed = append(signed, line...)
		}
	}
	if !bytes.HasPrefix(raw, []byte("tree "+commit.TreeHash.String()+"\n")) ||
		seen["tree"] != 1 || seen["author"] != 1 || seen["committer"] != 1 || seen["gpgsig"] > 1 {
		return nil, "", fmt.Errorf("%w: its header is out of order", ErrForged)
	}
	return append(signed, raw[len(header):]...), sig.String(), nil
}

// rawCommit reads a commit and makes sure that it is the one with that id.
func rawCommit(store storer.EncodedObjectStorer, id plumbing.Hash) ([]byte, error) {
	o, err := store.EncodedObject(plumbing.CommitObject, id)
	if err != nil {
		return nil, err
	}
	r, err := o.Reader()
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	if plumbing.ComputeHash(plumbing.CommitObject, raw) != id {
		return nil, fmt.Errorf("%w: its content is not that of its id", ErrForged)
	}
	return raw, nil
}
