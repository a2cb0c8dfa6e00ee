package source

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/gitignore"
)

// workFS is a work tree as committing all of it would make it: without .git and what git ignores, and with other
// repositories in it as empty directories. Nothing outside of its root can be reached. Open is safe for concurrent use;
// ReadDir is not.
type workFS struct {
	root    *os.Root        // no symbolic link leads out of it; closed when nobody has it any more
	tracked map[string]bool // files in the index and their directories
	always  []gitignore.Pattern
	byDir   map[string][]gitignore.Pattern // from each directory's .gitignore
}

func newWorkFS(root string, tracked map[string]bool, extra []string) (*workFS, error) {
	opened, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	w := &workFS{root: opened, tracked: tracked, byDir: map[string][]gitignore.Pattern{}}
	w.always = parseIgnore(strings.Join(extra, "\n"), nil)
	exclude, _ := opened.ReadFile(".git/info/exclude") // missing in most, and elsewhere in a linked work tree
	w.always = append(w.always, parseIgnore(string(exclude), nil)...)
	return w, nil
}

// Open opens a file.
func (w *workFS) Open(name string) (fs.File, error) { return w.root.Open(name) }

// Lstat describes what is at a path.
func (w *workFS) Lstat(name string) (fs.FileInfo, error) { return w.root.Lstat(name) }

// Stat is Lstat.
func (w *workFS) Stat(name string) (fs.FileInfo, error) { return w.root.Lstat(name) }

// ReadLink returns where a symbolic link points.
func (w *workFS) ReadLink(name string) (string, error) { return w.root.Readlink(name) }

// ReadDir lists a directory.
func (w *workFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if name != "." && w.repository(name) {
		return nil, nil
	}
	all, err := fs.ReadDir(w.root.FS(), name)
	if err != nil {
		return nil, err
	}
	var list []fs.DirEntry
	for _, e := range all {
		child := path.Join(name, e.Name())
		switch {
		case e.Name() == ".git", !w.tracked[child] && w.ignored(child, e.IsDir()):
		case e.IsDir() && w.repository(child):
			list = append(list, &fileInfo{name: e.Name(), mode: fs.ModeDir | 0o755, submodule: true})
		default:
			list = append(list, e)
		}
	}
	return list, nil
}

// repository says whether a directory is a repository of its own.
func (w *workFS) repository(dir string) bool {
	_, err := w.Lstat(path.Join(dir, ".git"))
	return err == nil
}

// ignored says whether git ignores a path, because of itself or of a directory above it.
func (w *workFS) ignored(name string, isDir bool) bool {
	parts := strings.Split(name, "/")
	patterns := slices.Clip(w.always)
	for i := range parts {
		dir := "."
		if i > 0 {
			dir = path.Join(parts[:i]...)
		}
		patterns = append(patterns, w.patterns(dir)...)
		if gitignore.NewMatcher(patterns).Match(parts[:i+1], isDir || i < len(parts)-1) {
			return true
		}
	}
	return false
}

func (w *workFS) patterns(dir string) []gitignore.Pattern {
	if known, ok := w.byDir[dir]; ok {
		return known
	}
	text, _ := w.root.ReadFile(path.Join(dir, ".gitignore")) // most directories have none
	var domain []string
	if dir != "." {
		domain = strings.Split(dir, "/")
	}
	w.byDir[dir] = parseIgnore(string(text), domain)
	return w.byDir[dir]
}

func parseIgnore(text string, domain []string) []gitignore.Pattern {
	var patterns []gitignore.Pattern
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") {
			patterns = append(patterns, gitignore.ParsePattern(line, domain))
		}
	}
	return patterns
}
