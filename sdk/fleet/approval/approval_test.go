package approval_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet/approval"
)

func Example() {
	ctx := context.Background()
	key, err := attest.GenerateKey(attest.ECDSA)
	if err != nil {
		log.Fatal(err)
	}
	remedy := fleet.Remedy{Name: "fix", Where: "true", Run: []string{"fix"}, Approval: true}
	signed, err := approval.Sign(ctx, key, fleet.Approval{Remedy: remedy.Digest(), By: "bob", At: time.Now()})
	if err != nil {
		log.Fatal(err)
	}
	approved, err := approval.Verify(ctx, attest.Keys{{Name: "bob", Key: key.Public()}}, signed, time.Now())
	fmt.Println(approved.By, approved.Remedy == remedy.Digest(), err)
	// Output: bob true <nil>
}

func TestApprovalsThatDoNotCount(t *testing.T) {
	t.Parallel()
	bob, err := attest.GenerateKey(attest.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	eve, err := attest.GenerateKey(attest.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	trusted := attest.Keys{{Name: "bob", Key: bob.Public()}, {Name: "old", Key: eve.Public(), Until: now.Add(-time.Hour)}}
	sign := func(k *attest.Key, by string) []byte {
		signed, err := approval.Sign(t.Context(), k, fleet.Approval{Remedy: "sha256:1", By: by, At: now})
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	other, err := bob.Sign(t.Context(), "application/vnd.in-toto+json", []byte(`{"remedy":"sha256:1","by":"bob"}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		signed []byte
		want   string
	}{
		"in another's name":  {sign(bob, "ana"), `signed with the key of "bob"`},
		"a key of yesterday": {sign(eve, "old"), "was trusted until"},
		"something else":     {other.Bytes(), "it is a signed"},
		"no bundle":          {[]byte("yes"), "malformed"},
		"changed":            {[]byte(strings.Replace(string(sign(bob, "bob")), `"payload":"ey`, `"payload":"ez`, 1)), "approval"},
	} {
		if a, err := approval.Verify(t.Context(), trusted, tt.signed, now); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	if _, err := approval.Sign(t.Context(), bob, fleet.Approval{By: "bob"}); err == nil {
		t.Error("an approval of nothing")
	}
	if _, err := approval.Verify(t.Context(), attest.Keys{}, sign(bob, "bob"), now); !errors.Is(err, attest.ErrUntrusted) {
		t.Error(err)
	}
}
