package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	"golang.org/x/tools/txtar"

	"github.com/plimsoll-dev/plimsoll/internal/bench/compare"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
)

// corpusVariable names the folder of Dockerfiles to lint. Without it the archives of the rules are what there is.
const corpusVariable = "PLIMSOLL_LINT_CORPUS"

func lintCase() compare.Case {
	return compare.Case{
		Name: "lint",
		Doc:  "lint a corpus of Dockerfiles: parse, then all rules",
		Setup: func(ctx context.Context, env compare.Env, _ int) ([]compare.Side, func() error, error) {
			files, err := corpus()
			if err != nil {
				return nil, nil, err
			}
			dir := filepath.Join(env.Dir, "corpus")
			paths, err := writeCorpus(dir, files)
			if err != nil {
				return nil, nil, err
			}
			return []compare.Side{
				{Name: "plimsoll, all rules", Kind: compare.Ours, Do: lintOurs(files)},
				{Name: "BuildKit's checks", Kind: compare.Peer, Do: lintBuildKit(files)},
				conftest(ctx, env, paths),
				hadolint(paths),
				{Name: "BuildKit's parser alone", Kind: compare.Floor, Do: parseOnly(files)},
			}, nil, nil
		},
	}
}

// corpus returns the Dockerfiles that parse: some peers stop at the first one that does not.
func corpus() ([][]byte, error) {
	var files [][]byte
	add := func(src []byte) {
		if _, err := parser.Parse(bytes.NewReader(src)); err == nil {
			files = append(files, src)
		}
	}
	dir, archives := os.Getenv(corpusVariable), false
	if dir == "" {
		dir, archives = "sdk/lint/rules/testdata", true
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil || !archives {
			add(src)
			return err
		}
		for _, f := range txtar.Parse(src).Files {
			if f.Name == "Dockerfile" {
				add(f.Data)
			}
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s has no Dockerfile that parses", dir)
	}
	return files, err
}

// writeCorpus writes the files for peers that are programs.
func writeCorpus(dir string, files [][]byte) ([]string, error) {
	var paths []string
	for i, src := range files {
		path := filepath.Join(dir, fmt.Sprint(i), "Dockerfile")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, src, 0o644); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

func linted(n int) compare.Work { return compare.Work{Done: fmt.Sprintf("%d files", n)} }

func lintOurs(files [][]byte) func(context.Context, int) (compare.Work, error) {
	all, at := rules.All(), time.Now()
	return func(context.Context, int) (compare.Work, error) {
		n := 0
		for _, src := range files {
			file, err := definition.Parse("Dockerfile", src)
			if err != nil {
				continue
			}
			if _, err := lint.Run(file, all, lint.Config{At: at}); err != nil {
				return compare.Work{}, err
			}
			n++
		}
		return linted(n), nil
	}
}

func parseOnly(files [][]byte) func(context.Context, int) (compare.Work, error) {
	return func(context.Context, int) (compare.Work, error) {
		for _, src := range files {
			if _, err := parser.Parse(bytes.NewReader(src)); err != nil {
				return compare.Work{}, err
			}
		}
		return linted(len(files)), nil
	}
}

// emptyImages resolves every image to one with an empty configuration, so that nothing is asked of a registry.
type emptyImages struct{}

func (emptyImages) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	config := []byte(`{"os":"linux","architecture":"amd64"}`)
	return ref, digest.FromBytes(config), config, nil
}

// lintBuildKit has BuildKit's own checks judge each file. What it refuses counts as linted: it has said so.
func lintBuildKit(files [][]byte) func(context.Context, int) (compare.Work, error) {
	caps := pb.Caps.CapSet(pb.Caps.All())
	platform := platforms.DefaultSpec()
	return func(ctx context.Context, _ int) (compare.Work, error) {
		for _, src := range files {
			source := llb.NewSourceMap(nil, "Dockerfile", "Dockerfile", src)
			source.Definition = &llb.Definition{}
			_, _ = dockerfile2llb.DockerfileLint(ctx, src, dockerfile2llb.ConvertOpt{
				MetaResolver: emptyImages{}, LLBCaps: &caps, TargetPlatform: &platform, SourceMap: source,
			})
		}
		return linted(len(files)), nil
	}
}

// conftestPolicy asks what every team's first policy asks.
const conftestPolicy = `package main

deny contains msg if {
	input[i].Cmd == "from"
	endswith(input[i].Value[0], ":latest")
	msg := "no latest"
}
`

func conftest(ctx context.Context, env compare.Env, paths []string) compare.Side {
	side := compare.Side{Name: "conftest, one rule", Kind: compare.Peer}
	path, missing := compare.Tool(ctx, env, "conftest")
	if missing != "" {
		side.Missing = missing
		return side
	}
	policy := filepath.Join(env.Dir, "policy.rego")
	if err := os.WriteFile(policy, []byte(conftestPolicy), 0o644); err != nil {
		side.Missing = err.Error()
		return side
	}
	side.Do = program(len(paths), func(ctx context.Context) *exec.Cmd {
		args := append([]string{"test", "--no-fail", "--parser", "dockerfile", "--policy", policy, "--output", "json"}, paths...)
		return exec.CommandContext(ctx, path, args...)
	})
	return side
}

func hadolint(paths []string) compare.Side {
	path, missing := compare.Program("hadolint")
	return compare.Side{
		Name: "hadolint", Kind: compare.Peer, Missing: missing,
		Do: program(len(paths), func(ctx context.Context) *exec.Cmd {
			return exec.CommandContext(ctx, path, slices.Concat([]string{"--no-fail"}, paths)...)
		}),
	}
}

// program runs a linter over all files at once.
func program(files int, command func(context.Context) *exec.Cmd) func(context.Context, int) (compare.Work, error) {
	return func(ctx context.Context, _ int) (compare.Work, error) {
		out, err := command(ctx).CombinedOutput()
		if err != nil {
			return compare.Work{}, fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
		}
		return linted(files), nil
	}
}
