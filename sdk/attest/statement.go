package attest

import (
	"context"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// The media type of in-toto statements and the type of version 1
// (https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md).
const (
	StatementMediaType = "application/vnd.in-toto+json"
	StatementType      = "https://in-toto.io/Statement/v1"
)

// Statement says something about artifacts: the predicate about the subjects.
type Statement struct {
	Type          string          `json:"_type"`
	Subject       []Subject       `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

// Subject is an artifact that a statement is about. The digest alone says which; the name is for people.
type Subject struct {
	Name   string            `json:"name,omitempty"`
	Digest map[string]string `json:"digest"`
}

// NewSubject is the subject of a digest.
func NewSubject(name string, digest v1.Hash) Subject {
	return Subject{Name: name, Digest: map[string]string{digest.Algorithm: digest.Hex}}
}

// Is says whether the subject is what a digest names.
func (s Subject) Is(digest v1.Hash) bool {
	return digest.Hex != "" && s.Digest[digest.Algorithm] == digest.Hex
}

// About says whether one of the statement's subjects is what a digest names.
func (s *Statement) About(digest v1.Hash) bool {
	for _, subject := range s.Subject {
		if subject.Is(digest) {
			return true
		}
	}
	return false
}

// NewStatement makes a statement about subjects; the predicate is marshalled as JSON.
func NewStatement(predicateType string, predicate any, subjects ...Subject) (*Statement, error) {
	raw, err := json.Marshal(predicate)
	if err != nil {
		return nil, fmt.Errorf("predicate %s: %w", predicateType, err)
	}
	s := &Statement{Type: StatementType, Subject: subjects, PredicateType: predicateType, Predicate: raw}
	return s, s.check()
}

// ParseStatement reads a statement, of version 1 or, from older tools, 0.1. The error wraps [ErrMalformed].
func ParseStatement(raw []byte) (*Statement, error) {
	s := &Statement{}
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("statement: %w: %s", ErrMalformed, clip(err.Error()))
	}
	return s, s.check()
}

func (s *Statement) check() error {
	switch {
	case s.Type != StatementType && s.Type != "https://in-toto.io/Statement/v0.1":
		return fmt.Errorf("statement: %w: its type is %q", ErrMalformed, clip(s.Type))
	case s.PredicateType == "":
		return fmt.Errorf("statement: %w: it has no predicate type", ErrMalformed)
	case len(s.Subject) == 0:
		return fmt.Errorf("statement: %w: it is about nothing", ErrMalformed)
	}
	for _, subject := range s.Subject {
		if len(subject.Digest) == 0 {
			return fmt.Errorf("statement: %w: its subject %q has no digest", ErrMalformed, clip(subject.Name))
		}
	}
	return nil
}

// Sign signs the statement.
func (s *Statement) Sign(ctx context.Context, signer Signer) (*Bundle, error) {
	payload, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return signer.Sign(ctx, StatementMediaType, payload)
}

// UnverifiedStatement reads the bundle's payload, whoever signed it. What decides takes it only after [Verifier.Verify].
func (b *Bundle) UnverifiedStatement() (*Statement, error) {
	if b.PayloadType() != StatementMediaType {
		return nil, fmt.Errorf("bundle: %w: its payload is %q, not a statement", ErrMalformed, clip(b.PayloadType()))
	}
	return ParseStatement(b.UnverifiedPayload())
}
