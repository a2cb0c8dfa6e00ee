package move

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
	"github.com/plimsoll-dev/plimsoll/sdk/forge"
)

// FollowUp puts moves where the definition's owners work: one commit on a branch of its own, one pull request. Author is
// required, and Forge for requests. It keeps no state: what was done before, it finds in the repository and at the forge.
type FollowUp struct {
	// Author makes the commits. Nobody else may use the name.
	Author source.Author
	// SignOff adds the line of the Developer Certificate of Origin.
	SignOff bool
	// Base is the branch to change. Default: the repository's own default.
	Base string
	// Prefix is what branches begin with. Default: "plimsoll/bases/".
	Prefix string
	// Load says how to log in, and limits.
	Load source.Options
	// Forge opens requests.
	Forge forge.Forge
	// Owners tell how to reach those whom the catalog names.
	Owners map[string]string
}

// ErrNoDiff is why a move can't be followed up: the definition can't say it.
var ErrNoDiff = errors.New("the move can't be written into the definition")

// Branch is the branch for a move: one for each definition of a repository, whatever is moved in it, so that what comes
// later brings the same branch and the same request up to date.
func (f *FollowUp) Branch(m *Move) string {
	prefix := f.Prefix
	if prefix == "" {
		prefix = "plimsoll/bases/"
	}
	slug := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, m.File)
	slug = strings.Trim(slug, "-")
	if slug != m.File { // other files may have the same slug
		h := fnv.New32a()
		_, _ = h.Write([]byte(m.File))
		slug = fmt.Sprintf("%.60s-%08x", slug, h.Sum32())
	}
	return prefix + slug
}

// Push puts the move on its branch; see [source.Push] for what it leaves alone. At is the commit's time.
func (f *FollowUp) Push(ctx context.Context, m *Move, repository string, at time.Time) (source.Pushed, error) {
	if m.after == nil {
		return source.Pushed{}, fmt.Errorf("%s: %w: %s", m.File, ErrNoDiff, m.NoDiff)
	}
	if m.Source.Dirty {
		return source.Pushed{}, fmt.Errorf("%s has changes that are not committed; the branch would not fit them", m.File)
	}
	title, body := f.words(m)
	return source.Push(ctx, repository, source.Change{
		Path: m.File, Before: m.before, After: m.after, Base: f.Base, Branch: f.Branch(m),
		Author: f.Author, SignOff: f.SignOff, Time: at, Message: title + "\n\n" + body,
	}, f.Load)
}

// Propose opens a pull request for a branch that [FollowUp.Push] has pushed, or brings it up to date.
func (f *FollowUp) Propose(ctx context.Context, m *Move, pushed source.Pushed) (forge.Request, error) {
	if f.Forge == nil {
		return forge.Request{}, errors.New("pull requests need a forge")
	}
	title, body := f.words(m)
	body += "\n\nThe catalog of base images does this in every build already; this change makes the definition say so.\n" +
		"As long as nobody else commits to the branch it is kept up to date. Closing this request declines this change."
	return forge.Propose(ctx, f.Forge, forge.Proposal{
		Repository: m.Source.Repository, Branch: pushed.Branch, Base: pushed.Base, Title: title, Body: body, Key: m.Key(),
	})
}

// words are a commit's, and most of a request's.
func (f *FollowUp) words(m *Move) (title, body string) {
	first := m.Bases[0]
	title = "Use " + short(first.Effective)
	if n := len(m.changes()) - 1; n > 0 {
		title += fmt.Sprintf(" and %d more", n)
	}
	if m.File != "Dockerfile" {
		title += " in " + m.File
	}
	var lines []string
	for _, b := range m.Bases {
		line := fmt.Sprintf("- %s: %s", b.Place, b)
		if b.Reason != "" {
			line += "\n  " + oneLine(b.Reason)
		}
		if b.Owner != "" {
			line += "\n  Questions: " + b.Owner
			if how := f.Owners[b.Owner]; how != "" {
				line += " (" + how + ")"
			}
		}
		lines = append(lines, line)
	}
	return title, strings.Join(lines, "\n")
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
