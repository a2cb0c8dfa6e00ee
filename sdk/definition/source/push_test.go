package source_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/config"
	"golang.org/x/crypto/ssh"

	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
)

const (
	oldText = "FROM debian:12.8\r\nRUN true\n"
	newText = "FROM debian:12.9\r\nRUN true\n"
)

var robot = source.Author{Name: "Plimsoll", Email: "plimsoll@example.com"}

func change() source.Change {
	return source.Change{
		Path: "services/pay/Dockerfile", Before: []byte(oldText), After: []byte(newText), Branch: "plimsoll/pay",
		Author: robot, Time: commitTime, Message: "Use debian:12.9\n\nCVE-1", SignOff: true,
	}
}

// pushable is a repository whose HTTP server takes pushes.
func pushable(t *testing.T) *repo {
	t.Helper()
	r := newRepo(t)
	r.commit(map[string]string{"services/pay/Dockerfile*": oldText, "services/pay/main.go": "package main\n", "README.md": "hello\n"})
	r.configure(func(c *config.Config) {
		c.Raw.Section("http").SetOption("receivepack", "true")
		c.Raw.Section("uploadpack").SetOption("allowFilter", "true")
	})
	return r
}

// git runs git in the repository.
func (r *repo) git(args ...string) string {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "git", append([]string{"-C", r.dir, "-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *repo) hook(name, script string) {
	r.t.Helper()
	path := filepath.Join(r.dir, ".git", "hooks", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		r.t.Fatal(err)
	}
}

// pushTo is each kind of place that can be pushed to.
func pushTo(t *testing.T, test func(t *testing.T, r *repo, repository string, opts source.Options)) {
	t.Helper()
	t.Run("http", func(t *testing.T) {
		r := pushable(t)
		test(t, r, serve(t, r.dir).URL+"/.git", source.Options{})
	})
	t.Run("ssh", func(t *testing.T) {
		r := pushable(t)
		host, client := newKey(t), newKey(t)
		test(t, r, "ssh://"+serveSSH(t, host, client)+r.dir, source.Options{Auth: source.Auth{
			Signers: func() ([]ssh.Signer, error) { return []ssh.Signer{client}, nil }, HostKey: ssh.FixedHostKey(host.PublicKey()),
		}})
	})
	t.Run("path", func(t *testing.T) {
		r := pushable(t)
		test(t, r, r.dir, source.Options{})
	})
}

func mustPush(t *testing.T, repository string, c source.Change, opts source.Options, want source.PushState) source.Pushed {
	t.Helper()
	got, err := source.Push(t.Context(), repository, c, opts)
	if err != nil {
		t.Fatal(err)
	}
	if got.State != want || got.Branch != c.Branch {
		t.Fatalf("got %+v, want %s", got, want)
	}
	return got
}

func TestPush(t *testing.T) {
	pushTo(t, func(t *testing.T, r *repo, repository string, opts source.Options) {
		got := mustPush(t, repository, change(), opts, source.PushCreated)
		if got.Base != "main" || got.Commit != r.git("rev-parse", "plimsoll/pay") || r.git("rev-parse", "plimsoll/pay^") != r.git("rev-parse", "main") {
			t.Errorf("%+v", got)
		}
		r.git("fsck", "--strict")
		if diff := r.git("diff", "--stat", "--summary", "main", "plimsoll/pay"); strings.Contains(diff, "mode change") || !strings.HasPrefix(diff, "services/pay/Dockerfile | 2 +-\n 1 file changed") {
			t.Errorf("the commit changes more than the file's text:\n%s", diff)
		}
		if text := r.git("cat-file", "blob", "plimsoll/pay:services/pay/Dockerfile"); text != strings.TrimSpace(newText) {
			t.Errorf("%q", text)
		}
		log := r.git("log", "-1", "--format=%an <%ae> %cn <%ce> %cI%n%B", "plimsoll/pay")
		if !strings.HasPrefix(log, "Plimsoll <plimsoll@example.com> Plimsoll <plimsoll@example.com> 2026-03-04T03:06:07+00:00\nUse debian:12.9\n\nCVE-1\n\nPlimsoll-Change: ") ||
			!strings.HasSuffix(log, "\nSigned-off-by: Plimsoll <plimsoll@example.com>") {
			t.Errorf("%s", log)
		}
		if r.git("status", "--porcelain") != "" || r.git("symbolic-ref", "HEAD") != "refs/heads/main" {
			t.Error("work tree or HEAD were touched")
		}

		again := change()
		again.Time = commitTime.Add(time.Hour)
		if same := mustPush(t, repository, again, opts, source.PushUnchanged); same.Commit != got.Commit {
			t.Errorf("%s became %s", got.Commit, same.Commit)
		}
		r.commit(map[string]string{"README.md": "the base moves on\n"})
		mustPush(t, repository, again, opts, source.PushUnchanged)

		again.After = []byte(strings.Replace(newText, "12.9", "12.10", 1))
		updated := mustPush(t, repository, again, opts, source.PushUpdated)
		if r.git("rev-parse", "plimsoll/pay^") != r.git("rev-parse", "main") || updated.Commit == got.Commit {
			t.Error("an update is not one commit on the base")
		}

		// The history that the branch starts from is taken back.
		r.git("checkout", "-q", "--orphan", "fresh")
		r.git("commit", "-q", "-m", "history begins anew")
		r.git("branch", "-f", "main", "fresh")
		r.git("checkout", "-q", "main")
		mustPush(t, repository, again, opts, source.PushUpdated)
		if r.git("rev-parse", "plimsoll/pay^") != r.git("rev-parse", "main") {
			t.Error("the branch still has the history that was taken back")
		}

		r.git("merge", "-q", "plimsoll/pay")
		again.Before = []byte(oldText)
		mustPush(t, repository, again, opts, source.PushMerged)
	})
}

func TestPushLeavesOthersCommitsAlone(t *testing.T) {
	r := pushable(t)
	for name, repository := range map[string]string{"http": serve(t, r.dir).URL + "/.git", "path": r.dir} {
		for what, touch := range map[string]func(){
			"a commit on top":   func() { r.git("commit", "-q", "--allow-empty", "-m", "And a test") },
			"an amended commit": func() { r.git("commit", "-q", "--amend", "--no-edit") },
			"a merge":           func() { r.git("merge", "-q", "--no-ff", "-m", "Merge", "other") },
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				r.git("checkout", "-q", "main")
				r.git("branch", "-f", "other", "HEAD")
				r.git("checkout", "-q", "other")
				r.git("commit", "-q", "--allow-empty", "-m", "other")
				r.git("checkout", "-q", "main")
				mustPush(t, repository, change(), source.Options{}, source.PushCreated)
				r.git("checkout", "-q", "plimsoll/pay")
				touch()
				r.git("checkout", "-q", "main")
				before := r.git("rev-parse", "plimsoll/pay")
				c := change()
				c.After = []byte("FROM debian:13\r\nRUN true\n")
				if got := mustPush(t, repository, c, source.Options{}, source.PushHeld); got.By != "Ada <ada@example.com>" || got.Commit != before {
					t.Errorf("%+v", got)
				}
				if r.git("rev-parse", "plimsoll/pay") != before {
					t.Error("somebody's commit is gone")
				}
				r.git("branch", "-D", "plimsoll/pay", "other")
			})
		}
	}
}

// A branch of this name that people made before is theirs, even without commits of its own.
func TestPushOntoAnEmptyBranch(t *testing.T) {
	r := pushable(t)
	r.git("branch", "plimsoll/pay")
	mustPush(t, serve(t, r.dir).URL+"/.git", change(), source.Options{}, source.PushUpdated)
}

func TestPushFails(t *testing.T) {
	base := (func(*repo))(nil)
	untouched := pushable(t)
	for _, tt := range []struct {
		name  string
		setup func(*repo)
		spoil func(*source.Change)
		is    error
		want  string
	}{
		{"a hook declines", func(r *repo) { r.hook("pre-receive", "echo 'GL-HOOK-ERR: protected branch, ask ops'; exit 1") }, nil, source.ErrRefused, "ask ops"},
		{"the update hook declines", func(r *repo) { r.hook("update", "exit 1") }, nil, source.ErrRefused, "hook declined"},
		{"pushing is off", func(r *repo) {
			r.configure(func(c *config.Config) { c.Raw.Section("http").SetOption("receivepack", "false") })
		}, nil, source.ErrLogin, "pushing needs credentials that may write"},
		{"the file has changed", func(r *repo) { r.commit(map[string]string{"services/pay/Dockerfile": "FROM x\n"}) }, nil, source.ErrBaseChanged, "is not what the change was made for; make it again"},
		{"the file is gone", func(r *repo) { r.git("rm", "-q", "services/pay/Dockerfile"); r.git("commit", "-q", "-m", "x") }, nil, source.ErrBaseChanged, "is not there any more"},
		{"no such base", base, func(c *source.Change) { c.Base = "release" }, nil, `no branch, tag or commit "release"; there is`},
		{"the base itself", base, func(c *source.Change) { c.Branch = "main" }, nil, "main is what HEAD means"},
		{"no branch", base, func(c *source.Change) { c.Branch = "" }, nil, "no name for a branch"},
		{"no name for a branch", base, func(c *source.Change) { c.Branch = "a..b" }, nil, "no name for a branch"},
		{"a path that leads out", base, func(c *source.Change) { c.Path = "../x" }, nil, "is no path in the repository"},
		{"no change", base, func(c *source.Change) { c.After = c.Before }, nil, "changes nothing"},
		{"nobody's", base, func(c *source.Change) { c.Author.Email = "" }, nil, "needs an author"},
		{"a name with a line break", base, func(c *source.Change) { c.Author.Name = "a\nb" }, nil, "needs an author"},
		{"no message", base, func(c *source.Change) { c.Message = " \n" }, nil, "needs a message"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := untouched
			if tt.setup != nil {
				r = pushable(t)
				tt.setup(r)
			}
			c := change()
			if tt.spoil != nil {
				tt.spoil(&c)
			}
			_, err := source.Push(t.Context(), strings.Replace(serve(t, r.dir).URL, "http://", "http://me:hunter2@", 1)+"/.git", c, source.Options{})
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a password is printed: %v", err)
			}
			if refs := r.git("for-each-ref", "refs/heads/plimsoll"); refs != "" {
				t.Errorf("half pushed: %s", refs)
			}
		})
	}
}

// Forced updates can be forbidden; a branch that would need one says so.
func TestPushWhereUpdatesAreForbidden(t *testing.T) {
	r := pushable(t)
	server := serve(t, r.dir)
	mustPush(t, server.URL+"/.git", change(), source.Options{}, source.PushCreated)
	r.configure(func(c *config.Config) { c.Raw.Section("receive").SetOption("denyNonFastForwards", "true") })
	c := change()
	c.After = []byte("FROM debian:13\r\nRUN true\n")
	_, err := source.Push(t.Context(), server.URL+"/.git", c, source.Options{})
	if !errors.Is(err, source.ErrRefused) || !strings.Contains(err.Error(), "non-fast-forward") {
		t.Error(err)
	}
}

// Between the look at the branch and the push somebody else commits to it: that commit stays.
func TestPushRace(t *testing.T) {
	for _, existing := range []bool{false, true} {
		r := pushable(t)
		server := serve(t, r.dir)
		c := change()
		if existing {
			mustPush(t, server.URL+"/.git", c, source.Options{}, source.PushCreated)
			c.After = []byte("FROM debian:13\r\nRUN true\n")
		}
		server.before = func(_ http.ResponseWriter, req *http.Request) bool {
			if strings.HasSuffix(req.URL.Path, "/git-receive-pack") && req.Method == http.MethodPost {
				r.git("branch", "-f", "plimsoll/pay", "main")
			}
			return false
		}
		_, err := source.Push(t.Context(), server.URL+"/.git", c, source.Options{})
		if !errors.Is(err, source.ErrRace) {
			t.Errorf("existing %v: %v", existing, err)
		}
		if r.git("rev-parse", "plimsoll/pay") != r.git("rev-parse", "main") {
			t.Error("somebody's commit is gone")
		}
	}
}

func TestPushIsCancelled(t *testing.T) {
	r := pushable(t)
	server := serve(t, r.dir)
	ctx, cancel := context.WithCancel(t.Context())
	server.before = func(_ http.ResponseWriter, req *http.Request) bool {
		if strings.HasSuffix(req.URL.Path, "/git-receive-pack") {
			_, _ = io.Copy(io.Discard, req.Body) // from then on the server sees that the client went away
			cancel()
			<-req.Context().Done()
			return true
		}
		return false
	}
	if _, err := source.Push(ctx, server.URL+"/.git", change(), source.Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if refs := r.git("for-each-ref", "refs/heads/plimsoll"); refs != "" {
		t.Errorf("half pushed: %s", refs)
	}
}
