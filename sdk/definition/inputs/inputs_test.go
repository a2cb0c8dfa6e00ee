package inputs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/inputs"
)

// world is a resolver that has every image, but for those named "missing". Images have a layer unless their name
// contains "empty", and the ONBUILD triggers given here by reference.
type world struct {
	triggers map[string][]string
	env      map[string][]string

	mu    sync.Mutex
	asked []string
}

var errMissing = errors.New("not found: 404")

func (w *world) Config(_ context.Context, ref, platform string) (catalog.ImageConfig, error) {
	w.mu.Lock()
	w.asked = append(w.asked, ref+" "+platform)
	w.mu.Unlock()
	name, pinned, _ := strings.Cut(ref, "@")
	if strings.Contains(name, "missing") {
		return catalog.ImageConfig{}, fmt.Errorf("%s: read: %w", ref, errMissing)
	}
	os, arch, _ := strings.Cut(platform, "/")
	arch, variant, _ := strings.Cut(arch, "/")
	layers := []string{"sha256:" + strings.Repeat("1", 64)}
	if strings.Contains(name, "empty") {
		layers = nil
	}
	config, err := json.Marshal(map[string]any{
		"os": os, "architecture": arch, "variant": variant,
		"config": map[string]any{"OnBuild": w.triggers[name], "Env": w.env[name]},
		"rootfs": map[string]any{"type": "layers", "diff_ids": layers},
	})
	index := digest.FromString(name).String()
	if pinned != "" {
		index = pinned
	}
	return catalog.ImageConfig{
		Ref: ref, Digest: index, Manifest: digest.FromString(name + platform).String(), Platform: platform, Config: config,
	}, err
}

func parse(t testing.TB, dockerfile string) *definition.Definition {
	t.Helper()
	file, err := definition.Parse("Dockerfile", []byte(dockerfile))
	if err != nil {
		t.Fatal(err)
	}
	return &definition.Definition{File: file}
}

// line prints an input: where, what for, what, and what else is not as usual.
func line(in catalog.Input) string {
	s := fmt.Sprintf("%d:%d %s %s", in.Place.Start.Line, in.Place.Start.Column, in.Role, in.Ref)
	if in.Kind != catalog.KindImage {
		s += " " + string(in.Kind)
	}
	if in.Kind == catalog.KindImage && in.Digest == "" {
		s += " unresolved"
	}
	if in.Kind != catalog.KindImage && in.Digest != "" {
		s += " pin=" + in.Digest
	}
	s += " in " + in.Stage
	if in.Platform != "linux/amd64" {
		s += " on " + in.Platform
	}
	if in.BuiltFor != "" {
		s += " for " + in.BuiltFor
	}
	if in.Runtime {
		s += " runtime"
	}
	if !in.Reachable {
		s += " unused"
	}
	for _, r := range in.From {
		s += fmt.Sprintf(" (%d:%d %s)", r.Place.Start.Line, r.Place.Start.Column, r.Message)
	}
	return s
}

func lines(list []catalog.Input) []string {
	var all []string
	for _, in := range list {
		all = append(all, line(in))
	}
	return all
}

// TestInputs has each trap that a Dockerfile can lay for somebody who wants to know what it reads.
func TestInputs(t *testing.T) {
	const evil = "evil.example/x"
	for _, tc := range []struct {
		name       string
		dockerfile string
		opts       inputs.Options
		triggers   map[string][]string
		env        map[string][]string
		want       []string
	}{
		{
			name:       "one base",
			dockerfile: "FROM debian:12\n",
			want:       []string{"1:6 base docker.io/library/debian:12 in 0 runtime"},
		},
		{
			name:       "tag defaults to latest, digests are kept",
			dockerfile: "FROM debian AS a\nFROM debian:12@sha256:" + strings.Repeat("a", 64) + "\nCOPY --from=a / /\n",
			want: []string{
				"1:6 base docker.io/library/debian:latest in a",
				"2:6 base docker.io/library/debian:12@sha256:" + strings.Repeat("a", 64) + " in 1 runtime",
			},
		},
		{
			name:       "scratch and stages are no inputs",
			dockerfile: "FROM scratch AS a\nFROM a AS b\nCOPY --from=a /x /\nCOPY --from=0 /x /\nRUN --mount=from=a,target=/x true\n",
		},
		{
			name:       "ARG in FROM: the default",
			dockerfile: "ARG BASE=good\nFROM ${BASE}:1\n",
			want:       []string{"2:6 base docker.io/library/good:1 in 0 runtime (1:5 BASE is set here)"},
		},
		{
			name:       "ARG in FROM: the actual argument",
			dockerfile: "ARG BASE=good\nFROM ${BASE}:1\n",
			opts:       inputs.Options{Args: map[string]string{"BASE": evil}},
			want:       []string{"2:6 base " + evil + ":1 in 0 runtime (1:5 BASE is declared here and set by a build argument)"},
		},
		{
			name:       "ARG in FROM: substitution within the expansion",
			dockerfile: "ARG V=good\nFROM ${V/good/evil}\n",
			want:       []string{"2:6 base docker.io/library/evil:latest in 0 runtime (1:5 V is set here)"},
		},
		{
			name:       "ARG in FROM: one ARG from another, and a suffix",
			dockerfile: "ARG REG=evil.example\nARG BASE=${REG}/x V=1\nARG OTHER=2\nFROM ${BASE}:${V}-alpine\n",
			want: []string{
				"4:6 base evil.example/x:1-alpine in 0 runtime (1:5 REG is set here) (2:5 BASE is set here) (2:19 V is set here)",
			},
		},
		{
			name:       "COPY --from an image",
			dockerfile: "FROM debian:12\nCOPY --chown=0 --from=evil.example/x:2 /a /b\n",
			want: []string{
				"1:6 base docker.io/library/debian:12 in 0 runtime",
				"2:23 copy-from evil.example/x:2 in 0",
			},
		},
		{
			name:       "RUN --mount: bind and cache, quoted, and the last from of several",
			dockerfile: "FROM debian:12\nRUN --mount=from=evil.example/a,target=/a --mount=type=cache,target=/b,from=evil.example/b true\nRUN --mount=type=bind,\"from=evil.example/c\",from=evil.example/d,target=/c true\n",
			want: []string{
				"1:6 base docker.io/library/debian:12 in 0 runtime",
				"2:18 mount evil.example/a:latest in 0",
				"2:77 mount evil.example/b:latest in 0",
				"3:50 mount evil.example/d:latest in 0",
			},
		},
		{
			name:       "RUN --mount: a number is no stage",
			dockerfile: "FROM debian:12 AS a\nFROM scratch\nCOPY --from=0 /x /\nRUN --mount=from=0,target=/x true\n",
			want: []string{
				"1:6 base docker.io/library/debian:12 in a",
				"4:18 mount docker.io/library/0:latest in 1",
			},
		},
		{
			name:       "ADD from the web",
			dockerfile: "FROM scratch\nADD https://evil.example/a.tar local.txt --checksum /x/\nADD --checksum=sha256:" + strings.Repeat("b", 64) + " http://evil.example/b /x\nADD [\"https://evil.example/c\", \"/x\"]\n",
			want: []string{
				"2:5 add https://evil.example/a.tar http in 0",
				"3:" + fmt.Sprint(5+len("--checksum=sha256:")+64+1) + " add http://evil.example/b http pin=sha256:" + strings.Repeat("b", 64) + " in 0",
				"4:7 add https://evil.example/c http in 0",
			},
		},
		{
			name:       "ADD from git: branch, commit, checksum, SSH in both spellings",
			dockerfile: "FROM scratch\nADD https://evil.example/a.git#main:sub /a\nADD https://evil.example/a.git#" + strings.Repeat("c", 40) + " /b\nADD --checksum=" + strings.Repeat("d", 40) + " git://evil.example/a#v1 /c\nADD git@evil.example:a/b.git#v2 /d\nADD ssh://git@evil.example/a/b#v3 /e\nADD https://evil.example/a.git?ref=v4&checksum=" + strings.Repeat("e", 40) + " /f\n",
			want: []string{
				"2:5 add https://evil.example/a.git#main:sub git in 0",
				"3:5 add https://evil.example/a.git#" + strings.Repeat("c", 40) + " git pin=" + strings.Repeat("c", 40) + " in 0",
				"4:57 add git://evil.example/a#v1 git pin=" + strings.Repeat("d", 40) + " in 0",
				"5:5 add git@evil.example:a/b.git#v2 git in 0",
				"6:5 add ssh://git@evil.example/a/b#v3 git in 0",
				"7:5 add https://evil.example/a.git?ref=v4&checksum=" + strings.Repeat("e", 40) + " git pin=" + strings.Repeat("e", 40) + " in 0",
			},
		},
		{
			name:       "ADD with variables: of the stage, of the base, of the whole file; quoted; in a heredoc's company",
			dockerfile: "ARG HOST=evil.example\nFROM debian:12 AS a\nARG HOST\nENV P=https\nENV U=\"${P}://\"\nADD ${U}${HOST}/a \"$FROMBASE\" local\\ file C:x /x/\nADD <<EOF $U$HOST/b /x/\nbody\nEOF\nADD ${HOST} /x\n",
			env:        map[string][]string{"docker.io/library/debian:12": {"FROMBASE=git@evil.example:x/y"}},
			want: []string{
				"2:6 base docker.io/library/debian:12 in a runtime",
				"6:5 add https://evil.example/a http in a (1:5 HOST is set here) (3:5 HOST is set here) (4:5 P is set here) (5:5 U is set here)",
				"6:19 add git@evil.example:x/y git in a",
				"7:11 add https://evil.example/b http in a (1:5 HOST is set here) (3:5 HOST is set here) (4:5 P is set here) (5:5 U is set here)",
			},
		},
		{
			name:       "ONBUILD inherited: COPY --from, RUN --mount, ADD; the place is the FROM",
			dockerfile: "FROM debian:12 AS a\nFROM scratch\nCOPY --from=a / /\n",
			triggers: map[string][]string{"docker.io/library/debian:12": {
				"COPY --from=evil.example/a /a /a", "RUN --mount=from=evil.example/b,target=/x true",
				"ADD git@evil.example:c/d.git /c", "ADD https://evil.example/e local /e/", "RUN true",
			}},
			want: []string{
				"1:6 base docker.io/library/debian:12 in a",
				"1:6 onbuild evil.example/a:latest in a (1:6 ONBUILD COPY --from=evil.example/a /a /a comes with docker.io/library/debian:12)",
				"1:6 onbuild evil.example/b:latest in a (1:6 ONBUILD RUN --mount=from=evil.example/b,target=/x true comes with docker.io/library/debian:12)",
				"1:6 onbuild git@evil.example:c/d.git git in a (1:6 ONBUILD ADD git@evil.example:c/d.git /c comes with docker.io/library/debian:12)",
				"1:6 onbuild https://evil.example/e http in a (1:6 ONBUILD ADD https://evil.example/e local /e/ comes with docker.io/library/debian:12)",
			},
		},
		{
			name:       "ONBUILD inherited: from an image that brings another that brings another",
			dockerfile: "FROM a:1\n",
			triggers: map[string][]string{
				"docker.io/library/a:1": {"COPY --from=b:1 / /"},
				"docker.io/library/b:1": {"COPY --from=c:1 / /"},
			},
			want: []string{
				"1:6 base docker.io/library/a:1 in 0 runtime",
				"1:6 onbuild docker.io/library/b:1 in 0 (1:6 ONBUILD COPY --from=b:1 / / comes with docker.io/library/a:1)",
				"1:6 onbuild docker.io/library/c:1 in 0 (1:6 ONBUILD COPY --from=b:1 / / comes with docker.io/library/a:1) (1:6 ONBUILD COPY --from=c:1 / / comes with docker.io/library/b:1)",
			},
		},
		{
			name:       "ONBUILD inherited: it means a stage of the file, which is built for it alone",
			dockerfile: "FROM evil.example/x AS tools\nFROM debian:12\n",
			triggers:   map[string][]string{"docker.io/library/debian:12": {"COPY --from=tools / /"}},
			want: []string{
				"1:6 base evil.example/x:latest in tools",
				"2:6 base docker.io/library/debian:12 in 1 runtime",
			},
		},
		{
			name:       "ONBUILD declared: bites children, not this build",
			dockerfile: "FROM debian:12\nONBUILD COPY --from=evil.example/x / /\nONBUILD ADD https://evil.example/y /\n",
			want:       []string{"1:6 base docker.io/library/debian:12 in 0 runtime"},
		},
		{
			name:       "ONBUILD declared: the child stands in the same file",
			dockerfile: "FROM debian:12 AS parent\nONBUILD COPY --from=evil.example/x / /\nONBUILD ADD https://evil.example/y /\nFROM parent\n",
			want: []string{
				"1:6 base docker.io/library/debian:12 in parent runtime",
				"2:21 onbuild evil.example/x:latest in 1",
				"3:13 onbuild https://evil.example/y http in parent",
			},
		},
		{
			name:       "a stage shadows a trusted image",
			dockerfile: "FROM evil.example/x AS alpine\nFROM alpine\nCOPY --from=ALPINE / /\n",
			want:       []string{"1:6 base evil.example/x:latest in alpine runtime"},
		},
		{
			name:       "a stage shadows scratch",
			dockerfile: "FROM evil.example/x AS scratch\nFROM scratch\nRUN --mount=type=cache,target=/x true\n",
			want:       []string{"1:6 base evil.example/x:latest in scratch runtime"},
		},
		{
			name:       "a name is a stage only if it comes earlier, and only in its own case",
			dockerfile: "FROM late AS first\nFROM evil.example/x AS late\nCOPY --from=first / /\n",
			want: []string{
				"1:6 base docker.io/library/late:latest in first",
				"2:6 base evil.example/x:latest in late runtime",
			},
		},
		{
			name:       "stages that nobody needs",
			dockerfile: "FROM evil.example/x AS unused\nRUN --mount=from=evil.example/y,target=/y true\nFROM debian:12\n",
			want:       []string{"3:6 base docker.io/library/debian:12 in 1 runtime"},
		},
		{
			name:       "stages that nobody needs, listed",
			dockerfile: "FROM evil.example/x AS unused\nRUN --mount=from=evil.example/y,target=/y true\nADD https://evil.example/z /\nFROM missing AS alone\nFROM alone\nFROM debian:12 AS it\nFROM unused\n",
			opts:       inputs.Options{AllStages: true, Target: "it"},
			want: []string{
				"6:6 base docker.io/library/debian:12 in it runtime",
				"1:6 base evil.example/x:latest in unused unused",
				"2:18 mount evil.example/y:latest in unused unused",
				"3:5 add https://evil.example/z http in unused unused",
				"4:6 base docker.io/library/missing:latest unresolved in alone unused",
			},
		},
		{
			name:       "stages that nobody needs, listed though BuildKit could not build them",
			dockerfile: "FROM a AS one\nCOPY --from=two / /\nFROM b AS two\nFROM d\nRUN --mount=from=evil.example/x,target=/ true\nFROM debian:12 AS it\n",
			opts:       inputs.Options{AllStages: true},
			want: []string{
				"6:6 base docker.io/library/debian:12 in it runtime",
				"1:6 base docker.io/library/a:latest in one unused",
				"3:6 base docker.io/library/b:latest in two unused",
				"4:6 base docker.io/library/d:latest in 2 unused",
				"5:18 mount evil.example/x:latest in 2 unused",
			},
		},
		{
			name:       "the target decides",
			dockerfile: "FROM a AS one\nFROM b AS two\nFROM c AS three\nCOPY --from=one / /\n",
			opts:       inputs.Options{Target: "TWO"},
			want:       []string{"2:6 base docker.io/library/b:latest in two runtime"},
		},
		{
			name:       "a base for each platform",
			dockerfile: "FROM base-${TARGETARCH}${TARGETVARIANT}\n",
			opts:       inputs.Options{Platforms: []string{"linux/amd64", "linux/arm64", "linux/arm/v7"}},
			want: []string{
				"1:6 base docker.io/library/base-amd64:latest in 0 runtime",
				"1:6 base docker.io/library/base-arm64:latest in 0 on linux/arm64 runtime",
				"1:6 base docker.io/library/base-armv7:latest in 0 on linux/arm/v7 runtime",
			},
		},
		{
			name:       "FROM --platform: the builder's own, and one that is written out",
			dockerfile: "FROM --platform=$BUILDPLATFORM golang AS build\nFROM --platform=linux/s390x odd AS odd\nFROM debian\nCOPY --from=build / /\nCOPY --from=odd / /\n",
			opts:       inputs.Options{Platforms: []string{"linux/arm64"}, BuildPlatform: "linux/amd64"},
			want: []string{
				"1:32 base docker.io/library/golang:latest in build for linux/arm64",
				"2:29 base docker.io/library/odd:latest in odd on linux/s390x for linux/arm64",
				"3:6 base docker.io/library/debian:latest in 2 on linux/arm64 runtime",
			},
		},
		{
			name:       "frontend",
			dockerfile: "# syntax=evil.example/frontend:1 with=words\nFROM debian:12\n",
			want: []string{
				"1:10 frontend evil.example/frontend:1 in ",
				"2:6 base docker.io/library/debian:12 in 0 runtime",
			},
		},
		{
			name:       "frontend after a shebang and a byte order mark",
			dockerfile: "\xef\xbb\xbf#!/usr/bin/env buildkit\n#syntax = docker/dockerfile:1\nFROM scratch\n",
			want:       []string{"2:11 frontend docker.io/docker/dockerfile:1 in "},
		},
		{
			name:       "a syntax line after a comment is a comment",
			dockerfile: "# hello\n# syntax=evil.example/frontend\nFROM scratch\n",
		},
		{
			name:       "named context in place of an image, a stage and nothing",
			dockerfile: "FROM debian:12 AS build\nFROM alpine\nCOPY --from=build / /\nCOPY --from=extra / /\nRUN --mount=from=more,target=/x true\n",
			opts: inputs.Options{Contexts: map[string]string{
				"alpine": "docker-image://evil.example/x", "build": "https://evil.example/context.git", "extra": "local", "more": "git@evil.example:x/y",
			}},
			want: []string{
				"0:0 context evil.example/x:latest context pin=" + digest.FromString("evil.example/x:latest").String() + " in ",
				"0:0 context https://evil.example/context.git context in ",
				"0:0 context local context in ",
				"0:0 context git@evil.example:x/y context in ",
			},
		},
		{
			name:       "escape directive, continuations, a keyword in pieces, heredocs with FROM in them",
			dockerfile: "# escape=`\nFR`\nOM `\n  # a comment\n  debian:`\n12 AS a\nRUN <<EOF\nFROM evil.example/no\nCOPY --from=evil.example/no / /\nEOF\nCOPY --from=evil.`\nexample/x / /\n",
			want: []string{
				"5:3 base docker.io/library/debian:12 in a runtime",
				"11:13 copy-from evil.example/x:latest in a",
			},
		},
		{
			name:       "CRLF",
			dockerfile: "ARG A=debian\r\nFROM ${A}:12\r\nADD https://evil.example/x \\\r\n  /x\r\n",
			want: []string{
				"2:6 base docker.io/library/debian:12 in 0 runtime (1:5 A is set here)",
				"3:5 add https://evil.example/x http in 0",
			},
		},
		{
			name:       "check directives have no say",
			dockerfile: "# check=skip=all;error=true\nFROM --platform=linux/amd64 debian:12 AS Build\nENV PASSWORD=x\nMAINTAINER me\n",
			want:       []string{"2:29 base docker.io/library/debian:12 in build runtime"},
		},
		{
			name:       "an empty base image is not in the graph",
			dockerfile: "FROM evil.example/empty\nCOPY --from=evil.example/empty2 / /\n",
			want: []string{
				"1:6 base evil.example/empty:latest in 0 runtime",
				"2:13 copy-from evil.example/empty2:latest in 0",
			},
		},
		{
			name:       "SOURCE_DATE_EPOCH can't be a stage that reads something",
			dockerfile: "ARG SOURCE_DATE_EPOCH=src\nFROM scratch AS src\nADD git@evil.example:x/y /\nFROM debian:12\n",
			want:       []string{"4:6 base docker.io/library/debian:12 in 1 runtime"},
		},
		{
			name:       "TARGETSTAGE: by default, as an ARG, and when stages that nobody needs are looked at",
			dockerfile: "FROM a-${TARGETSTAGE} AS one\nFROM b-${TARGETSTAGE}\n",
			opts:       inputs.Options{AllStages: true},
			want: []string{
				"2:6 base docker.io/library/b-default:latest in 1 runtime",
				"1:6 base docker.io/library/a-default:latest in one unused",
			},
		},
		{
			name:       "TARGETSTAGE: an ARG of that name wins",
			dockerfile: "ARG TARGETSTAGE=evil\nFROM a-${TARGETSTAGE} AS one\n",
			want:       []string{"2:6 base docker.io/library/a-evil:latest in one runtime (1:5 TARGETSTAGE is set here)"},
		},
		{
			name:       "TARGETSTAGE: the target's name",
			dockerfile: "FROM a-${TARGETSTAGE} AS one\nFROM b AS two\n",
			opts:       inputs.Options{Target: "one"},
			want:       []string{"1:6 base docker.io/library/a-one:latest in one runtime"},
		},
		{
			name:       "platform arguments that are declared or given anew",
			dockerfile: "ARG TARGETARCH=evil\nFROM a-${TARGETARCH}-${TARGETOS}\n",
			opts:       inputs.Options{Args: map[string]string{"TARGETOS": "evilos"}},
			want:       []string{"2:6 base docker.io/library/a-evil-evilos:latest in 0 runtime (1:5 TARGETARCH is set here)"},
		},
		{
			name:       "what must be exact is: the epoch in a FROM",
			dockerfile: "ARG SOURCE_DATE_EPOCH\nFROM x:${SOURCE_DATE_EPOCH}\n",
			want:       []string{"2:6 base docker.io/library/x:0 in 0 runtime (1:5 SOURCE_DATE_EPOCH is declared here and set by a build argument)"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opts := tc.opts
			opts.Resolver = &world{triggers: tc.triggers, env: tc.env}
			if opts.BuildPlatform == "" {
				opts.BuildPlatform = "linux/amd64"
			}
			got, err := inputs.List(t.Context(), parse(t, tc.dockerfile), opts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, lines(got)); diff != "" {
				t.Errorf("inputs (-want +got):\n%s", diff)
			}
		})
	}
}
