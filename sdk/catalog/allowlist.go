package catalog

import (
	"slices"
	"strings"
)

// Source is one thing that a build may read.
type Source struct {
	// Ref is "registry/repo:tag@sha256:..." for an image and the URL for git and http.
	Ref string `json:"ref"`
	// Kind is "image", "git" or "http".
	Kind string `json:"kind"`
}

// Sources lists what a build of the plan may read, without repetition, sorted: the allow-list for a builder. Denied
// inputs, those that are not reached, frontends and local contexts are not in it.
func (p *Plan) Sources() []Source {
	var out []Source
	for _, d := range p.Decisions {
		if !d.Allowed || !d.Input.Reachable || d.Input.Role == RoleFrontend {
			continue
		}
		switch d.Input.Kind {
		case KindImage, KindContext:
			ref, err := parseReference(d.Effective)
			if err != nil || d.Digest == "" {
				continue
			}
			ref.digest = d.Digest
			out = append(out, Source{Ref: ref.String(), Kind: "image"})
		case KindGit, KindHTTP:
			out = append(out, Source{Ref: d.Effective, Kind: string(d.Input.Kind)})
		}
	}
	slices.SortFunc(out, func(a, b Source) int { return strings.Compare(a.Kind+" "+a.Ref, b.Kind+" "+b.Ref) })
	return slices.Compact(out)
}
