package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/plimsoll-dev/plimsoll/internal/bench/compare"
	"github.com/plimsoll-dev/plimsoll/internal/testenv"
)

// TestVerdictsAgree gives each assertion of test files for container-structure-test and goss to that tool and, converted, to
// Plimsoll, about one image: both must say the same. The files are those in testdata/agree, and those that
// PLIMSOLL_PEER_SPECS names with a pattern, for example the ones that the two projects ship. A tool that is not in the
// PATH is left out.
func TestVerdictsAgree(t *testing.T) {
	peers := map[string]string{"goss": "goss", "structure-test": "container-structure-test"}
	for tool, name := range peers {
		program, missing := compare.Program(name)
		if missing != "" {
			t.Log(missing)
			delete(peers, tool)
			continue
		}
		peers[tool] = program
	}
	if len(peers) == 0 {
		t.Skip("none of the tools is here")
	}
	testenv.NeedsDocker(t)
	s := newAgreeSubject(t, t.TempDir())
	files, err := filepath.Glob("testdata/agree/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	if pattern := os.Getenv("PLIMSOLL_PEER_SPECS"); pattern != "" {
		more, err := filepath.Glob(pattern)
		if err != nil || len(more) == 0 {
			t.Fatalf("no files match %s: %v", pattern, err)
		}
		files = append(files, more...)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var spec map[string]any
			if err := yaml.Unmarshal(data, &spec); err != nil {
				t.Skip("a template: ", err)
			}
			tool, split := "goss", splitGoss
			if spec["schemaVersion"] != nil {
				tool, split = "structure-test", splitStructureTest
			}
			program := peers[tool]
			if program == "" {
				t.Skip("the tool is not here")
			}
			counts := map[string]int{}
			for name, one := range split(spec) {
				if t.Context().Err() == nil {
					counts[s.agree(t, name, tool, program, one)]++
				}
			}
			t.Log(counts)
			if counts["both"] == 0 && strings.HasPrefix(file, "testdata") {
				t.Error("nothing was compared")
			}
		})
	}
}

func newAgreeSubject(t *testing.T, dir string) *subject {
	t.Helper()
	back, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("../..")
	s, err := newSubject(t.Context(), compare.Env{Dir: dir, Log: os.Stderr}, 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.remove(); err != nil {
			t.Error(err)
		}
	})
	t.Chdir(back)
	return s
}

// splitStructureTest returns files with one test each.
func splitStructureTest(spec map[string]any) map[string]map[string]any {
	files := map[string]map[string]any{}
	for _, section := range []string{"commandTests", "fileExistenceTests", "fileContentTests"} {
		tests, _ := spec[section].([]any)
		for n, test := range tests {
			files[fmt.Sprintf("%s %d", section, n+1)] = map[string]any{
				"schemaVersion": spec["schemaVersion"], "globalEnvVars": spec["globalEnvVars"], section: []any{test},
			}
		}
	}
	metadata, _ := spec["metadataTest"].(map[string]any)
	for key, value := range metadata {
		files["metadataTest "+key] = map[string]any{"schemaVersion": spec["schemaVersion"], "metadataTest": map[string]any{key: value}}
	}
	return files
}

// splitGoss returns files with one resource each.
func splitGoss(spec map[string]any) map[string]map[string]any {
	files := map[string]map[string]any{}
	for kind, value := range spec {
		resources, _ := value.(map[string]any)
		for name, resource := range resources {
			files[kind+" "+name] = map[string]any{kind: map[string]any{name: resource}}
		}
	}
	return files
}

// agree compares the verdicts on one assertion and says what became of it: "both" say the same, "differ", or "not kept" by
// the conversion, which names it.
func (s *subject) agree(t *testing.T, name, tool, program string, spec map[string]any) string {
	t.Helper()
	dir := t.TempDir()
	text, err := yaml.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	file, features := filepath.Join(dir, "spec.yaml"), filepath.Join(dir, "features")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(features, 0o755); err != nil {
		t.Fatal(err)
	}
	convert := exec.CommandContext(t.Context(), s.program, "convert", "--from", tool, file)
	var named strings.Builder
	convert.Stderr = &named
	feature, err := convert.Output()
	if err != nil || !strings.Contains(string(feature), "Scenario") {
		if named.Len() == 0 {
			t.Errorf("%s: neither kept nor named", name)
		}
		return "not kept"
	}
	if err := os.WriteFile(filepath.Join(features, "converted.feature"), feature, 0o644); err != nil {
		t.Fatal(err)
	}
	theirs, theirErr := s.peerVerdict(t.Context(), tool, program, file)
	ours, ourErr := s.run(t.Context(), nil, s.program, "test", "--quiet", "--image", "oci:"+s.layout, "--sandbox", "docker", features)
	if (theirErr == nil) != (ourErr == nil) {
		t.Errorf("%s: %s says %v, Plimsoll %v\n%s\n%s\n%s", name, tool, theirErr == nil, ourErr == nil, text, theirs, ours)
		return "differ"
	}
	return "both"
}

func (s *subject) peerVerdict(ctx context.Context, tool, program, file string) (string, error) {
	if tool == "structure-test" {
		return s.run(ctx, nil, program, "test", "--image", s.tag, "--config", file, "--no-color")
	}
	return s.run(ctx, nil, "docker", "run", "--rm", "-v", program+":/goss:ro", "-v", file+":/goss.yaml:ro", s.tag, "/goss", "-g", "/goss.yaml", "validate")
}
