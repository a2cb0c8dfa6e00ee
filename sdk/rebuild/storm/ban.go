package storm

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// FromBan is the question that a ban of a catalog asks: the catalog itself decides, for each project, what its base is moved
// to, so that a rebased image stands on what a rebuilt one would. Facts are asked once for each base. A ban by package has
// no base to leave.
func FromBan(cat *catalog.Catalog, id string, facts catalog.Facts, at time.Time) (Question, error) {
	for _, ban := range cat.Bans() {
		if ban.ID != id {
			continue
		}
		switch {
		case ban.Package != nil:
			return Question{}, fmt.Errorf("ban %s: it bans a package, not a base; ban the bases that carry it", id)
		case ban.Effect(at) == catalog.EffectLifted:
			return Question{}, fmt.Errorf("ban %s: it was lifted", id)
		}
		// A ban that comes is previewed as it will be.
		if begin := ban.DenyFrom.Begin(); begin.After(at) {
			at = begin
		}
		r := &banned{catalog: cat, ban: &ban, facts: &memo{Facts: facts, digests: map[string]answer[string]{}, tags: map[string]answer[[]string]{}}, at: at}
		return Question{Campaign: id, Because: ban.Reason, Severity: ban.Severity, Of: lineage.OfBan(&ban), Replace: r.replace}, nil
	}
	return Question{}, fmt.Errorf("ban %s: the catalog has no such ban", id)
}

// FromTag is the question that a new image under a base's tag asks: all that stands on what the tag meant before is brought
// onto what it means now. Name is the full reference, "docker.io/library/debian:12"; what it meant before is asked of the
// lineage, which has to have seen it. It is one campaign for as long as the tag is there: loops are found by digests.
func FromTag(ctx context.Context, store lineage.Store, name, now string) (Question, error) {
	repository, tag := lineage.SplitName(name)
	q := Question{Campaign: "tag " + name, Because: name + " is " + now + " now", Severity: "low", Replace: To(name, now, false)}
	for t, err := range store.Tags(ctx, lineage.TagFilter{Repository: repository}) {
		if err != nil {
			return q, err
		}
		if t.Name == tag && t.Digest != now && t.Digest != "" && !slices.Contains(q.Of.Digests, t.Digest) {
			q.Of.Digests = append(q.Of.Digests, t.Digest)
		}
	}
	if len(q.Of.Digests) == 0 {
		return q, fmt.Errorf("%s: nothing is known of what it meant before: scan its repository before it moves", name)
	}
	return q, nil
}

// Banned says whether an image may not be stood on by now: the reason, or "". A storm asks before each image whether the
// replacement still is one.
func Banned(cat *catalog.Catalog, name, digest string, at time.Time) (string, error) {
	bans, err := cat.BansOn(name, []string{digest}, at)
	if err != nil || len(bans) == 0 {
		return "", err
	}
	return fmt.Sprintf("%s is banned itself, by %s: %s", name, bans[0].ID, bans[0].Reason), nil
}

type banned struct {
	catalog *catalog.Catalog
	ban     *catalog.BanMatcher
	facts   *memo
	at      time.Time
}

func (b *banned) replace(ctx context.Context, base Base, project catalog.Project) (Replacement, error) {
	e, excepted, err := b.catalog.Excepted(b.ban.ID, project, b.at)
	switch {
	case err != nil:
		return Replacement{}, err
	case excepted:
		return Replacement{None: fmt.Sprintf("exception %s of %s holds until %s", e.ID, e.Owner, e.Until)}, nil
	}
	plan, err := b.catalog.Plan(ctx, catalog.Question{
		Project: project, At: b.at,
		Inputs: []catalog.Input{{
			Kind: catalog.KindImage, Role: catalog.RoleBase, Platform: cmp.Or(base.Platform, "linux/amd64"), Written: base.Name, Ref: catalog.FullReference(base.Name),
			Digest: base.Digest, Runtime: true, Reachable: true,
		}},
	}, b.facts)
	if err != nil {
		return Replacement{}, fmt.Errorf("what %s is moved to: %w", base.Name, err)
	}
	d := plan.Decisions[0]
	switch {
	case d.Allowed && d.Moved:
		return Replacement{Name: d.Effective, Digest: d.Digest}, nil
	case d.Allowed:
		return Replacement{None: fmt.Sprintf("the catalog allows %s and moves it nowhere", base.Name)}, nil
	}
	why := "the catalog has no replacement for it"
	for _, f := range plan.Findings {
		why = f.Message
	}
	return Replacement{None: why}, nil
}

// memo asks each fact once.
type memo struct {
	catalog.Facts

	mu      sync.Mutex
	digests map[string]answer[string]
	tags    map[string]answer[[]string]
}

type answer[T any] struct {
	value T
	err   error
}

// Resolve implements [catalog.Facts].
func (m *memo) Resolve(ctx context.Context, ref string) (string, error) {
	return remember(&m.mu, m.digests, ref, func() (string, error) { return m.Facts.Resolve(ctx, ref) })
}

// Tags implements [catalog.Facts].
func (m *memo) Tags(ctx context.Context, repository string) ([]string, error) {
	return remember(&m.mu, m.tags, repository, func() ([]string, error) { return m.Facts.Tags(ctx, repository) })
}

// Config implements [catalog.ConfigFacts] where the facts do.
func (m *memo) Config(ctx context.Context, ref, platform string) (catalog.ImageConfig, error) {
	facts, ok := m.Facts.(catalog.ConfigFacts)
	if !ok {
		return catalog.ImageConfig{}, fmt.Errorf("%s: its configuration cannot be asked for", ref)
	}
	return facts.Config(ctx, ref, platform)
}

func remember[T any](mu *sync.Mutex, kept map[string]answer[T], key string, ask func() (T, error)) (T, error) {
	mu.Lock()
	defer mu.Unlock()
	if a, ok := kept[key]; ok {
		return a.value, a.err
	}
	value, err := ask()
	if err == nil {
		kept[key] = answer[T]{value, nil}
	}
	return value, err
}
