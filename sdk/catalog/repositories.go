package catalog

import (
	"fmt"
	"strings"
)

// Repositories are source repositories, named as the exceptions of a catalog name projects. The zero value has none.
type Repositories struct{ matchers []projectMatcher }

// ParseRepositories reads repositories ("https://git.example/team/pay") and groups of them, directly below a path
// ("https://git.example/team/*"). The ways to write a repository (https, ssh, a ".git" at the end) are all the same.
func ParseRepositories(names ...string) (Repositories, error) {
	var r Repositories
	for _, name := range names {
		url, group := strings.CutSuffix(name, "/*")
		where, err := parseLocation(url)
		switch {
		case err != nil:
			return Repositories{}, err
		case strings.ContainsAny(url, "*?[") || group && strings.Trim(where.path, "/") == "":
			return Repositories{}, fmt.Errorf("%q: name a repository, or a group of them as https://host/group/*", clip(name))
		}
		r.matchers = append(r.matchers, projectMatcher{where: projectKey(where), group: group})
	}
	return r, nil
}

// Has says whether a repository is one of them.
func (r Repositories) Has(repository string) bool {
	for _, m := range r.matchers {
		if ok, err := m.matches(Project{Repository: repository}); ok && err == nil {
			return true
		}
	}
	return false
}
