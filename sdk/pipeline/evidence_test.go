package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/provenance"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

const builder = "https://build.example/plimsoll"

// sign makes a delivery one that leaves evidence, and returns who trusts it.
func sign(t *testing.T, s *shop, d *pipeline.Delivery) attest.Keys {
	t.Helper()
	key, err := attest.GenerateKey(attest.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	d.Rules = rules.All()
	d.Evidence = &pipeline.Evidence{Signer: key, Store: attest.NewStore(s.client, attest.StoreOptions{}), Builder: builder, Version: "v1"}
	return attest.Keys{{Name: "build service", Key: key.Public()}}
}

func policy(trust attest.Keys) attest.Policy {
	return attest.Policy{Trust: trust, At: time.Now(), Builders: []string{builder}, UnsafeAnySource: true}
}

func TestDeliveryLeavesEvidence(t *testing.T) {
	s, d, order := open(t)
	trust := sign(t, s, &d)
	order.Platforms, order.Tags, order.Invocation = []string{"linux/amd64", "linux/arm64"}, []string{"1.2.3"}, "build-7"
	delivered, err := run(t, d, order)
	if err != nil {
		t.Fatal(err)
	}
	var stages []string
	for _, r := range delivered.Records {
		stages = append(stages, r.Stage)
	}
	if diff := cmp.Diff([]string{"checkout", "inputs", "bases", "lint", "build", "test", "publish", "evidence", "tag"}, stages); diff != "" {
		t.Error(diff)
	}
	if delivered.Unsigned || len(delivered.Evidence) != 3 {
		t.Errorf("got %+v", delivered.Evidence)
	}
	got, err := attest.Verify(t.Context(), attest.NewStore(s.client, attest.StoreOptions{}), s.server.Ref("team/app:1.2.3"), policy(trust))
	if err != nil {
		t.Fatal(err)
	}
	p := got.Provenance
	if p.RunDetails.Metadata.InvocationID != "build-7" || p.BuildDefinition.External.Commit != delivered.Source.Commit {
		t.Errorf("got %+v", p)
	}
	var bases []string
	for _, b := range p.Bases() {
		bases = append(bases, b.Platform+" "+strings.TrimPrefix(b.Requested.Ref, s.server.Host)+" "+strings.TrimPrefix(b.Effective.Ref, s.server.Host))
		if b.Requested.Digest == "" || b.Effective.Digest == "" || b.Requested.Digest == b.Effective.Digest || !b.Moved || !b.Runtime || b.Reason == "" {
			t.Errorf("got %+v", b)
		}
	}
	if diff := cmp.Diff([]string{
		"linux/amd64 /base/demo:1.4.8 /base/demo:1.4.9",
		"linux/arm64 /base/demo:1.4.8 /base/demo:1.4.9",
	}, bases); diff != "" {
		t.Error(diff)
	}
	recorded, err := p.Stages()
	if err != nil || len(recorded) != 7 || recorded[6].Stage != "publish" {
		t.Errorf("got %v, %v", recorded, err)
	}
	for _, in := range p.BuildDefinition.Inputs {
		if len(in.Digest) != 1 || in.URI == "" {
			t.Errorf("an input without a digest: %+v", in)
		}
	}
}

func TestDeliveryWithoutSignerSaysSo(t *testing.T) {
	s, d, order := open(t)
	order.Tags = []string{"1.2.3"}
	delivered, err := run(t, d, order)
	if err != nil || !delivered.Unsigned {
		t.Fatalf("unsigned: %v, %v", delivered.Unsigned, err)
	}
	raw, err := json.Marshal(delivered)
	if err != nil || !bytes.Contains(raw, []byte(`"unsigned":true`)) {
		t.Errorf("the record does not say so: %v", err)
	}
	trust := sign(t, s, &d)
	_, err = attest.Verify(t.Context(), attest.NewStore(s.client, attest.StoreOptions{}), delivered.Reference, policy(trust))
	if !errors.Is(err, attest.ErrDenied) {
		t.Errorf("got %v", err)
	}
}

// No tag names an image whose evidence could not be signed or stored.
func TestNoTagWithoutEvidence(t *testing.T) {
	for name, spoil := range map[string]func(*shop, *pipeline.Evidence){
		"the key is away": func(_ *shop, e *pipeline.Evidence) {
			e.Signer = signerFunc(func(context.Context, string, []byte) (*attest.Bundle, error) {
				return nil, errors.New("the key is away")
			})
		},
		"the registry loses referrers": func(s *shop, _ *pipeline.Evidence) {
			s.server.Inject(registrytest.Rule{Path: "/referrers/", Fault: registrytest.Answer([]byte(`{"schemaVersion":2,"manifests":[]}`))})
		},
		"the registry lists none": func(s *shop, _ *pipeline.Evidence) {
			s.server.Inject(registrytest.Rule{Path: "/referrers/", Fault: registrytest.Status(http.StatusForbidden, nil)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, d, order := open(t)
			sign(t, s, &d)
			spoil(s, d.Evidence)
			order.Tags = []string{"1.2.3"}
			delivered, err := run(t, d, order)
			if stageOf(err) != "evidence" || delivered.Reference == "" {
				t.Errorf("got %v", err)
			}
			s.server.Reset()
			if _, err := s.client.Resolve(t.Context(), s.server.Ref("team/app:1.2.3")); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("the tag is there: %v", err)
			}
		})
	}
}

type signerFunc func(ctx context.Context, payloadType string, payload []byte) (*attest.Bundle, error)

func (f signerFunc) Sign(ctx context.Context, payloadType string, payload []byte) (*attest.Bundle, error) {
	return f(ctx, payloadType, payload)
}

func TestEvidenceIsWholeOrAbsent(t *testing.T) {
	s, d, order := open(t)
	sign(t, s, &d)
	d.Evidence.Builder = ""
	if _, err := run(t, d, order); stageOf(err) != "checkout" || !strings.Contains(err.Error(), "builder's id") {
		t.Errorf("got %v", err)
	}
}

func TestTypesAgree(t *testing.T) {
	if attest.TestResultType != blackbox.TestResultType || provenance.Type == "" {
		t.Error("the predicate types of test results differ")
	}
}
