package source

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// ignore decides which paths of a context BuildKit would leave out.
type ignore struct {
	matcher *patternmatcher.PatternMatcher // nil ignores nothing
}

// readIgnore reads <Dockerfile>.dockerignore if there is one, else the context's .dockerignore, as BuildKit does.
func readIgnore(fsys fs.FS, dockerfile, dir string, limit int64) (ignore, error) {
	for _, name := range []string{dockerfile + ".dockerignore", path.Join(dir, ".dockerignore")} {
		file, err := resolve(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return ignore{}, err
		}
		content, err := readLimited(fsys, file, "MaxDockerfile", limit)
		if err != nil {
			return ignore{}, err
		}
		patterns, err := ignorefile.ReadAll(bytes.NewReader(content))
		if err != nil {
			return ignore{}, fmt.Errorf("%s: %w", name, err)
		}
		if len(patterns) == 0 {
			return ignore{}, nil
		}
		matcher, err := patternmatcher.New(patterns)
		if err != nil {
			return ignore{}, fmt.Errorf("%s: %w", name, err)
		}
		return ignore{matcher}, nil
	}
	return ignore{}, nil
}

// match says whether a path is left out; parent is what match returned for its directory.
func (i ignore) match(name string, parent patternmatcher.MatchInfo) (bool, patternmatcher.MatchInfo, error) {
	if i.matcher == nil {
		return false, parent, nil
	}
	return i.matcher.MatchesUsingParentResults(name, parent)
}

// prunes says whether nothing below a directory that is left out can come back in.
func (i ignore) prunes(dir string) bool {
	if !i.matcher.Exclusions() {
		return true
	}
	for _, p := range i.matcher.Patterns() {
		if !p.Exclusion() {
			continue
		}
		fixed := strings.TrimSuffix(p.String(), "/**")
		if strings.ContainsAny(fixed, `*[]?^\`) || strings.HasPrefix(fixed+"/", dir+"/") {
			return false
		}
	}
	return true
}

// readLimited reads a file that may have at most limit bytes.
func readLimited(fsys fs.FS, name, option string, limit int64) ([]byte, error) {
	info, err := fs.Lstat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errNotRegular}
	}
	if info.Size() > limit {
		return nil, &LimitError{Option: option, Path: name, Limit: limit, Found: info.Size()}
	}
	return fs.ReadFile(fsys, name)
}
