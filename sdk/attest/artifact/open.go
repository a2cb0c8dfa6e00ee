package artifact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
)

// Want is what must hold. Kind, Trust and At are required: nothing is opened without.
type Want struct {
	Kind  Kind
	Trust attest.Verifier
	At    time.Time
	// Seen is the newest document of this kind that the caller has accepted; zero if it never did. Keep it where a restart
	// finds it: an older document than that is refused.
	Seen Seen
	// MaxBytes limits what is read from the registry. 0 means 64 MiB.
	MaxBytes int64
}

// Seen names a document that was accepted.
type Seen struct {
	Version uint64  `json:"version"`
	Digest  v1.Hash `json:"digest"` // of the document
}

// Opened is a document that was verified.
type Opened struct {
	Content
	// Digest is the document's.
	Digest v1.Hash
	// Manifest is that of the artifact in the registry; zero for one that came from elsewhere.
	Manifest v1.Hash
	// By is who signed it.
	By attest.Identity
}

// Seen is what to give as [Want.Seen] the next time.
func (o *Opened) Seen() Seen { return Seen{Version: o.Version, Digest: o.Digest} }

// What callers branch on, beside attest's ErrUntrusted and ErrMalformed.
var (
	// ErrRollback: it is older than what was seen before, or another one of the same version.
	ErrRollback = errors.New("older than what was seen before")
	// ErrExpired: it is no longer valid.
	ErrExpired = errors.New("expired")
	// ErrKind: it is signed, and is something else than was asked for.
	ErrKind = errors.New("not what was asked for")
)

// Open returns the document if everything that is wanted holds, and an error otherwise. It needs no network.
func (s *Signed) Open(ctx context.Context, want Want) (*Opened, error) {
	if err := want.check(); err != nil {
		return nil, err
	}
	by, err := want.Trust.Verify(ctx, s.Bundle, want.At)
	if err != nil {
		return nil, fmt.Errorf("artifact %s: %w", want.Kind.Name, err)
	}
	o, err := s.opened()
	if err != nil {
		return nil, fmt.Errorf("artifact %s, signed by %s: %w", want.Kind.Name, by, err)
	}
	o.By = by
	if err := want.accept(o); err != nil {
		return nil, fmt.Errorf("artifact %s, signed by %s: %w", want.Kind.Name, by, err)
	}
	return o, nil
}

func (w Want) check() error {
	if err := w.Kind.check(); err != nil {
		return err
	}
	if w.Trust == nil || w.At.IsZero() {
		return errors.New("artifact: say who is trusted (Want.Trust) and when (Want.At): without, nothing can be accepted")
	}
	return nil
}

// opened reads what was signed and compares it with the data.
func (s *Signed) opened() (*Opened, error) {
	statement, err := s.Bundle.UnverifiedStatement()
	if err != nil {
		return nil, err
	}
	if statement.PredicateType != PredicateType {
		return nil, fmt.Errorf("%w: the signature is about %q", ErrKind, statement.PredicateType)
	}
	o := &Opened{}
	if err := json.Unmarshal(statement.Predicate, &o.Content); err != nil {
		return nil, fmt.Errorf("predicate: %w: %w", attest.ErrMalformed, err)
	}
	o.Data = s.Data
	o.Digest, _, err = v1.SHA256(bytes.NewReader(s.Data))
	if err == nil && !statement.About(o.Digest) {
		err = fmt.Errorf("%w: the document is %s, the signature is about another one", attest.ErrUntrusted, o.Digest)
	}
	return o, err
}

// accept says whether a document, whose signature holds, is the one that is wanted.
func (w Want) accept(o *Opened) error {
	switch {
	case o.Kind != w.Kind:
		return fmt.Errorf("%w: it is %q of type %s, wanted is %q of type %s", ErrKind, o.Name, o.MediaType, w.Kind.Name, w.Kind.MediaType)
	case !o.Expires.IsZero() && !w.At.Before(o.Expires):
		return fmt.Errorf("%w: version %d was valid until %s, and it is %s: has its publisher stopped, or is somebody holding back newer ones?",
			ErrExpired, o.Version, o.Expires.UTC().Format(time.RFC3339), w.At.UTC().Format(time.RFC3339))
	case o.Version < w.Seen.Version:
		return fmt.Errorf("%w: it is version %d, and version %d was seen", ErrRollback, o.Version, w.Seen.Version)
	case o.Version == w.Seen.Version && w.Seen.Digest != (v1.Hash{}) && o.Digest != w.Seen.Digest:
		return fmt.Errorf("%w: version %d is %s, and was seen as %s: the publisher has signed two of them", ErrRollback, o.Version, o.Digest, w.Seen.Digest)
	}
	return nil
}
