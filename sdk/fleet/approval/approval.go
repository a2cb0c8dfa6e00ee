// Package approval makes a second person's word for a remedy something that can be checked: signed with their key.
//
//	signed, err := approval.Sign(ctx, key, fleet.Approval{Remedy: remedy.Digest(), By: "bob@example.com", At: now})
//	approved, err := approval.Verify(ctx, trusted, signed, now)
//
// It approves of one remedy, by its digest: of one that was changed afterwards it says nothing.
package approval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet"
)

// PayloadType is what an approval says that it is, so that no other signed thing is taken for one.
const PayloadType = "application/vnd.plimsoll.remedy-approval+json"

// Sign signs an approval. The result is a sigstore bundle in JSON.
func Sign(ctx context.Context, signer attest.Signer, a fleet.Approval) ([]byte, error) {
	if a.Remedy == "" || a.By == "" {
		return nil, errors.New("an approval names a remedy's digest and who approves")
	}
	payload, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	b, err := signer.Sign(ctx, PayloadType, payload)
	if err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Verify returns an approval whose signature is by a key that is trusted at the time, and whose By is that key's name:
// nobody approves in another's name.
func Verify(ctx context.Context, trusted attest.Verifier, signed []byte, at time.Time) (fleet.Approval, error) {
	var a fleet.Approval
	b, err := attest.ParseBundle(signed)
	if err != nil {
		return a, fmt.Errorf("approval: %w", err)
	}
	who, err := trusted.Verify(ctx, b, at)
	if err != nil {
		return a, fmt.Errorf("approval: %w", err)
	}
	envelope := b.Proto().GetDsseEnvelope()
	if envelope.GetPayloadType() != PayloadType {
		return a, fmt.Errorf("approval: it is a signed %q", envelope.GetPayloadType())
	}
	if err := json.Unmarshal(envelope.GetPayload(), &a); err != nil {
		return a, fmt.Errorf("approval: %w", err)
	}
	if who.Name == "" || a.By != who.Name {
		return fleet.Approval{}, fmt.Errorf("approval: it is by %q and signed with the key of %q", a.By, who.Name)
	}
	return a, nil
}
