package inputs_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/inputs"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

func TestErrors(t *testing.T) {
	for _, tc := range []struct {
		name       string
		dockerfile string
		opts       inputs.Options
		triggers   map[string][]string
		want       string
		is         error
	}{
		{
			name: "base that is not there", dockerfile: "ARG V=missing\nFROM scratch AS a\nFROM $V\n",
			want: "Dockerfile:3:6: docker.io/library/missing:latest: read: not found: 404", is: errMissing,
		},
		{
			name: "image in COPY --from that is not there", dockerfile: "FROM a\nCOPY --from=missing / /\n",
			want: "Dockerfile:2:13: docker.io/library/missing:latest: read: not found: 404", is: errMissing,
		},
		{
			name: "image in a mount that is not there", dockerfile: "FROM a\nRUN --mount=from=missing,target=/x true\n",
			want: "Dockerfile:2:18: docker.io/library/missing:latest: read: not found: 404", is: errMissing,
		},
		{
			name: "frontend that is not there", dockerfile: "# syntax=missing\nFROM a\n",
			want: "Dockerfile:1:10: docker.io/library/missing:latest: read: not found: 404", is: errMissing,
		},
		{
			name: "frontend that is no reference", dockerfile: "# syntax=No/Reference\nFROM a\n",
			want: `Dockerfile:1:10: frontend "No/Reference": invalid reference format: repository name (Reference) must be lowercase`,
		},
		{
			name: "image of a trigger that is not there", dockerfile: "FROM a:1\n", triggers: map[string][]string{"docker.io/library/a:1": {"COPY --from=missing / /"}},
			want: "Dockerfile:1:6: docker.io/library/missing:latest: read: not found: 404", is: errMissing,
		},
		{
			name: "variable in COPY --from", dockerfile: "ARG X=a\nFROM a\nCOPY --from=$X / /\n",
			want: "Dockerfile:3:13: variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround",
		},
		{
			name: "empty base after expansion", dockerfile: "ARG X\nFROM a AS ok\nFROM $X\n",
			want: "Dockerfile:3: base name ($X) should not be blank",
		},
		{
			name: "base that is no reference after expansion", dockerfile: "ARG X=UPPER\nFROM $X\n",
			want: `Dockerfile:2: failed to parse stage name "UPPER": invalid reference format: repository name (library/UPPER) must be lowercase`,
		},
		{
			name: "no such target", dockerfile: "FROM a\n", opts: inputs.Options{Target: "release"},
			want: `Dockerfile: target stage "release" could not be found`,
		},
		{
			name: "lines are the file's, though ADD took more", dockerfile: "FROM a\nADD https://x.example/1 \\\n # comment\n https://x.example/2 /x/\nADD https://x.example/3 https://x.example/4 /x/\nCOPY --from=9 / /\n",
			want: "Dockerfile:6:13: invalid stage index 9",
		},
		{
			name: "a mount that BuildKit refuses, below ADD", dockerfile: "FROM a\nADD https://x.example/1 \\\n # comment\n https://x.example/2 /x/\nADD https://x.example/3 https://x.example/4 /x/\nRUN --mount=target=/ true\n",
			want: `Dockerfile:6: invalid mount target "/"`,
		},
		{
			name: "unknown argument in an expansion that demands one", dockerfile: "FROM ${X:?gone}\n",
			want: `Dockerfile:1: failed to process "${X:?gone}": X: gone`,
		},
		{
			name: "an image that triggers itself", dockerfile: "FROM a:1\n", triggers: map[string][]string{"docker.io/library/a:1": {"COPY --from=a:1 / /", "COPY --from=b:1 / /"}, "docker.io/library/b:1": {"COPY --from=a:1 / /"}},
			is: inputs.ErrTooManyImages,
		},
		{
			name: "trigger that can't be read", dockerfile: "FROM a:1\n", triggers: map[string][]string{"docker.io/library/a:1": {"ADD x"}},
			want: "Dockerfile:1:6: image docker.io/library/a:1 for linux/amd64: its trigger ONBUILD ADD x: ADD requires at least two arguments, but only one was provided. Destination could not be determined",
		},
		{
			name: "source with a line break", dockerfile: "FROM a\nADD [\"https://x.example/a\\nRUN evil\", \"/x\"]\n",
			want: `Dockerfile:2:7: source "https://x.example/a\nRUN evil" has a line break`,
		},
		{name: "too many stages", dockerfile: strings.Repeat("FROM a\n", 201), is: inputs.ErrTooLarge},
		{name: "too many instructions", dockerfile: "FROM a\n" + strings.Repeat("ENV A=$A\n", 1000), is: inputs.ErrTooLarge},
		{
			name: "reserved argument", dockerfile: "FROM a\n", opts: inputs.Options{Args: map[string]string{"BUILDKIT_SYNTAX": "evil.example/x"}},
			want: "reserved build argument BUILDKIT_SYNTAX: names that begin with BUILDKIT_ steer the builder", is: inputs.ErrReservedArg,
		},
		{name: "another reserved argument", dockerfile: "FROM a\n", opts: inputs.Options{Args: map[string]string{"BUILDKIT_CONTEXT_KEEP_GIT_DIR": "1"}}, is: inputs.ErrReservedArg},
		{name: "epoch as an argument", dockerfile: "FROM a\n", opts: inputs.Options{Args: map[string]string{"SOURCE_DATE_EPOCH": "a"}}, is: inputs.ErrReservedArg},
		{
			name: "platform", dockerfile: "FROM a\n", opts: inputs.Options{Platforms: []string{"li/nu/x/!"}},
			want: `platform "li/nu/x/!": write it as linux/amd64`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opts := tc.opts
			opts.Resolver = &world{triggers: tc.triggers}
			opts.BuildPlatform = "linux/amd64"
			got, err := inputs.List(t.Context(), parse(t, tc.dockerfile), opts)
			if err == nil {
				t.Fatalf("no error, but %v", lines(got))
			}
			if !strings.HasPrefix(err.Error(), tc.want) || tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
			if got != nil {
				t.Errorf("an error, and inputs: %v", lines(got))
			}
		})
	}
}

func TestBadCalls(t *testing.T) {
	if _, err := inputs.List(t.Context(), &definition.Definition{}, inputs.Options{Resolver: &world{}}); err == nil {
		t.Error("a definition without a file was accepted")
	}
	if _, err := inputs.List(t.Context(), parse(t, "FROM a\n"), inputs.Options{}); err == nil {
		t.Error("no resolver was accepted")
	}
}

// Other spellings of the syntax line never come this far: the file is refused when it is parsed.
func TestForeignSyntaxLines(t *testing.T) {
	for _, src := range []string{
		"// syntax=evil.example/x\nFROM a\n",
		"#!/usr/bin/env x\n//syntax = evil.example/x\nFROM a\n",
		"{\"syntax\": \"evil.example/x\"}",
	} {
		if _, err := definition.Parse("Dockerfile", []byte(src)); !errors.Is(err, definition.ErrForeignSyntax) {
			t.Errorf("%q: %v", src, err)
		}
	}
}

// BuildKit's conversion dials the host of an ADD from git over SSH. Listing inputs must not, wherever the ADD comes from.
func TestNothingIsDialled(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	remote := "ssh://git@" + listener.Addr().String() + "/x.git"
	dockerfile := strings.ReplaceAll(`ARG SOURCE_DATE_EPOCH=epoch
FROM scratch AS epoch
ADD REMOTE /epoch
FROM a:1
ARG URL=REMOTE
ADD ${URL} "REMOTE" /x/
ADD ["REMOTE", "/y"]
ONBUILD ADD REMOTE /z
ADD --checksum=${URL} REMOTE /x
FROM 3
`, "REMOTE", remote)
	dockerfile = strings.ReplaceAll(dockerfile, "FROM a:1", "FROM a:1 AS it")
	dockerfile = strings.ReplaceAll(dockerfile, "FROM 3", "FROM it")
	got, err := inputs.List(t.Context(), parse(t, dockerfile), inputs.Options{
		Resolver: &world{triggers: map[string][]string{"docker.io/library/a:1": {"ADD " + remote + " /x", "aDd\\\n " + remote + " /x"}}},
		Contexts: map[string]string{"context2": remote},
	})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, in := range got {
		if in.Ref == remote && in.Kind == catalog.KindGit {
			n++
		}
	}
	if n < 6 {
		t.Errorf("%d inputs from git: %q", n, lines(got))
	}
	// Connections are accepted in the order they came in: the first must be the test's own.
	own, err := new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	first, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if first.RemoteAddr().String() != own.LocalAddr().String() {
		t.Error("the host of an ADD was dialled")
	}
}

// However many stages and platforms want an image, the registry is asked once for each platform; and a tag that moves
// meanwhile means one digest for all of them.
func TestImagesAreAskedForOnce(t *testing.T) {
	w := &world{}
	var dockerfile strings.Builder
	for range 50 {
		dockerfile.WriteString("FROM debian:12\nRUN --mount=from=golang,target=/x true\n")
	}
	dockerfile.WriteString("FROM scratch\n")
	for i := range 50 {
		dockerfile.WriteString("COPY --from=" + string(rune('0'+i/10)) + string(rune('0'+i%10)) + " / /\n")
	}
	got, err := inputs.List(t.Context(), parse(t, dockerfile.String()), inputs.Options{
		Resolver: w, Platforms: []string{"linux/amd64", "linux/arm64"}, BuildPlatform: "linux/amd64",
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 200 {
		t.Errorf("%d inputs, want 200", len(got))
	}
	if len(w.asked) != 4 {
		t.Errorf("asked %d times: %q", len(w.asked), w.asked)
	}
}

func TestAllPlatformsHaveOneDigest(t *testing.T) {
	moving := &mover{world: &world{}}
	got, err := inputs.List(t.Context(), parse(t, "FROM debian:12\n"), inputs.Options{
		Resolver: moving, Platforms: []string{"linux/amd64", "linux/arm64", "linux/s390x"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range got {
		if in.Digest != got[0].Digest || in.Ref != "docker.io/library/debian:12" {
			t.Errorf("%s is %s, the first is %s", in.Ref, in.Digest, got[0].Digest)
		}
	}
}

// mover is a registry whose tags move with each question.
type mover struct {
	*world
	n byte
}

func (m *mover) Config(ctx context.Context, ref, platform string) (catalog.ImageConfig, error) {
	config, err := m.world.Config(ctx, ref, platform)
	if m.n++; !strings.Contains(ref, "@") {
		config.Digest = "sha256:" + strings.Repeat(string('0'+m.n), 64)
	}
	return config, err
}

func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	_, err := inputs.List(ctx, parse(t, "FROM a\nCOPY --from=b / /\n"), inputs.Options{Resolver: resolver(func(ctx context.Context, _, _ string) (catalog.ImageConfig, error) {
		cancel(gone)
		<-ctx.Done()
		return catalog.ImageConfig{}, ctx.Err()
	})})
	if !errors.Is(err, gone) {
		t.Error(err)
	}
}

type resolver func(ctx context.Context, ref, platform string) (catalog.ImageConfig, error)

func (r resolver) Config(ctx context.Context, ref, platform string) (catalog.ImageConfig, error) {
	return r(ctx, ref, platform)
}

// With a registry: the error of a missing base names the place and the registry, and the set has what was read.
func TestWithRegistry(t *testing.T) {
	srv, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	img, err := registrytest.Image(map[string]string{"a": "b"}, registrytest.ImageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := srv.Push(t.Context(), "base/demo:1", img)
	if err != nil {
		t.Fatal(err)
	}
	client := registry.New(registry.Options{Backoff: time.Millisecond})
	defer client.Close()
	opts := inputs.Options{Resolver: client, BuildPlatform: "linux/amd64", Args: map[string]string{"REG": srv.Host}}

	def := parse(t, "ARG REG=registry.example\nFROM $REG/base/demo:1\n")
	set, err := inputs.Collect(t.Context(), def, opts)
	if err != nil {
		t.Fatal(err)
	}
	image, ok := set.Image(set.Inputs[0])
	if !ok || image.Digest != digest || set.Inputs[0].Digest != digest || image.Platform != "linux/amd64" {
		t.Errorf("%v of %+v, want %s", ok, image, digest)
	}

	_, err = inputs.List(t.Context(), parse(t, "ARG REG=registry.example\nFROM $REG/base/demo:2\n"), opts)
	if !errors.Is(err, registry.ErrNotFound) {
		t.Error(err)
	}
	want := "Dockerfile:2:6: " + srv.Ref("base/demo:2") + ": read: not found: 404 not found, MANIFEST_UNKNOWN \"Unknown manifest\"; check the spelling of repository and tag"
	if err == nil || cmp.Diff(want, err.Error()) != "" {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
