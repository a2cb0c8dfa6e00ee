// Package inside says which paths that a definition names stay in its repository.
package inside

import (
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/dfgitutil"
)

// Foreign says whether a path is none in a repository: absolute, of a scheme, or remote.
func Foreign(p string) bool {
	remote, isGit, _ := dfgitutil.ParseGitRef(p)
	isGit = isGit && (remote == nil || !remote.IndistinguishableFromLocal)
	return p == "-" || path.IsAbs(p) || strings.Contains(p, ":") || strings.HasPrefix(p, "~") || strings.Contains(p, `\`) || isGit
}

// Join is a path that starts from a directory of the repository, and whether it leads out of it.
func Join(dir, p string) (joined string, out bool) {
	joined = path.Join(dir, p)
	return joined, joined == ".." || strings.HasPrefix(joined, "../")
}

// Redact hides a password in a URL.
func Redact(value string) string {
	if scheme, rest, ok := strings.Cut(value, "://"); ok {
		if _, host, ok := strings.Cut(rest, "@"); ok {
			return scheme + "://" + host
		}
	}
	return value
}
