package buildkit

import (
	"fmt"
	"path"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/dfgitutil"
	"github.com/moby/buildkit/solver/pb"
	spb "github.com/moby/buildkit/sourcepolicy/pb"
	"github.com/moby/buildkit/util/gitutil"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
)

// The names under which the build's own files are sent.
const (
	contextName    = "context"
	dockerfileName = "dockerfile"
)

// sourcePolicy denies everything but the build's own files and the listed sources. Of BuildKit's rules the last one
// that matches wins.
func sourcePolicy(sources []build.Source, contexts map[string]build.NamedContext) (*spb.Policy, error) {
	rules := []*spb.Rule{
		{Action: spb.PolicyAction_DENY, Selector: &spb.Selector{Identifier: "(?s).*", MatchType: spb.MatchType_REGEX}},
		allow("local://" + contextName),
		allow("local://" + dockerfileName),
	}
	for name, c := range contexts {
		if c.Dir != nil {
			rules = append(rules, allow("local://"+namedContext(name)))
		}
	}
	for _, s := range sources {
		rule, err := allowSource(s)
		if err != nil {
			return nil, fmt.Errorf("source %q: %w", s.Ref, err)
		}
		rules = append(rules, rule)
	}
	return &spb.Policy{Version: 1, Rules: rules}, nil
}

func allow(identifier string, constraints ...*spb.AttrConstraint) *spb.Rule {
	return &spb.Rule{
		Action:   spb.PolicyAction_ALLOW,
		Selector: &spb.Selector{Identifier: identifier, MatchType: spb.MatchType_EXACT, Constraints: constraints},
	}
}

// allowSource allows one source under the identifier that the Dockerfile frontend gives it.
func allowSource(s build.Source) (*spb.Rule, error) {
	switch s.Kind {
	case "image":
		named, err := reference.ParseNormalizedNamed(s.Ref)
		if err != nil {
			return nil, err
		}
		if _, pinned := named.(reference.Digested); !pinned {
			return nil, fmt.Errorf("an image that a build may read is pinned by digest (name:tag@sha256:...)")
		}
		return allow("docker-image://" + named.String()), nil
	case "http":
		if !strings.HasPrefix(s.Ref, "https://") && !strings.HasPrefix(s.Ref, "http://") {
			return nil, fmt.Errorf("a http source is a URL that begins with https:// or http://")
		}
		return allow(s.Ref), nil
	case "git":
		return allowGit(s.Ref)
	default:
		return nil, fmt.Errorf("kind %q is none of image, git, http", s.Kind)
	}
}

// allowGit allows a repository at a ref. BuildKit's identifier leaves out how it is reached, so the URL is compared too.
func allowGit(ref string) (*spb.Rule, error) {
	parsed, _, err := dfgitutil.ParseGitRef(ref)
	if err != nil {
		return nil, err
	}
	remote, err := gitutil.ParseURL(parsed.Remote)
	if err != nil {
		return nil, err
	}
	identifier := "git://" + remote.Host + path.Join("/", remote.Path)
	if parsed.Ref != "" || parsed.SubDir != "" {
		identifier += "#" + parsed.Ref
	}
	if parsed.SubDir != "" {
		identifier += ":" + strings.TrimPrefix(path.Join("/", parsed.SubDir), "/")
	}
	return allow(identifier, &spb.AttrConstraint{Key: pb.AttrFullRemoteURL, Value: remote.Remote, Condition: spb.AttrMatch_EQUAL}), nil
}
