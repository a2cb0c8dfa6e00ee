package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/bench/compare"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/provenance"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// verification is an image with signed provenance in a registry, and who trusts it.
type verification struct {
	server *registrytest.Server
	ref    string
	public string // file with the public key
	policy attest.Policy
	bundle *attest.Bundle
}

func verifyCase() compare.Case {
	return compare.Case{
		Name: "verify",
		Doc:  "verify the signed provenance of an image in a registry on loopback",
		Setup: func(ctx context.Context, env compare.Env, _ int) ([]compare.Side, func() error, error) {
			v, err := newVerification(ctx, env.Dir)
			if err != nil {
				return nil, nil, err
			}
			plimsoll := filepath.Join(env.Dir, "plimsoll")
			build := exec.CommandContext(ctx, "go", "build", "-o", plimsoll, "./examples/plimsoll")
			if out, err := build.CombinedOutput(); err != nil {
				return nil, v.server.Close, fmt.Errorf("%w: %s", err, out)
			}
			client := registry.New(registry.Options{})
			warm := attest.Cached(attest.NewStore(client, attest.StoreOptions{}), time.Hour, time.Now)
			down := func() error {
				client.Close()
				return v.server.Close()
			}
			return []compare.Side{
				{Name: "plimsoll verify", Kind: compare.Ours, Do: v.program(plimsoll, "verify", v.ref,
					"--keys", v.public, "--builder", v.policy.Builders[0], "--source", v.policy.Sources[0], "--unsafe-unlinted", "--unsafe-untested")},
				{Name: "attest.Verify, a new client", Kind: compare.Ours, Do: func(ctx context.Context, _ int) (compare.Work, error) {
					cold := registry.New(registry.Options{})
					defer cold.Close()
					return v.verify(ctx, attest.NewStore(cold, attest.StoreOptions{}))
				}},
				{Name: "attest.Verify, warm", Kind: compare.Ours, Do: func(ctx context.Context, _ int) (compare.Work, error) {
					return v.verify(ctx, warm)
				}},
				v.cosign(ctx, env),
				{Name: "one signature check", Kind: compare.Floor, Do: func(ctx context.Context, _ int) (compare.Work, error) {
					_, err := v.policy.Trust.Verify(ctx, v.bundle, v.policy.At)
					return v.work(), err
				}},
			}, down, nil
		},
	}
}

func newVerification(ctx context.Context, dir string) (*verification, error) {
	key, err := attest.GenerateKey(attest.ECDSA)
	if err != nil {
		return nil, err
	}
	v := &verification{public: filepath.Join(dir, "key.pub")}
	v.policy = attest.Policy{
		Trust: attest.Keys{{Name: "bench", Key: key.Public()}}, At: time.Now(),
		Builders: []string{"https://build.example"}, Sources: []string{"https://git.example/team/app"},
		UnsafeUnlinted: true, UnsafeUntested: true,
	}
	if v.server, err = registrytest.Start(registrytest.Options{}); err != nil {
		return nil, err
	}
	return v, errors.Join(os.WriteFile(v.public, key.Public().PEM(), 0o600), v.publish(ctx, key))
}

// publish pushes an image and its provenance.
func (v *verification) publish(ctx context.Context, key *attest.Key) error {
	image, err := registrytest.Image(map[string]string{"app": "hello"}, registrytest.ImageOptions{})
	if err != nil {
		return err
	}
	digest, err := v.server.Push(ctx, "team/app:1", image)
	if err != nil {
		return err
	}
	v.ref = v.server.Ref("team/app@" + digest)
	client := registry.New(registry.Options{})
	defer client.Close()
	store := attest.NewStore(client, attest.StoreOptions{})
	stored, err := store.Image(ctx, v.ref)
	if err != nil {
		return err
	}
	statement, err := attest.NewStatement(provenance.Type, provenance.Provenance{
		BuildDefinition: provenance.BuildDefinition{
			BuildType: provenance.BuildType, External: provenance.External{Repository: v.policy.Sources[0], Commit: "0123456789012345678901234567890123456789"},
		},
		RunDetails: provenance.RunDetails{Builder: provenance.Builder{ID: v.policy.Builders[0]}},
	}, attest.NewSubject(stored.Repository, stored.Digest))
	if err != nil {
		return err
	}
	if v.bundle, err = statement.Sign(ctx, key); err != nil {
		return err
	}
	return store.Attach(ctx, stored, v.bundle)
}

// work is what every side did, and how many requests it took.
func (v *verification) work() compare.Work {
	requests := float64(len(v.server.Requests()))
	v.server.Reset()
	return compare.Work{Done: "1 image, 1 attestation", Figures: map[string]float64{"requests": requests}}
}

func (v *verification) verify(ctx context.Context, source attest.Source) (compare.Work, error) {
	v.server.Reset()
	_, err := attest.Verify(ctx, source, v.ref, v.policy)
	return v.work(), err
}

// program runs a program that says yes with its exit code.
func (v *verification) program(path string, args ...string) func(context.Context, int) (compare.Work, error) {
	return func(ctx context.Context, _ int) (compare.Work, error) {
		v.server.Reset()
		var out bytes.Buffer
		cmd := exec.CommandContext(ctx, path, args...)
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			return compare.Work{}, fmt.Errorf("%w: %s", err, &out)
		}
		return v.work(), nil
	}
}

func (v *verification) cosign(ctx context.Context, env compare.Env) compare.Side {
	path, missing := compare.Program("cosign")
	if missing != "" {
		path, missing = compare.Tool(ctx, env, "cosign")
	}
	return compare.Side{Name: "cosign verify-attestation", Kind: compare.Peer, Missing: missing, Do: v.program(path,
		"verify-attestation", "--key", v.public, "--insecure-ignore-tlog=true", "--allow-http-registry", "--type", provenance.Type, v.ref)}
}
