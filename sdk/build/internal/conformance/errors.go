package conformance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
)

func (s suite) errors(t *testing.T) {
	missing := strings.Replace(s.base.Ref, "@sha256:", "@sha256:0000", 1)[:len(s.base.Ref)]
	tests := []struct {
		name, dockerfile string
		place            string
		want             []string // in the error's text
		log              []string
	}{
		{
			name:       "a step fails",
			dockerfile: "FROM BASE\n\nRUN echo one && \\\n    echo two && \\\n    sh -c 'exit 3'\n",
			place:      "Dockerfile:3:1",
			want:       []string{"exit code: 3", "RUN echo one"},
			log:        []string{"one", "two"},
		},
		{
			name:       "a step prints a secret",
			dockerfile: "FROM BASE\nRUN --mount=type=secret,id=token cat /run/secrets/token; false\n",
			place:      "Dockerfile:2:1",
			log:        []string{"***"},
		},
		{
			name:       "syntax",
			dockerfile: "FROM BASE\nRUN true\nCPOY a b\n",
			place:      "Dockerfile:3:1",
			want:       []string{"Dockerfile:3:1: unknown instruction: CPOY"},
		},
		{
			name:       "no such file in the context",
			dockerfile: "FROM BASE\nCOPY nothing /\n",
			place:      "Dockerfile:2:1",
			want:       []string{"COPY nothing /: ", `"/nothing"`, "not found"},
		},
		{
			name:       "no such image",
			dockerfile: "FROM BASE AS a\nFROM MISSING\nRUN true\n",
			place:      "Dockerfile:2:1",
			want:       []string{"Dockerfile:2:1: " + missing + ": not found"},
		},
		{
			name:       "no such stage", // the engine does not say where
			dockerfile: "FROM BASE\nCOPY --from=1 /a /b\n",
			place:      "-",
			want:       []string{"invalid stage index 1"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var printed []string
			req := s.request(t, build.Request{
				Secrets:    map[string][]byte{"token": []byte("s3cret-token\n")},
				Progress:   func(e build.Event) { printed = append(printed, string(e.Log)) },
				Dockerfile: []byte(strings.NewReplacer("BASE", s.base.Ref, "MISSING", missing).Replace(tt.dockerfile)),
				Sources:    []build.Source{{Kind: "image", Ref: missing}},
			})
			_, err := s.builder.Build(t.Context(), req)
			var failed *build.Error
			if !errors.As(err, &failed) {
				t.Fatalf("got %v, want a *build.Error", err)
			}
			t.Log(err)
			if got := failed.Place.String(); got != tt.place && !s.lacks.Steps {
				t.Errorf("place %s, want %s", got, tt.place)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) && !s.lacks.Steps {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
			if diff := cmp.Diff(tt.log, failed.Log); diff != "" && !s.lacks.Steps {
				t.Errorf("log (-want +got):\n%s", diff)
			}
			if all := err.Error() + strings.Join(printed, ""); strings.Contains(all, "s3cret") {
				t.Errorf("a secret was told: %s", all)
			}
			if strings.Contains(err.Error(), "failed to ") {
				t.Errorf("a chain of the engine's own words: %v", err)
			}
			assertFiles(t, filepath.Dir(req.Layout))
		})
	}
}

// requests checks that what can't be asked for is refused before anything is done.
func (s suite) requests(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*build.Request)
		want   string
	}{
		{"no dockerfile", func(r *build.Request) { r.Dockerfile = nil }, "Dockerfile: the request has no Dockerfile"},
		{"no context", func(r *build.Request) { r.Context = nil }, "the request has no build context"},
		{"no layout", func(r *build.Request) { r.Layout = "" }, "no directory for the layout"},
		{"layout not empty", func(r *build.Request) { r.Layout = full }, "is not empty"},
		{"reserved argument", func(r *build.Request) { r.Args = map[string]string{"BUILDKIT_SYNTAX": "evil"} }, "BUILDKIT_SYNTAX"},
		{"epoch argument", func(r *build.Request) { r.Args = map[string]string{"SOURCE_DATE_EPOCH": "1"} }, "Created"},
		{"syntax line", func(r *build.Request) { r.Dockerfile = append([]byte("# syntax=evil/frontend\n"), r.Dockerfile...) }, "Dockerfile:1: the syntax line"},
		{"unknown network", func(r *build.Request) { r.Network = "bridge" }, `network "bridge"`},
		{"secret too large", func(r *build.Request) { r.Secrets = map[string][]byte{"big": make([]byte, 1<<20)} }, "secret big: 1048576 bytes"},
		{"source not pinned", func(r *build.Request) { r.Sources = append(r.Sources, build.Source{Kind: "image", Ref: "debian:12"}) }, `source "debian:12"`},
		{"unknown kind of source", func(r *build.Request) { r.Sources = append(r.Sources, build.Source{Kind: "ftp", Ref: "x"}) }, `kind "ftp"`},
		{"context with a device", func(r *build.Request) { r.Context = os.DirFS("/dev") }, "build context: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := s.request(t, build.Request{Dockerfile: fmt.Appendf(nil, "FROM %s\nRUN true\n", s.base.Ref)})
			parent := filepath.Dir(req.Layout)
			tt.change(&req)
			_, err := s.builder.Build(t.Context(), req)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error that says %q", err, tt.want)
			}
			assertFiles(t, parent)
		})
	}
}

// assertFiles checks what is in a directory.
func assertFiles(t testing.TB, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files in the directory (-want +got):\n%s", diff)
	}
}
