//go:build linux

package embedded_test

import (
	"errors"
	"fmt"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/embedded"
	"github.com/plimsoll-dev/plimsoll/sdk/build/internal/conformance"
)

// TestGitSources adds a repository that is listed, and others that are not.
func TestGitSources(t *testing.T) {
	t.Parallel()
	testenv.NeedsRoot(t)
	git, err := exec.LookPath("git")
	if err != nil {
		testenv.Needs(t, "git", err.Error())
	}
	root := t.TempDir()
	commit := repository(t, git, filepath.Join(root, "tool.git"))
	server := httptest.NewServer(&cgi.Handler{
		Path: git, Args: []string{"http-backend"}, Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"},
	})
	t.Cleanup(server.Close)
	b := start(t, embedded.Options{State: t.TempDir()})
	base := conformance.Userland(t, "1.4.8")
	url := server.URL + "/tool.git#" + commit
	tests := []struct {
		name, add, listed string
		denied            bool
	}{
		{"listed", url, url, false},
		{"listed with a directory", url + ":dir", url + ":dir", false},
		{"listed at another commit", url, server.URL + "/tool.git#main", true},
		{"listed with another directory", url + ":dir", url + ":other", true},
		{"listed with another scheme", url, strings.Replace(url, "http:", "https:", 1), true},
		{"another repository", strings.Replace(url, "tool", "evil", 1), url, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := request(t, base)
			req.Dockerfile = fmt.Appendf(nil, "FROM %s\nADD %s /tool\n", base.Ref, tt.add)
			req.Sources = append(req.Sources, build.Source{Kind: "git", Ref: tt.listed})
			_, err := b.Build(t.Context(), req)
			if errors.Is(err, build.ErrUnlisted) != tt.denied || err != nil && !tt.denied {
				t.Errorf("got %v, want it denied: %t", err, tt.denied)
			}
		})
	}
}

// repository makes a bare repository with one commit and returns that.
func repository(t testing.TB, git, dir string) string {
	t.Helper()
	work := t.TempDir()
	if err := os.MkdirAll(filepath.Join(work, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(work, "dir", "file"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out []byte
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"},
		{"add", "."},
		{"-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "one"},
		{"clone", "-q", "--bare", ".", dir},
		{"-C", dir, "config", "uploadpack.allowAnySHA1InWant", "true"},
		{"rev-parse", "HEAD"},
	} {
		cmd := exec.CommandContext(t.Context(), git, args...)
		cmd.Dir = work
		var err error
		if out, err = cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return strings.TrimSpace(string(out))
}
