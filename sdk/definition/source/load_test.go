package source_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-git/go-git/v5/config"
	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
)

func TestLoadRefs(t *testing.T) {
	r := newRepo(t)
	first := r.commit(map[string]string{"Dockerfile": "FROM first\n"})
	second := r.commit(map[string]string{"Dockerfile": "FROM second\n"})
	third := r.commit(map[string]string{"Dockerfile": "FROM third\n"})
	r.ref("refs/heads/release/1.0", first)
	r.ref("refs/tags/light", second)
	r.tag("v1", first)
	r.ref("refs/remotes/origin/other", second)
	r.ref("refs/heads/twice", first)
	r.ref("refs/tags/twice", second)
	r.ref("refs/heads/"+first, third) // a branch can't take a commit's name from it
	r.ref("refs/heads/same", first)
	r.ref("refs/tags/same", first)
	tests := []struct{ name, ref, want string }{
		{"HEAD by default", "", third},
		{"HEAD", "HEAD", third},
		{"branch", "main", third},
		{"branch with slash", "release/1.0", first},
		{"full name", "refs/heads/release/1.0", first},
		{"light tag", "light", second},
		{"annotated tag", "v1", first},
		{"remote branch", "origin/other", second},
		{"whole id", first, first},
		{"short id", second[:9], second},
		{"short id of odd length", second[:10], second},
		{"branch and tag at one commit", "same", first},
		{"full name of one of two", "refs/tags/twice", second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, err := source.Load(t.Context(), r.dir, test.ref, source.Options{})
			if err != nil {
				t.Fatal(err)
			}
			want := definition.Source{
				Repository: r.dir, Ref: test.ref, Commit: test.want, CommitTime: commitTime.UTC(),
				Directory: ".", Dockerfile: "Dockerfile",
			}
			if diff := cmp.Diff(want, d.Source); diff != "" {
				t.Errorf("source (-want +got):\n%s", diff)
			}
		})
	}
	failures := []struct{ name, ref, want string }{
		{"branch and tag", "twice", r.dir + ` at twice: ref "twice" is ambiguous: it can mean refs/heads/twice or refs/tags/twice; give the full name or id`},
		{"no such branch", "nope", r.dir + ` at nope: no branch, tag or commit "nope"; there is ` + first + `, main, release/1.0, same, twice, light, same, twice, v1`},
		{"no such commit", strings.Repeat("0", 40), r.dir + " at " + strings.Repeat("0", 40) + `: no branch, tag or commit "` + strings.Repeat("0", 40) + `"; there is ` + first + `, main, release/1.0, same, twice, light, same, twice, v1`},
		{"revision syntax", "HEAD~1", r.dir + ` at HEAD~1: no branch, tag or commit "HEAD~1"; there is ` + first + `, main, release/1.0, same, twice, light, same, twice, v1`},
		{"path", "../config", r.dir + ` at ../config: no branch, tag or commit "../config"; there is ` + first + `, main, release/1.0, same, twice, light, same, twice, v1`},
	}
	for _, test := range failures {
		t.Run(test.name, func(t *testing.T) {
			_, err := source.Load(t.Context(), r.dir, test.ref, source.Options{})
			if _, ok := errors.AsType[*source.RefError](err); !ok {
				t.Fatalf("error is %v, want a RefError", err)
			}
			if err.Error() != test.want {
				t.Errorf("error is\n%s, want\n%s", err, test.want)
			}
		})
	}
}

func TestLoadRepositories(t *testing.T) {
	r := newRepo(t)
	r.commit(map[string]string{"Dockerfile": "FROM a\n", "sub/x": ""})
	empty := newRepo(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, repository string
		err              error
		want             string
	}{
		{"file URL", "file://" + r.dir, nil, ""},
		{"dot git", filepath.Join(r.dir, ".git"), nil, ""},
		{"nothing there", "/no/such/place", source.ErrNoRepository, "/no/such/place: no git repository there: stat /no/such/place: no such file or directory"},
		{"file URL to nothing", "file:///no/such/place", source.ErrNoRepository, "file:///no/such/place: no git repository there: stat /no/such/place: no such file or directory"},
		{"a file", file, source.ErrNoRepository, ""},
		{"directory without repository", t.TempDir(), source.ErrNoRepository, ""},
		{"inside of a repository", filepath.Join(r.dir, "sub"), source.ErrNoRepository, filepath.Join(r.dir, "sub") + ": no git repository there: it lies inside of " + r.dir + "; load that, with Dir"},
		{"no commit", empty.dir, source.ErrEmptyRepository, empty.dir + ": repository has no commit"},
		{"no name", "", nil, "repository: neither path nor URL is given"},
		{"git scheme", "git://user:secret@example.com/x", source.ErrInsecure, `git://example.com/x: connection would not be protected: scheme "git"; use https, ssh, file or a path`},
		{"broken URL with password", "https://user:sec/ret@example.com/x", nil, `https://example.com/x: not a URL: invalid port ":sec" after host`},
		{"plain http", "http://user:secret@example.com/x", source.ErrInsecure, "http://example.com/x: connection would not be protected: plain http to example.com; use https"},
		{"ssh without a key", "git@example.com:team/app", source.ErrLogin, "git@example.com:team/app: login was refused: SSH needs a key (Auth.Signers)"},
		{"URL without path", "https://example.com", nil, "https://example.com: the URL needs a host and a path"},
		{"remote file URL", "file://host/x", nil, `file://host/x: a file URL can't name the host "host"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := source.Load(t.Context(), test.repository, "", source.Options{})
			if test.err != nil && !errors.Is(err, test.err) {
				t.Fatalf("error is %v, want %v", err, test.err)
			}
			if test.want != "" && (err == nil || err.Error() != test.want) {
				t.Errorf("error is\n%v, want\n%s", err, test.want)
			}
			if test.want == "" && test.err == nil && err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLoadDockerfile(t *testing.T) {
	r := newRepo(t)
	r.write(map[string]string{
		"Dockerfile": "FROM root\n", "app/Dockerfile": "FROM app\n", "app/prod.Dockerfile": "FROM prod\n",
		"app/Dockerfile.dev": "FROM dev\n", "docker/x.Dockerfile": "FROM x\n", "none/README": "", "bad/Dockerfile": "FROM a\nFRMO b\n",
		"huge/Dockerfile": "FROM a\n" + strings.Repeat("# 1234\n", 1<<18), "empty/Dockerfile": "", "dir/Dockerfile/x": "",
	})
	r.link("../app/Dockerfile", "docker/linked")
	r.link("/etc/passwd", "docker/absolute")
	r.link("../../outside", "docker/outside")
	r.link("loop", "loop")
	r.link("app", "same")
	r.commit(nil)
	tests := []struct{ name, dir, dockerfile, want, file string }{
		{"default", "", "", "root", "Dockerfile"},
		{"directory", "app", "", "app", "app/Dockerfile"},
		{"odd spelling", "./app/../app/", "./Dockerfile", "app", "app/Dockerfile"},
		{"other name", "app", "prod.Dockerfile", "prod", "app/prod.Dockerfile"},
		{"outside of the context", "app", "../docker/x.Dockerfile", "x", "docker/x.Dockerfile"},
		{"symbolic link", "docker", "linked", "app", "app/Dockerfile"},
		{"directory by symbolic link", "same", "", "app", "app/Dockerfile"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, err := source.Load(t.Context(), r.dir, "", source.Options{Dir: test.dir, Dockerfile: test.dockerfile})
			if err != nil {
				t.Fatal(err)
			}
			if got := d.File.Stages[0].Base.Text; got != test.want || d.File.Name != test.file {
				t.Errorf("got FROM %s in %s, want FROM %s in %s", got, d.File.Name, test.want, test.file)
			}
		})
	}
	failures := []struct {
		name, dir, dockerfile string
		err                   error
		want                  string
	}{
		{"no directory", "nope", "", source.ErrNoDirectory, "nope: no such directory at that commit"},
		{"directory is a file", "Dockerfile", "", source.ErrNoDirectory, "Dockerfile: no such directory at that commit"},
		{"directory climbs out", "../x", "", source.ErrOutside, "../x: leads out of the repository"},
		{"absolute directory", "/etc", "", source.ErrOutside, "/etc: leads out of the repository"},
		{"Dockerfile climbs out", "app", "../../x", source.ErrOutside, "app/../../x: leads out of the repository"},
		{"absolute Dockerfile", "app", "/etc/passwd", source.ErrOutside, "/etc/passwd: leads out of the repository"},
		{"symbolic link to an absolute path", "docker", "absolute", source.ErrOutside, "docker/absolute: symbolic link to /etc/passwd: leads out of the repository"},
		{"symbolic link out", "docker", "outside", source.ErrOutside, "docker/outside: leads out of the repository"},
		{"symbolic link to itself", "", "loop", nil, "open loop: more than 40 symbolic links"},
		{"no Dockerfile", "none", "", nil, "no Dockerfile at none/Dockerfile"},
		{"other names", "app", "nope", nil, "no Dockerfile at app/nope; did you mean app/Dockerfile, app/Dockerfile.dev, app/prod.Dockerfile?"},
		{"Dockerfile is a directory", "dir", "", nil, "no Dockerfile at dir/Dockerfile"},
	}
	for _, test := range failures {
		t.Run(test.name, func(t *testing.T) {
			_, err := source.Load(t.Context(), r.dir, "", source.Options{Dir: test.dir, Dockerfile: test.dockerfile})
			if !errors.Is(err, test.err) && test.err != nil {
				t.Errorf("error is %v, want %v", err, test.err)
			}
			if want := r.dir + ": " + test.want; err == nil || err.Error() != want {
				t.Errorf("error is\n%v, want\n%s", err, want)
			}
		})
	}
	for dir, want := range map[string]string{
		"bad":   "bad/Dockerfile:2:1: unknown instruction: FRMO (did you mean FROM?)",
		"huge":  "huge/Dockerfile: file is too large: 1835015 bytes, the limit is 1048576",
		"empty": "empty/Dockerfile: a Dockerfile needs at least one FROM: the file is empty",
	} {
		_, err := source.Load(t.Context(), r.dir, "", source.Options{Dir: dir})
		var syntax *definition.SyntaxError
		if !errors.As(err, &syntax) || err.Error() != want {
			t.Errorf("error is\n%v, want\n%s", err, want)
		}
	}
}

func TestContext(t *testing.T) {
	r := newRepo(t)
	r.write(map[string]string{
		"app/Dockerfile": "FROM a\n", "app/run.sh*": "#!/bin/sh\n", "app/src/main.go": "package main\n", "app/src-2/x": "", "app/src.go": "",
		"app/.dockerignore": "*.md\ndocs\n!docs/keep\n**/*.tmp\n", "app/README.md": "", "app/docs/drop": "", "app/docs/keep/this": "",
		"app/docs/keep/x.tmp": "", "app/deep/er/y.tmp": "", "other/file": "",
	})
	r.link("src/main.go", "app/link")
	r.link("../../../etc", "app/out")
	r.commit(nil)
	d, err := source.Load(t.Context(), r.dir, "", source.Options{Dir: "app"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"drwxr-xr-x . 0", "-rw-r--r-- .dockerignore 30", "-rw-r--r-- Dockerfile 7", "drwxr-xr-x deep 0", "drwxr-xr-x deep/er 0",
		"drwxr-xr-x docs 0", "drwxr-xr-x docs/keep 0", "-rw-r--r-- docs/keep/this 0", "Lrwxrwxrwx link 11", "Lrwxrwxrwx out 12",
		"-rwxr-xr-x run.sh 10", "drwxr-xr-x src 0", "-rw-r--r-- src/main.go 13", "drwxr-xr-x src-2 0", "-rw-r--r-- src-2/x 0", "-rw-r--r-- src.go 0",
	}
	if diff := cmp.Diff(want, list(t, d.Context)); diff != "" {
		t.Errorf("context (-want +got):\n%s", diff)
	}
	if err := fstest.TestFS(d.Context, "Dockerfile", "src/main.go", "link"); err != nil {
		t.Error(err)
	}
	if got, err := fs.ReadLink(d.Context, "out"); got != "../../../etc" || err != nil {
		t.Errorf("link is %q, %v", got, err)
	}
	if got, err := fs.ReadFile(d.Context, "run.sh"); string(got) != "#!/bin/sh\n" || err != nil {
		t.Errorf("content is %q, %v", got, err)
	}
	if _, err := fs.ReadFile(d.Context, "link"); err == nil {
		t.Error("a symbolic link was followed")
	}
	if _, err := fs.ReadFile(d.Context, "out/passwd"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v, want %v", err, fs.ErrNotExist)
	}
}

// list prints a context, and fails for an entry that does not have the commit's time.
func list(t *testing.T, fsys fs.FS) []string {
	t.Helper()
	var entries []string
	err := fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if !info.ModTime().Equal(commitTime) {
			t.Errorf("%s is of %v", name, info.ModTime())
		}
		entries = append(entries, fmt.Sprintf("%v %s %d", info.Mode(), name, info.Size()))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func TestDockerignoreOfTheDockerfile(t *testing.T) {
	r := newRepo(t)
	r.commit(map[string]string{
		"Dockerfile": "FROM a\n", "dev.Dockerfile": "FROM a\n", "a": "", "b": "",
		".dockerignore": "a\n", "dev.Dockerfile.dockerignore": "\xef\xbb\xbf# comment\r\n/b\r\n*ocker*\r\n",
	})
	for dockerfile, want := range map[string]string{"Dockerfile": "b", "dev.Dockerfile": "a"} {
		d, err := source.Load(t.Context(), r.dir, "", source.Options{Dockerfile: dockerfile})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, name := range []string{"a", "b"} {
			if _, err := fs.Stat(d.Context, name); err == nil {
				got = append(got, name)
			}
		}
		if diff := cmp.Diff([]string{want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", dockerfile, diff)
		}
	}
	r.commit(map[string]string{".dockerignore": "[\n"})
	_, err := source.Load(t.Context(), r.dir, "", source.Options{})
	if want := r.dir + ": .dockerignore: syntax error in pattern"; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

func TestLimits(t *testing.T) {
	r := newRepo(t)
	r.commit(map[string]string{"Dockerfile": "FROM a\n", "big": strings.Repeat("x", 100), "big2": strings.Repeat("x", 100), "d/e/f": "x"})
	tests := []struct {
		name string
		opts source.Options
		want string
	}{
		{"files", source.Options{MaxFiles: 3}, ".: 4 is over the limit MaxFiles of 3"},
		{"bytes", source.Options{MaxBytes: 150}, ".: 207 is over the limit MaxBytes of 150"},
		{"one file", source.Options{MaxFile: 99}, "big: 100 is over the limit MaxFile of 99"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := source.Load(t.Context(), r.dir, "", test.opts)
			var limit *source.LimitError
			if want := r.dir + ": " + test.want; !errors.As(err, &limit) || err.Error() != want {
				t.Errorf("error is\n%v, want\n%s", err, want)
			}
		})
	}
	if _, err := source.Load(t.Context(), r.dir, "", source.Options{MaxFiles: 6, MaxBytes: 208, MaxFile: 100}); err != nil {
		t.Errorf("at the limits: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := source.Load(ctx, r.dir, "", source.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want %v", err, context.Canceled)
	}
}

func TestDirty(t *testing.T) {
	start := map[string]string{
		"app/Dockerfile": "FROM a\n", "app/main.go": "one\n", "app/gone": "", "other/file": "", "app/run*": "", "app/crlf": "a\nb\n",
		".gitignore": "*.log\n!keep.log\n/app/build/\n", "app/.gitignore": "secret\n", "app/forced.log": "",
	}
	tests := []struct {
		name   string
		change func(r *repo)
		want   []string
		read   string // of app/main.go
	}{
		{"nothing", func(*repo) {}, nil, "one\n"},
		{"changed", func(r *repo) { r.write(map[string]string{"app/main.go": "two\n"}) }, []string{"app/main.go"}, "two\n"},
		{"elsewhere", func(r *repo) { r.write(map[string]string{"other/file": "x", "new": ""}) }, nil, "one\n"},
		{"deleted", func(r *repo) { r.remove("app/gone") }, []string{"app/gone"}, "one\n"},
		{"new", func(r *repo) { r.write(map[string]string{"app/new/file": ""}) }, []string{"app/new/file"}, "one\n"},
		{"ignored", func(r *repo) {
			r.write(map[string]string{"app/x.log": "", "app/build/out": "", "app/secret": "", "app/build/deep/keep.log": ""})
		}, nil, "one\n"},
		{"not ignored after all", func(r *repo) { r.write(map[string]string{"app/keep.log": ""}) }, []string{"app/keep.log"}, "one\n"},
		{"tracked though ignored", func(r *repo) { r.write(map[string]string{"app/forced.log": "x"}) }, []string{"app/forced.log"}, "one\n"},
		{"mode", func(r *repo) { r.chmod("app/run", 0o644) }, []string{"app/run"}, "one\n"},
		{"mode where it means nothing", func(r *repo) {
			r.configure(func(c *config.Config) { c.Raw.Section("core").SetOption("filemode", "false") })
			r.chmod("app/run", 0o644)
		}, nil, "one\n"},
		{"file became a link", func(r *repo) { r.remove("app/gone"); r.link("run", "app/gone") }, []string{"app/gone"}, "one\n"},
		{"line endings", func(r *repo) { r.write(map[string]string{"app/crlf": "a\r\nb\r\n"}) }, nil, "one\n"},
		{"same size", func(r *repo) { r.write(map[string]string{"app/main.go": "0ne\n"}) }, []string{"app/main.go"}, "0ne\n"},
		{"same size and time, so that git's index vouches for it", func(r *repo) {
			info, err := os.Stat(filepath.Join(r.dir, "app/main.go"))
			if err != nil {
				r.t.Fatal(err)
			}
			r.write(map[string]string{"app/main.go": "0ne\n"})
			if err := os.Chtimes(filepath.Join(r.dir, "app/main.go"), time.Time{}, info.ModTime()); err != nil {
				r.t.Fatal(err)
			}
		}, nil, "one\n"},
		{"named by the caller", func(r *repo) { r.write(map[string]string{"app/.DS_Store": ""}) }, nil, "one\n"},
		{"Dockerfile", func(r *repo) { r.write(map[string]string{"app/Dockerfile": "FROM b\n"}) }, []string{"app/Dockerfile"}, "one\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRepo(t)
			r.configure(func(c *config.Config) { c.Core.IsBare = false })
			r.force("app/forced.log", start)
			head := r.commit(nil)
			test.change(r)
			opts := source.Options{Dir: "app", Ignore: []string{".DS_Store"}}
			_, err := source.Load(t.Context(), r.dir, "", opts)
			var dirty *source.DirtyError
			errors.As(err, &dirty)
			var files []string
			if dirty != nil {
				files = dirty.Files
			} else if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, files); diff != "" {
				t.Errorf("changed files (-want +got):\n%s", diff)
			}
			if _, err := source.Load(t.Context(), r.dir, "main", opts); err != nil {
				t.Errorf("a named branch: %v", err)
			}
			if _, err := source.Load(t.Context(), "file://"+r.dir, "", opts); err != nil {
				t.Errorf("a file URL: %v", err)
			}
			opts.AllowDirty = true
			d, err := source.Load(t.Context(), r.dir, "HEAD", opts)
			if err != nil {
				t.Fatal(err)
			}
			if d.Source.Dirty != (test.want != nil) || d.Source.Commit != head {
				t.Errorf("source is %+v", d.Source)
			}
			if got, err := fs.ReadFile(d.Context, "main.go"); string(got) != test.read || err != nil {
				t.Errorf("main.go is %q, %v; want %q", got, err, test.read)
			}
			for _, name := range []string{"x.log", "build", "secret", ".git"} {
				if _, err := fs.Stat(d.Context, name); err == nil {
					t.Errorf("%s is in the context", name)
				}
			}
			if err := fstest.TestFS(d.Context, "main.go", "forced.log"); err != nil {
				t.Error(err)
			}
			list(t, d.Context)
		})
	}
}

func (r *repo) remove(name string) {
	r.t.Helper()
	if err := os.Remove(filepath.Join(r.dir, name)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repo) chmod(name string, mode os.FileMode) {
	r.t.Helper()
	if err := os.Chmod(filepath.Join(r.dir, name), mode); err != nil {
		r.t.Fatal(err)
	}
}

// force commits files, one of which git ignores, a while ago: git's index then vouches for them.
func (r *repo) force(ignored string, files map[string]string) {
	r.t.Helper()
	r.write(files)
	for name := range files {
		path := filepath.Join(r.dir, strings.TrimSuffix(name, "*"))
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
			r.t.Fatal(err)
		}
	}
	w, err := r.Worktree()
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := w.Add(ignored); err != nil {
		r.t.Fatal(err)
	}
	r.commit(nil)
}

func TestLoadFS(t *testing.T) {
	files := fstest.MapFS{
		"app/Dockerfile": {Data: []byte("FROM a\nCOPY x /\n"), Mode: 0o600}, "app/x": {Data: []byte("x"), Mode: 0o777},
		"app/y":     {Data: []byte("x"), Mode: fs.ModeSymlink},
		".git/HEAD": {Data: []byte("ref: x")},
	}
	origin := definition.Source{Repository: "https://user:secret@example.com/app", Ref: "main", Commit: "claimed", CommitTime: commitTime}
	d, err := source.LoadFS(t.Context(), files, origin, source.Options{Dir: "app"})
	if err != nil {
		t.Fatal(err)
	}
	want := definition.Source{
		Repository: "https://example.com/app", Ref: "main", CommitTime: commitTime,
		Directory: "app", Dockerfile: "app/Dockerfile", Dirty: true,
	}
	if diff := cmp.Diff(want, d.Source); diff != "" {
		t.Errorf("source (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"drwxr-xr-x . 0", "-rw-r--r-- Dockerfile 16", "-rwxr-xr-x x 1", "Lrwxrwxrwx y 1"}, list(t, d.Context)); diff != "" {
		t.Errorf("context (-want +got):\n%s", diff)
	}
	if err := fstest.TestFS(d.Context, "x"); err != nil {
		t.Error(err)
	}
	root, err := source.LoadFS(t.Context(), files, origin, source.Options{Dockerfile: "app/Dockerfile"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.Stat(root.Context, ".git"); err == nil {
		t.Error(".git is in the context")
	}
	rewritten, err := d.WithDockerfile([]byte("FROM b\n"))
	if err != nil {
		t.Fatal(err)
	}
	if rewritten.File.Stages[0].Base.Text != "b" || d.File.Stages[0].Base.Text != "a" || rewritten.Context != d.Context {
		t.Error("WithDockerfile changed more or less than the file")
	}
	if _, err := d.WithDockerfile([]byte("FROM")); err == nil || err.Error() != "app/Dockerfile:1:1: FROM requires either one or three arguments" {
		t.Errorf("error is %v", err)
	}
}
