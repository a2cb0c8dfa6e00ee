package source_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
)

// runGit runs the real git, without the machine's configuration.
func runGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("git")
	if err != nil {
		t.Skip("needs git:", err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "HOME="+t.TempDir(),
		"GIT_AUTHOR_NAME=Dev", "GIT_AUTHOR_EMAIL=dev@example.com", "GIT_COMMITTER_NAME=Dev", "GIT_COMMITTER_EMAIL=dev@example.com",
		"GIT_COMMITTER_DATE="+commitTime.Format("2006-01-02T15:04:05Z07:00"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestRepositoriesOfGit loads repositories in the shapes that git gives them.
func TestRepositoriesOfGit(t *testing.T) {
	origin := filepath.Join(t.TempDir(), "origin")
	runGit(t, "", "init", "-q", "-b", "main", origin)
	for _, base := range []string{"one", "two"} {
		content := "FROM " + base + "\n" + strings.Repeat("RUN true\n", 500)
		if err := os.WriteFile(filepath.Join(origin, "Dockerfile"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		runGit(t, origin, "add", "-A")
		runGit(t, origin, "commit", "-qm", base)
	}
	runGit(t, origin, "tag", "-a", "-m", "x", "v1")
	shapes := map[string][]string{
		"packed":        {"gc", "-q"},
		"bare":          {"clone", "-q", "--bare", ".", "$DIR"},
		"shared":        {"clone", "-q", "--shared", ".", "$DIR"},
		"shallow":       {"clone", "-q", "--depth", "1", "file://" + origin, "$DIR"},
		"linked":        {"worktree", "add", "-q", "$DIR", "HEAD~0"},
		"autocrlf":      {"clone", "-q", "-c", "core.autocrlf=true", ".", "$DIR"},
		"separate":      {"clone", "-q", "--separate-git-dir", filepath.Join(t.TempDir(), "elsewhere"), ".", "$DIR"},
		"sparse":        {"clone", "-q", "--sparse", ".", "$DIR"},
		"index version": {"-c", "index.version=4", "clone", "-q", ".", "$DIR"},
	}
	for name, args := range shapes {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "x")
			for i, a := range args {
				args[i] = strings.ReplaceAll(a, "$DIR", dir)
			}
			runGit(t, origin, args...)
			if name == "packed" {
				dir = origin
			}
			for _, ref := range []string{"", "v1", runGit(t, origin, "rev-parse", "--short=6", "HEAD")} {
				d, err := source.Load(t.Context(), dir, ref, source.Options{})
				if err != nil {
					t.Errorf("%q: %v", ref, err)
					continue
				}
				content, err := fs.ReadFile(d.Context, "Dockerfile")
				if got := d.File.Stages[0].Base.Text; got != "two" || len(content) != 4509 || err != nil {
					t.Errorf("%q: FROM %s, Dockerfile of %d bytes, %v", ref, got, len(content), err)
				}
			}
		})
	}
	t.Run("SHA-256", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "x")
		runGit(t, "", "init", "-q", "--object-format=sha256", dir)
		runGit(t, dir, "commit", "--allow-empty", "-qm", "x")
		_, err := source.Load(t.Context(), dir, "", source.Options{})
		if err == nil || !strings.Contains(err.Error(), "objectformat") {
			t.Errorf("error is %v, want one about objectformat", err)
		}
	})
}

// TestDirtyAsGit asks git itself whether a work tree is clean.
func TestDirtyAsGit(t *testing.T) {
	dir := t.TempDir()
	runGit(t, dir, "init", "-q", "-b", "main")
	write := func(name, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("Dockerfile", "FROM a\n")
	write(".gitignore", "# build\n/out/\n*.o\n!keep.o\ndoc/*.txt\n\\#odd\n**/cache\nspace\\ \n")
	runGit(t, dir, "add", "-A")
	runGit(t, dir, "commit", "-qm", "x")
	for _, name := range []string{
		"out/x", "sub/out/x", "a.o", "sub/b.o", "keep.o", "sub/keep.o", "doc/x.txt", "doc/deep/x.txt", "#odd", "a/b/cache/x",
		"space ", ".git-not", "sub/.gitignore", "new file", "größe",
	} {
		t.Run(name, func(t *testing.T) {
			write(name, "x")
			defer runGit(t, dir, "clean", "-fdxq")
			clean := runGit(t, dir, "status", "--porcelain") == ""
			_, err := source.Load(t.Context(), dir, "", source.Options{})
			if (err == nil) != clean {
				t.Errorf("git says clean: %t; Load says %v", clean, err)
			}
		})
	}
}
