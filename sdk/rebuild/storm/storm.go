// Package storm says what is to be done when a base has to be left: which images stand on it, who answers for them, which
// can be rebased and which have to be built again and why, in which order, what that costs, and what cannot be fixed.
//
//	planner := &storm.Planner{Lineage: store, Mover: rebuild.NewMover(client, nil)}
//	preview, err := planner.Preview(ctx, question)
//
// A preview changes nothing. Package storm/runner does what it says, in a way that survives crashes.
//
// Images are what tags point to: an index, or a single manifest, in one repository. The order is topological: an image that
// is the base of others comes before them, in an earlier wave. Within a wave it is by urgency: what runs first, then in the
// order of owners that Ops gave.
//
// All of it is read from the lineage index and the registry; what neither knows is not guessed: such an image is in the
// preview with its [Item.Problem].
package storm

import (
	"context"
	"slices"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
)

// Question is which base is to be left, and for what.
type Question struct {
	// Campaign is the id of the ban, or another name for what is done: it joins all that belongs together. Required.
	Campaign string
	// Because says why, for people.
	Because string
	// Severity is "low", "medium", "high" or "critical": of two campaigns the more severe goes first. Default "medium".
	Severity string
	// Of are the bases to leave. Required.
	Of lineage.Of
	// Replace says what takes a base's place. Required.
	Replace Replacer
}

// Base is a base that is to be left, as images stand on it.
type Base struct {
	// Name is "registry/repository:tag", with no tag where none is known.
	Name string
	// Digest is that of the index or manifest.
	Digest string
	// Platform is that of the image above.
	Platform string
}

// Replacement is what takes a base's place.
type Replacement struct {
	// Name is the new base as a person writes it, "docker.io/library/debian:12.9", and Digest what that means now.
	Name, Digest string
	// Compatible says that programs linked against the old base run on the new one; see [rebuild.Policy].
	Compatible bool
	// None says in words why nothing takes its place: an exception, a ban without a replacement. Name and Digest are empty.
	None string
}

// Replacer says what a project's image is to stand on instead of a base. It is safe for concurrent use.
type Replacer func(ctx context.Context, base Base, project catalog.Project) (Replacement, error)

// To replaces every base by one and the same, whoever asks: for a move by hand.
func To(name, digest string, compatible bool) Replacer {
	return func(context.Context, Base, catalog.Project) (Replacement, error) {
		return Replacement{Name: name, Digest: digest, Compatible: compatible}, nil
	}
}

// Item is one image to fix: what tags of one repository point to.
type Item struct {
	// ID names the image in its campaign: it is made of repository and digest.
	ID         string   `json:"id"`
	Repository string   `json:"repository"`
	Digest     string   `json:"digest"`
	Tags       []string `json:"tags"`
	// Platforms are those of its manifests that stand on what is to be left.
	Platforms []string `json:"platforms,omitempty"`
	// Owner is who answers for it; "" means that nobody is known to.
	Owner      string             `json:"owner,omitempty"`
	Definition lineage.Definition `json:"definition,omitzero"`
	// Wave counts from 1. Running is how many instances run of it.
	Wave    int `json:"wave,omitempty"`
	Running int `json:"running,omitempty"`
	// Verb is what is to be done; empty where Problem says why nothing can be.
	Verb    rebuild.Verb `json:"verb,omitempty"`
	Problem string       `json:"problem,omitempty"`
	// Reasons are all that speaks against a rebase.
	Reasons []rebuild.Reason `json:"reasons,omitempty"`
	// Forecast says that its own base is to be replaced first: what can be done is decided again then.
	Forecast bool `json:"forecast,omitempty"`
	// From is the base that it leaves, "repository@sha256:...". To is the new one, and ToName that as a person writes it; both
	// are empty where the new one is what becomes of Parent.
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
	ToName string `json:"toName,omitempty"`
	// Parent is the item that it stands on, After are all that have to be over before: also those that were at work in its
	// build.
	Parent string   `json:"parent,omitempty"`
	After  []string `json:"after,omitempty"`
	// Requests to the registry that a rebase makes. Expected is how long it takes by what is on record, 0 for not known.
	Requests int           `json:"requests,omitempty"`
	Expected time.Duration `json:"expected,omitempty"`
	// Evidence is what the lineage knows, by manifest digest, and Policy what Ops and the owner say.
	Evidence map[string]rebuild.Evidence `json:"evidence,omitempty"`
	Policy   rebuild.Policy              `json:"policy,omitzero"`
}

// Reference is the image by digest.
func (i *Item) Reference() string { return i.Repository + "@" + i.Digest }

// Preview is what a storm would do.
type Preview struct {
	Campaign string `json:"campaign"`
	Because  string `json:"because,omitempty"`
	Severity string `json:"severity"`
	// Items are in the order in which they would be done; those that cannot be fixed come last.
	Items []Item `json:"items"`
	Waves []Wave `json:"waves"`
	// Untagged are how many manifests stand on the base and have no tag: nothing is done about those.
	Untagged int `json:"untagged,omitempty"`
	// Requests of all rebases.
	Requests int `json:"requests"`
	// Expected is the time of all that is on record, one after the other; Unknown how many images there is no record for.
	Expected time.Duration `json:"expected"`
	Unknown  int           `json:"unknown,omitempty"`
}

// Wave sums up what is done at one time.
type Wave struct {
	Number   int           `json:"number"`
	Rebases  int           `json:"rebases"`
	Rebuilds int           `json:"rebuilds"`
	Running  int           `json:"running,omitempty"`
	Expected time.Duration `json:"expected,omitempty"`
}

// Problems are the images that cannot be fixed.
func (p *Preview) Problems() []Item {
	var items []Item
	for _, i := range p.Items {
		if i.Problem != "" {
			items = append(items, i)
		}
	}
	return items
}

// Only leaves all but some images out of a preview. One whose base is left out has to wait for that.
func (p *Preview) Only(which func(*Item) bool) *Preview {
	out := &Preview{Campaign: p.Campaign, Because: p.Because, Severity: p.Severity, Items: []Item{}}
	chosen := map[string]bool{}
	for i := range p.Items {
		chosen[p.Items[i].ID] = which(&p.Items[i])
	}
	for _, item := range p.Items {
		if !chosen[item.ID] {
			continue
		}
		if item.Parent != "" && !chosen[item.Parent] && item.Problem == "" {
			item.Verb, item.Problem = "", "the image that it stands on has to be replaced first, and is left out"
		}
		item.After = slices.DeleteFunc(slices.Clone(item.After), func(id string) bool { return !chosen[id] })
		if item.Problem == "" {
			out.count(&item)
		}
		out.Items = append(out.Items, item)
	}
	return out
}

// count adds an image to the sums.
func (p *Preview) count(item *Item) {
	for len(p.Waves) < item.Wave {
		p.Waves = append(p.Waves, Wave{Number: len(p.Waves) + 1})
	}
	wave := &p.Waves[item.Wave-1]
	if item.Verb == rebuild.DoRebase {
		wave.Rebases++
	} else {
		wave.Rebuilds++
	}
	wave.Running += item.Running
	wave.Expected += item.Expected
	p.Requests += item.Requests
	p.Expected += item.Expected
	if item.Expected == 0 {
		p.Unknown++
	}
}
