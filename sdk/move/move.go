// Package move follows up what a catalog does to definitions on the fly: where a build stood on another base than its
// definition asks for, a [Move] says so to the people whose definition it is ([Move.Event]), as a change that git apply
// takes, on a branch ([FollowUp.Push]) and in a pull request ([FollowUp.Propose]). [Survey] finds the moves in one
// repository or in thousands without building anything.
package move

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/notify"
)

// Move is what a catalog moves in one definition. Its JSON is the data of the [notify.BaseMoved] event.
type Move struct {
	// Source is the commit that the definition was read from.
	Source definition.Source `json:"source"`
	// File is the Dockerfile's path in the repository, symbolic links followed.
	File string `json:"file"`
	// Bases are the images that were moved, in the order of the file, each once.
	Bases []Base `json:"bases"`
	// Diff makes the moves lasting: a patch of the repository that git apply takes. It is empty, and NoDiff says why, where
	// the definition can't say it.
	Diff   string `json:"diff,omitempty"`
	NoDiff string `json:"noDiff,omitempty"`

	before, after []byte
}

// Base is one image that was moved.
type Base struct {
	// Place is the word that names it, and Written what it says there.
	Place   finding.Place `json:"place"`
	Written string        `json:"written"`
	Role    catalog.Role  `json:"role"`
	// Requested is what the definition asks for, Effective what is used instead.
	Requested       string `json:"requested"`
	RequestedDigest string `json:"requestedDigest,omitempty"`
	Effective       string `json:"effective"`
	EffectiveDigest string `json:"effectiveDigest"`
	// Platforms are those that it was moved for.
	Platforms []string `json:"platforms"`
	Reason    string   `json:"reason"`
	// Owner is whom to ask.
	Owner string `json:"owner,omitempty"`
}

// String is "debian:12.8 -> debian:12.9", or with digests where the names are the same.
func (b Base) String() string {
	if b.Requested == b.Effective {
		return b.Requested + "@" + b.RequestedDigest + " -> " + b.Effective + "@" + b.EffectiveDigest
	}
	return b.Requested + " -> " + b.Effective
}

// Of says what a plan moves in the definition that it was made for; nil when it moves nothing.
func Of(def *definition.Definition, plan *catalog.Plan) (*Move, error) {
	m := &Move{Source: def.Source, File: def.File.Name, before: def.File.Src}
	for _, d := range plan.Decisions {
		if d.Moved && d.Allowed && d.Input.Reachable {
			m.add(d)
		}
	}
	if len(m.Bases) == 0 {
		return nil, nil
	}
	edits, err := plan.Lasting(m.before)
	if err == nil {
		m.after, err = definition.Apply(m.before, edits)
	}
	switch {
	case def.Map != nil:
		m.after, m.NoDiff = nil, "the definition is compiled from "+m.File+", and no word of a Dockerfile stands there"
	case err != nil:
		m.NoDiff = err.Error()
	case len(edits) == 0:
		m.NoDiff = "no word of the definition names the images"
	default:
		m.Diff = definition.Diff(m.File, m.before, m.after)
	}
	return m, nil
}

func (m *Move) add(d catalog.Decision) {
	in := d.Input
	requested, _, _ := strings.Cut(in.Ref, "@")
	b := Base{
		Place: in.Place, Written: in.Written, Role: in.Role, Requested: requested, RequestedDigest: in.Digest,
		Effective: d.Effective, EffectiveDigest: d.Digest, Reason: d.Reason, Owner: d.Owner,
	}
	platform := cmp.Or(in.BuiltFor, in.Platform)
	for i := range m.Bases {
		if known := &m.Bases[i]; known.Place == b.Place && known.Requested == b.Requested && known.Effective == b.Effective && known.EffectiveDigest == b.EffectiveDigest {
			if !slices.Contains(known.Platforms, platform) {
				known.Platforms = append(known.Platforms, platform)
			}
			return
		}
	}
	b.Platforms = []string{platform}
	m.Bases = append(m.Bases, b)
}

// changes are what is moved to what, each once and sorted: what makes two moves the same news.
func (m *Move) changes() []string {
	var out []string
	for _, b := range m.Bases {
		out = append(out, b.String())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Key stands for the news: it is the same for every build, commit and platform with the same moves of the same definition.
func (m *Move) Key() string {
	return notify.ID(notify.BaseMoved, append([]string{m.Source.Repository, m.Source.Directory, m.File}, m.changes()...)...)
}

// Title says it in one line.
func (m *Move) Title() string {
	b := m.Bases[0]
	title := fmt.Sprintf("%s is built on %s instead of %s", m.subject(), short(b.Effective), short(b.Requested))
	if b.Requested == b.Effective {
		title = fmt.Sprintf("%s is built on another %s", m.subject(), short(b.Effective))
	}
	if n := len(m.changes()) - 1; n > 0 {
		title += fmt.Sprintf(", and %d more", n)
	}
	return title
}

// subject names the definition: "pay/api", "pay/api services/worker/Dockerfile".
func (m *Move) subject() string {
	name := strings.TrimSuffix(m.Source.Repository, ".git")
	if _, rest, ok := strings.Cut(name, "://"); ok {
		if _, path, ok := strings.Cut(rest, "/"); ok {
			name = path
		}
	}
	if len(name) > 200 {
		name = name[len(name)-200:]
	}
	if m.File != "Dockerfile" {
		name += " " + m.File
	}
	return name
}

// short leaves out Docker Hub's name, as people do.
func short(ref string) string {
	return strings.TrimPrefix(strings.TrimPrefix(ref, "docker.io/"), "library/")
}

// Told is what [Move.Event] says beside the move.
type Told struct {
	// Labels describe the project.
	Labels map[string]string
	// Owners tell how to reach those whom the catalog names, as its document does.
	Owners map[string]string
	// Link is where there is more.
	Link string
	// At is the time.
	At time.Time
}

// Event tells the move. Two events of the same [Move.Key] have the same ID.
func (m *Move) Event(t Told) (notify.Event, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return notify.Event{}, err
	}
	e := notify.Event{
		ID: m.Key(), Kind: notify.BaseMoved, Time: t.At, Title: m.Title(), Patch: m.Diff, Link: t.Link, Data: data,
		Project: notify.Project{Repository: m.Source.Repository, Directory: m.Source.Directory, Labels: t.Labels},
		Text:    "The repository stays as it is: the image alone stands on the other base. To make the change lasting, apply the patch.",
	}
	if m.Diff == "" {
		e.Text = "The repository stays as it is: the image alone stands on the other base. There is no patch: " + m.NoDiff + "."
	}
	e.Facts = append(e.Facts, notify.Fact{Name: "repository", Value: m.Source.Repository})
	if m.Source.Commit != "" {
		e.Facts = append(e.Facts, notify.Fact{Name: "commit", Value: m.Source.Commit})
	}
	var ask []string
	for _, b := range m.Bases {
		e.Facts = append(e.Facts, notify.Fact{Name: b.Place.String(), Value: fmt.Sprintf("%s (%s)", b, b.Reason)})
		who := b.Owner
		if how := t.Owners[who]; how != "" {
			who += " (" + how + ")"
		}
		if who != "" && !slices.Contains(ask, who) {
			ask = append(ask, who)
		}
	}
	e.Ask = strings.Join(ask, ", ")
	return e, nil
}

// Text is the definition's file as it would be with the change, nil when there is none; Original is the file as it was read.
func (m *Move) Text() []byte { return slices.Clone(m.after) }

// Original is the file as it was read.
func (m *Move) Original() []byte { return slices.Clone(m.before) }
