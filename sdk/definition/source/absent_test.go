package source_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/index"
	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
)

const pointer = "version https://git-lfs.github.com/spec/v1\n" +
	"oid sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\nsize 5\n" // "hello"

func TestAbsent(t *testing.T) {
	r := newRepo(t)
	r.write(map[string]string{
		"Dockerfile": "FROM a\n", ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "data/x.bin": pointer,
		"small.txt": "version 1\n", "long.txt": pointer + strings.Repeat("x", 1024),
	})
	r.commit(nil)
	r.submodule("third_party/lib", "1234567890123456789012345678901234567890")

	_, err := source.Load(t.Context(), r.dir, "main", source.Options{})
	want := r.dir + " at main: content is not in the repository: submodule third_party/lib, Git LFS file data/x.bin; exclude it in .dockerignore, or allow it to be absent"
	var absent *source.AbsentError
	if !errors.As(err, &absent) || err.Error() != want {
		t.Errorf("error is\n%v, want\n%s", err, want)
	}

	d, err := source.Load(t.Context(), r.dir, "main", source.Options{AllowAbsent: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&source.AbsentError{Submodules: []string{"third_party/lib"}, LFS: []string{"data/x.bin"}}, d.Absent); diff != "" {
		t.Errorf("absent (-want +got):\n%s", diff)
	}
	if info, err := fs.Stat(d.Context, "third_party/lib"); err != nil || !info.IsDir() {
		t.Errorf("submodule is %v, %v", info, err)
	}
	if err := fstest.TestFS(d.Context, "third_party/lib", "data/x.bin"); err != nil {
		t.Error(err)
	}

	r.write(map[string]string{"data/x.bin": "hello", "third_party/lib/.git": "gitdir: x", "third_party/lib/file": ""})
	if _, err := source.Load(t.Context(), r.dir, "", source.Options{AllowAbsent: true}); err != nil {
		t.Errorf("with the content checked out: %v", err)
	}
	r.write(map[string]string{"data/x.bin": "changed"})
	var dirty *source.DirtyError
	if _, err := source.Load(t.Context(), r.dir, "", source.Options{}); !errors.As(err, &dirty) {
		t.Errorf("with the content changed: %v", err)
	}

	r.write(map[string]string{".dockerignore": "third_party\n**/*.bin\n"})
	r.add(".dockerignore")
	r.record()
	if d, err := source.Load(t.Context(), r.dir, "main", source.Options{}); err != nil || d.Absent != nil {
		t.Errorf("with what is absent excluded: %v", err)
	}
}

func TestPointerWithoutLFS(t *testing.T) {
	r := newRepo(t)
	r.commit(map[string]string{"Dockerfile": "FROM a\n", "spec.txt": pointer})
	if _, err := source.Load(t.Context(), r.dir, "", source.Options{}); err != nil {
		t.Error(err)
	}
}

// submodule commits another repository's commit as a directory.
func (r *repo) submodule(name, commit string) {
	r.t.Helper()
	idx, err := r.Storer.Index()
	if err != nil {
		r.t.Fatal(err)
	}
	idx.Entries = append(idx.Entries, &index.Entry{Name: name, Mode: filemode.Submodule, Hash: plumbing.NewHash(commit)})
	if err := r.Storer.SetIndex(idx); err != nil {
		r.t.Fatal(err)
	}
	r.record()
}

func (r *repo) add(name string) {
	r.t.Helper()
	w, err := r.Worktree()
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := w.Add(name); err != nil {
		r.t.Fatal(err)
	}
}

// TestEvilTrees loads trees that git would refuse to check out.
func TestEvilTrees(t *testing.T) {
	tests := []struct {
		name, want string
		entries    [][2]string
	}{
		{"parent", `".." is no name for a file`, [][2]string{{"100644", ".."}}},
		{"slash", `"a/b" is no name for a file`, [][2]string{{"100644", "a/b"}}},
		{"dot git", `".GIT" is no name for a file`, [][2]string{{"40000", ".GIT"}}},
		{"twice", `two entries are named "a"`, [][2]string{{"100644", "a"}, {"100755", "a"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRepo(t)
			var tree strings.Builder
			content, empty := r.blob("FROM a\n"), r.object(plumbing.TreeObject, "")
			for _, e := range append(test.entries, [2]string{"100644", "Dockerfile"}) {
				id := content
				if e[0] == "40000" {
					id = empty
				}
				tree.WriteString(e[0] + " " + e[1] + "\x00" + string(id[:]))
			}
			treeID := r.object(plumbing.TreeObject, tree.String())
			commit := r.object(plumbing.CommitObject, "tree "+treeID.String()+"\nauthor a <a> 0 +0000\ncommitter a <a> 0 +0000\n\nx\n")
			r.ref("refs/heads/evil", commit.String())
			_, err := source.Load(t.Context(), r.dir, "evil", source.Options{})
			if err == nil || !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("error is %v, want ... %s", err, test.want)
			}
		})
	}
}

// TestTreeBomb loads ten levels of ten directories that are one and the same: 10,000,000,000 files from a few bytes.
func TestTreeBomb(t *testing.T) {
	r := newRepo(t)
	id := r.blob("x")
	mode := "100644"
	for range 10 {
		var tree strings.Builder
		for i := range 10 {
			tree.WriteString(mode + " " + string(rune('a'+i)) + "\x00" + string(id[:]))
		}
		id, mode = r.object(plumbing.TreeObject, tree.String()), "40000"
	}
	file := r.blob("FROM a\n")
	root := r.object(plumbing.TreeObject, "100644 Dockerfile\x00"+string(file[:])+"40000 bomb\x00"+string(id[:]))
	commit := r.object(plumbing.CommitObject, "tree "+root.String()+"\nauthor a <a> 0 +0000\ncommitter a <a> 0 +0000\n\nx\n")
	r.ref("refs/heads/bomb", commit.String())
	_, err := source.Load(t.Context(), r.dir, "bomb", source.Options{MaxFiles: 2000})
	var limit *source.LimitError
	if !errors.As(err, &limit) || limit.Option != "MaxFiles" {
		t.Errorf("error is %v, want MaxFiles", err)
	}
}
