package catalog

import (
	"path"
	"strings"
)

// Project is on whose behalf a plan is made. Exceptions are matched against it.
type Project struct {
	// Repository is the source repository's URL, Directory the definition's path in it.
	Repository string            `json:"repository"`
	Directory  string            `json:"directory,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
}

// projectMatcher is a [Selected] ready for use.
type projectMatcher struct {
	where     string
	group     bool
	path      string
	condition Condition
}

// projectKey makes one text of all the ways to write a repository: https, ssh and scp forms, a ".git" at the end.
func projectKey(where location) string {
	return where.host + strings.TrimSuffix(strings.TrimSuffix(where.path, "/"), ".git")
}

func (m *projectMatcher) matches(p Project) (bool, error) {
	where, err := parseLocation(p.Repository)
	if err != nil {
		return false, nil //nolint:nilerr // a project that has no proper address has no exceptions
	}
	key := projectKey(where)
	if m.group {
		parent, last := cutLast(key)
		if parent != m.where || last == "" {
			return false, nil
		}
	} else if key != m.where {
		return false, nil
	}
	outside := strings.Contains("/"+p.Directory+"/", "/../")
	if outside || !below(path.Clean("/"+p.Directory), path.Clean("/"+m.path)) {
		return false, nil
	}
	if m.condition == nil {
		return true, nil
	}
	return m.condition(p)
}

// cutLast cuts at the last slash; without one there is nothing after it.
func cutLast(s string) (before, after string) {
	if i := strings.LastIndexByte(s, '/'); i >= 0 {
		return s[:i], s[i+1:]
	}
	return s, ""
}
