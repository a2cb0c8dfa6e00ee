// Package ci tests the snippets beside it as far as that is possible without the CI systems.
package ci

import (
	"bytes"
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/plimsoll-dev/plimsoll/internal/shop"
	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/callers"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
)

func TestYAML(t *testing.T) {
	for _, name := range []string{"github-actions.yml", "gitlab-ci.yml"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var document map[string]any
		if err := yaml.Load(text, &document); err != nil || len(document) == 0 {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(string(text), "plimsoll request-build") {
			t.Errorf("%s asks for no build", name)
		}
	}
}

func TestCurl(t *testing.T) {
	testenv.NeedsProgram(t, "curl")
	work, err := shop.Open(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer work.Close()
	if _, err := work.Define("a"); err != nil {
		t.Fatal(err)
	}
	commit, err := work.Commit(map[string]string{"evil/Dockerfile": "FROM HOST/base/none:1\n"})
	if err != nil {
		t.Fatal(err)
	}
	token, hash := callers.NewToken()
	log, err := audit.Open(filepath.Join(work.Dir, "audit"), audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	service, err := buildservice.New(t.Context(), buildservice.Options{
		Dir: filepath.Join(work.Dir, "state"), Audit: log, Callers: callers.Static{Tokens: map[string]string{"ci": hash}},
		Projects: []buildservice.Project{{
			Name: "pay", Repository: work.Repository, Publish: work.Server.Ref("pay/{directory}"),
			Grants: []callers.Grant{{Token: "ci", Rights: []callers.Right{callers.Build}}},
		}},
		Delivery: func(context.Context, string) (pipeline.Delivery, error) { return work.Delivery(), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx) }()
	server := httptest.NewServer(service.Handler())
	defer func() {
		server.Close()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = service.Close()
	}()
	run := func(token, dir string) (string, string, error) {
		cmd := exec.CommandContext(t.Context(), "sh", "curl.sh", work.Repository, commit, dir)
		cmd.Env = append(os.Environ(), "SERVICE="+server.URL, "TOKEN="+token)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		err := cmd.Run()
		return out.String(), errs.String(), err
	}
	out, errs, err := run(token, "a")
	if err != nil || !strings.HasPrefix(out, work.Server.Ref("pay/a@sha256:")) || !strings.Contains(errs, "copied 2\n") {
		t.Errorf("a build: %v\n%s\n%s", err, out, errs)
	}
	if out, errs, err := run(token, "evil"); err == nil || out != "" || !strings.Contains(errs, `"state":"failed"`) {
		t.Errorf("one that fails: %v\n%s\n%s", err, out, errs)
	}
	if out, errs, err := run("guess", "a"); err == nil || !strings.Contains(out+errs, "401") {
		t.Errorf("a token that nobody knows: %v\n%s\n%s", err, out, errs)
	}
}
