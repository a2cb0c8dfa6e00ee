package rules_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
)

// TestFixesKeepTheBuild has BuildKit convert each archive before and after fixing, for the rules that say that their
// fixes change nothing: the operations and the image's config must be the same.
func TestFixesKeepTheBuild(t *testing.T) {
	for _, r := range rules.All() {
		if !r.SameBuild {
			continue
		}
		t.Run(r.ID+"-"+r.Name, func(t *testing.T) {
			names, err := filepath.Glob(filepath.Join("testdata", r.ID, "*.txtar"))
			if err != nil {
				t.Fatal(err)
			}
			compared := 0
			for _, name := range names {
				a, err := txtar.ParseFile(name)
				if err != nil {
					t.Fatal(err)
				}
				files := map[string][]byte{}
				for _, f := range a.Files {
					files[f.Name] = f.Data
				}
				if files["fixed"] == nil {
					continue
				}
				before, err := build(t.Context(), files["Dockerfile"])
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				after, err := build(t.Context(), files["fixed"])
				if diff := cmp.Diff(before, after); err != nil || diff != "" {
					t.Errorf("%s: the fixed file builds something else (%v):\n%s", name, err, diff)
				}
				compared++
			}
			if compared == 0 {
				t.Error("no archive shows a fix")
			}
		})
	}
}

// TestFixesKeepTheBuildOfCorpus does the same for a folder of Dockerfiles.
func TestFixesKeepTheBuildOfCorpus(t *testing.T) {
	dir := os.Getenv("PLIMSOLL_LINT_CORPUS")
	if dir == "" {
		t.Skip("needs PLIMSOLL_LINT_CORPUS, a folder with Dockerfiles")
	}
	same := slices.DeleteFunc(rules.All(), func(r lint.Rule) bool { return !r.SameBuild })
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, e := range entries {
		src, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		file, err := definition.Parse(e.Name(), src)
		if err != nil {
			continue
		}
		fixed, _, err := lint.Fix(file, same, lint.Config{})
		if err != nil {
			t.Error(err)
			continue
		}
		before, err := build(t.Context(), src)
		if err != nil || bytes.Equal(src, fixed.Src) {
			continue
		}
		after, err := build(t.Context(), fixed.Src)
		if diff := cmp.Diff(before, after); err != nil || diff != "" {
			t.Errorf("%s: the fixed file builds something else (%v):\n%s", e.Name(), err, diff)
		}
		compared++
	}
	t.Logf("%d of %d files were fixed, convert, and build the same", compared, len(entries))
}

// build returns the operations that a Dockerfile is converted to, and the configs, for the default target and each named
// stage.
func build(ctx context.Context, src []byte) (all []string, err error) {
	list, err := dockerfile2llb.ListTargets(ctx, src)
	if err != nil {
		return nil, err
	}
	targets := []string{""}
	for _, target := range list.Targets {
		if target.Name != "" {
			targets = append(targets, target.Name)
		}
	}
	caps := pb.Caps.CapSet(pb.Caps.All())
	platform := ocispec.Platform{OS: "linux", Architecture: "amd64"}
	for _, target := range targets {
		result, err := dockerfile2llb.Dockerfile2LLB(ctx, src, dockerfile2llb.ConvertOpt{
			Config:         dockerui.Config{Target: target, BuildPlatforms: []ocispec.Platform{platform}},
			TargetPlatform: &platform,
			MetaResolver:   anyImage{},
			LLBCaps:        &caps,
		})
		if err != nil {
			return nil, err
		}
		def, err := result.State.Marshal(ctx)
		if err != nil {
			return nil, err
		}
		config, err := json.Marshal(result.Image.Config)
		if err != nil {
			return nil, err
		}
		ops, err := operations(def.Def)
		if err != nil {
			return nil, err
		}
		all = append(append(all, string(config)), ops...)
	}
	return all, nil
}

// operations writes operations so that those of two conversions can be compared: inputs by number, without the attributes
// of the build context, which carry an id of the session.
func operations(def [][]byte) ([]string, error) {
	numbers := map[string]string{}
	var all []string
	for i, raw := range def {
		var op pb.Op
		if err := op.UnmarshalVT(raw); err != nil {
			return nil, err
		}
		numbers[digest.FromBytes(raw).String()] = strconv.Itoa(i)
		for _, in := range op.Inputs {
			in.Digest = numbers[in.Digest]
		}
		if source := op.GetSource(); source != nil {
			maps.DeleteFunc(source.Attrs, func(name, _ string) bool { return strings.HasPrefix(name, "local.") })
		}
		text, err := json.Marshal(&op)
		if err != nil {
			return nil, err
		}
		all = append(all, string(text))
	}
	return all, nil
}

// anyImage knows every image.
type anyImage struct{}

func (anyImage) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	config := `{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin","NAME=n"]},"rootfs":{"type":"layers",
		"diff_ids":["sha256:e1871801d30885a610511c867de0d6baca7ed4e6a2573d506bbec7fd3b03873f"]}}`
	return ref, digest.FromString(ref), []byte(config), nil
}
