package source_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

var commitTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("", 2*60*60))

// repo is a repository on disk that a test fills.
type repo struct {
	t *testing.T
	*git.Repository
	dir string
}

func newRepo(t *testing.T) *repo {
	t.Helper()
	dir := t.TempDir()
	r, err := git.PlainInitWithOptions(dir, &git.PlainInitOptions{InitOptions: git.InitOptions{DefaultBranch: "refs/heads/main"}})
	if err != nil {
		t.Fatal(err)
	}
	return &repo{t, r, dir}
}

// write makes files; a name that ends in "*" is executable.
func (r *repo) write(files map[string]string) {
	r.t.Helper()
	for name, content := range files {
		mode := os.FileMode(0o644)
		if name[len(name)-1] == '*' {
			name, mode = name[:len(name)-1], 0o755
		}
		path := filepath.Join(r.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *repo) link(target, name string) {
	r.t.Helper()
	if err := os.Symlink(target, filepath.Join(r.dir, name)); err != nil {
		r.t.Fatal(err)
	}
}

// commit writes files and commits everything; it returns the commit's id.
func (r *repo) commit(files map[string]string) string {
	r.t.Helper()
	r.write(files)
	w, err := r.Worktree()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := w.AddWithOptions(&git.AddOptions{All: true}); err != nil {
		r.t.Fatal(err)
	}
	r.fixLinks()
	return r.record()
}

// record commits the index.
func (r *repo) record() string {
	r.t.Helper()
	w, err := r.Worktree()
	if err != nil {
		r.t.Fatal(err)
	}
	who := &object.Signature{Name: "Dev", Email: "dev@example.com", When: commitTime}
	id, err := w.Commit("change", &git.CommitOptions{Author: who, Committer: who, AllowEmptyCommits: true})
	if err != nil {
		r.t.Fatal(err)
	}
	return id.String()
}

// fixLinks puts symbolic links into the index as they are; go-git cuts absolute ones.
func (r *repo) fixLinks() {
	r.t.Helper()
	idx, err := r.Storer.Index()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range idx.Entries {
		if e.Mode != filemode.Symlink {
			continue
		}
		target, err := os.Readlink(filepath.Join(r.dir, e.Name))
		if err != nil {
			r.t.Fatal(err)
		}
		e.Hash = r.blob(target)
	}
	if err := r.Storer.SetIndex(idx); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repo) blob(content string) plumbing.Hash {
	r.t.Helper()
	return r.object(plumbing.BlobObject, content)
}

func (r *repo) object(kind plumbing.ObjectType, content string) plumbing.Hash {
	r.t.Helper()
	o := &plumbing.MemoryObject{}
	o.SetType(kind)
	if _, err := o.Write([]byte(content)); err != nil {
		r.t.Fatal(err)
	}
	id, err := r.Storer.SetEncodedObject(o)
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

func (r *repo) ref(name, id string) {
	r.t.Helper()
	if err := r.Storer.SetReference(plumbing.NewReferenceFromStrings(name, id)); err != nil {
		r.t.Fatal(err)
	}
}

// tag makes an annotated tag.
func (r *repo) tag(name, id string) {
	r.t.Helper()
	_, err := r.CreateTag(name, plumbing.NewHash(id), &git.CreateTagOptions{
		Message: name, Tagger: &object.Signature{Name: "Dev", Email: "dev@example.com", When: commitTime},
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *repo) configure(change func(*config.Config)) {
	r.t.Helper()
	c, err := r.Config()
	if err != nil {
		r.t.Fatal(err)
	}
	change(c)
	if err := r.SetConfig(c); err != nil {
		r.t.Fatal(err)
	}
}
