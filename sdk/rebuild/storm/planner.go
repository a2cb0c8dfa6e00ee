package storm

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// Running knows what runs. A lineage.Store does, and so does a fleet's inventory.
type Running interface {
	// Instances returns what runs from images, by manifest, index or config digest.
	Instances(ctx context.Context, digests []string) iter.Seq2[lineage.Instance, error]
}

// Past knows how long things took. Package storm/runner does.
type Past interface {
	Times(ctx context.Context) (Times, error)
}

// Times are how long things took in the mean: in a repository ("rebase registry/team/app"), and anywhere.
type Times struct {
	Repositories map[string]time.Duration
	Verbs        map[rebuild.Verb]time.Duration
}

// of returns the time for an image, or 0.
func (t Times) of(verb rebuild.Verb, repository string) time.Duration {
	return cmp.Or(t.Repositories[string(verb)+" "+repository], t.Verbs[verb])
}

// Planner makes previews. Lineage and Mover are required. It is safe for concurrent use.
type Planner struct {
	Lineage lineage.Store
	// Mover judges images. With a cache that lasts, planning an image that was seen before asks the registry for nothing.
	Mover *rebuild.Mover
	// Running says what comes first. Default: Lineage.
	Running Running
	// Policy is what Ops and an owner say about rebases of a project's image. Default: the zero value.
	Policy func(project catalog.Project, repository string) rebuild.Policy
	// Owners are in the order in which Ops wants their images done; those that are not named come last.
	Owners []string
	// Past has the records of earlier storms. Nil expects nothing.
	Past Past
	// Jobs is how many images are judged at a time. Default 8.
	Jobs int
	// Tested says that images are tested before their tags move, which costs a request each.
	Tested bool
}

// Preview says what a storm would do. It changes nothing. An error means that the question could not be answered; what is
// wrong with one image is in its item.
func (p *Planner) Preview(ctx context.Context, q Question) (*Preview, error) {
	if q.Campaign == "" || q.Replace == nil {
		return nil, errors.New("the storm needs a campaign and a replacement: set both in its question")
	}
	g, err := read(ctx, p.Lineage, q.Of)
	if err != nil {
		return nil, err
	}
	w := &planning{Planner: p, graph: g, question: q, out: &Preview{Campaign: q.Campaign, Because: q.Because, Severity: cmp.Or(q.Severity, "medium"), Items: []Item{}}}
	for _, n := range g.nodes {
		if !n.root && len(n.tops) == 0 {
			w.out.Untagged++
		}
	}
	tops := slices.SortedFunc(maps.Values(g.tops), func(a, b *top) int {
		return cmp.Or(cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Digest, b.Digest))
	})
	for _, t := range tops {
		if err := w.place(ctx, t); err != nil {
			return nil, err
		}
	}
	waves := w.waves(tops)
	for _, wave := range waves {
		if err := w.judgeAll(ctx, wave); err != nil {
			return nil, err
		}
	}
	if err := w.running(ctx, tops); err != nil {
		return nil, err
	}
	return w.out, w.finish(ctx, tops)
}

// planning is one preview in the making.
type planning struct {
	*Planner

	graph    *graph
	question Question
	out      *Preview
}

// place says what an image is to leave, and after which others.
func (w *planning) place(ctx context.Context, t *top) error {
	slices.Sort(t.Tags)
	slices.SortFunc(t.nodes, func(a, b *node) int { return cmp.Compare(a.Digest, b.Digest) })
	t.Evidence = map[string]rebuild.Evidence{}
	for _, n := range t.nodes {
		if n.Platform != "" {
			t.Platforms = append(t.Platforms, n.Platform)
		}
		t.Owner = cmp.Or(t.Owner, n.Owner)
		if n.Definition.Grade > t.Definition.Grade || t.Definition == (lineage.Definition{}) {
			t.Definition = n.Definition
		}
		for _, s := range n.on {
			for _, other := range s.below.tops {
				if other != t {
					t.after[other.ID] = true
				}
			}
		}
		if err := w.base(ctx, t, n); err != nil {
			return err
		}
	}
	slices.Sort(t.Platforms)
	t.After = slices.Sorted(maps.Keys(t.after))
	if w.Policy != nil {
		compatible := t.Policy.Compatible
		t.Policy = w.Policy(project(t.Definition), t.Repository)
		t.Policy.Compatible = t.Policy.Compatible || compatible
	}
	return nil
}

// project is on whose behalf a definition's base is judged. Only what a build of our own recorded counts: whoever pushes
// could write the rest, and so take an exception.
func project(d lineage.Definition) catalog.Project {
	if d.Grade < lineage.GradeBuild {
		return catalog.Project{}
	}
	return catalog.Project{Repository: d.Repository, Directory: path.Dir(path.Clean("/" + d.Path))[1:]}
}

// base says what one manifest of an image stands on, and what takes its place.
func (w *planning) base(ctx context.Context, t *top, n *node) error {
	best := n.best()
	if best == nil {
		t.Reasons = append(t.Reasons, rebuild.Reason{Code: rebuild.BuildStage, Text: "it does not stand on what is to be left, which was at work in its build"})
		return nil
	}
	t.Evidence[n.Digest] = rebuild.Evidence{
		Grade: best.edge.Grade, RuntimeOnly: best.edge.Grade >= lineage.GradeBuild && !n.builtOn(),
	}
	from, name := w.graph.ref(best)
	if t.From == "" {
		t.From = from
	}
	if t.From != from {
		t.Reasons = append(t.Reasons, rebuild.Reason{Code: rebuild.OtherPlatform, Text: fmt.Sprintf("its platforms stand on different bases: %s and %s", t.From, from)})
		return nil
	}
	if best.below.root {
		return w.replaceRoot(ctx, t, Base{Name: name, Digest: digestOf(from), Platform: n.Platform})
	}
	w.replaceAbove(t, best)
	return nil
}

// replaceRoot asks what takes the place of a base that is to be left.
func (w *planning) replaceRoot(ctx context.Context, t *top, base Base) error {
	if base.Name == "" {
		t.Problem = "the base that it stands on has no name, so its registry is not known: scan the base's repository"
		return nil
	}
	if t.To != "" || t.Problem != "" {
		return nil // asked for another platform
	}
	r, err := w.question.Replace(ctx, base, project(t.Definition))
	if err != nil {
		return err
	}
	if r.None != "" {
		t.Problem = r.None
		return nil
	}
	repository, _ := lineage.SplitName(r.Name)
	t.To, t.ToName, t.Policy.Compatible = repository+"@"+r.Digest, r.Name, r.Compatible
	if t.To == t.From {
		t.Problem = fmt.Sprintf("the replacement %s is the base that is to be left", r.Name)
	}
	return nil
}

// replaceAbove finds the image in whose stead another will stand below this one: what its base's tag points to now, or the
// item that has the base.
func (w *planning) replaceAbove(t *top, best *stands) {
	repository, tag := lineage.SplitName(best.edge.Name)
	if now := w.graph.named[repository+":"+tag]; repository != "" && now != "" {
		id := itemID(repository, now)
		if w.graph.tops[id] == nil { // published anew meanwhile, on something else
			t.To, t.ToName = repository+"@"+now, repository+":"+tag
			return
		}
		t.Parent = id
		t.after[id] = true
		return
	}
	for _, other := range best.below.tops {
		if other != t && (t.Parent == "" || other.ID < t.Parent) {
			t.Parent = other.ID
		}
	}
	if t.Parent == "" {
		t.Reasons = append(t.Reasons, rebuild.Reason{Code: rebuild.Unproven, Text: "the image that it stands on has no tag any more"})
	}
}

// waves puts the images into topological order. What stands on itself is a problem and in no wave.
func (w *planning) waves(tops []*top) [][]*top {
	above, missing := map[string][]*top{}, map[string]int{}
	for _, t := range tops {
		missing[t.ID] = len(t.After)
		for _, id := range t.After {
			above[id] = append(above[id], t)
		}
	}
	var now []*top
	for _, t := range tops {
		if missing[t.ID] == 0 {
			now = append(now, t)
		}
	}
	var waves [][]*top
	for len(now) > 0 {
		var next []*top
		for _, t := range now {
			t.Wave = len(waves) + 1
			for _, up := range above[t.ID] {
				if missing[up.ID]--; missing[up.ID] == 0 {
					next = append(next, up)
				}
			}
		}
		waves, now = append(waves, now), next
	}
	for _, t := range tops {
		if t.Wave == 0 {
			t.Problem = "what is known of it says that it stands on itself, by way of others, or on such an image"
		}
	}
	return waves
}

// judgeAll judges the images of a wave, several at a time.
func (w *planning) judgeAll(ctx context.Context, wave []*top) error {
	group, judging := errgroup.WithContext(ctx)
	group.SetLimit(cmp.Or(w.Jobs, 8))
	for _, t := range wave {
		group.Go(func() error { return w.judge(judging, t) })
	}
	return group.Wait()
}

// judge says what is to be done with an image.
func (w *planning) judge(ctx context.Context, t *top) error {
	for _, id := range t.After {
		if below := w.graph.tops[id]; below.Problem != "" && t.Problem == "" {
			t.Problem = fmt.Sprintf("%s, which it is made from, cannot be fixed: %s", below.Reference(), below.Problem)
		}
	}
	if t.Problem != "" {
		return nil
	}
	from, to := t.From, t.To
	if t.Parent != "" {
		t.Forecast = true
		from, to = w.forecast(t)
	}
	if len(t.Reasons) == 0 && from != "" && to != "" {
		plan, err := w.Mover.Plan(ctx, t.order(from, to))
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, registry.ErrNotFound) && strings.Contains(err.Error(), t.Digest):
			t.Problem = "the registry does not have it any more"
			return nil
		case err != nil:
			t.Reasons = append(t.Reasons, rebuild.Reason{Code: rebuild.Unreadable, Text: err.Error()})
		default:
			for _, v := range plan.Manifests {
				t.Reasons = append(t.Reasons, v.Reasons...)
			}
			t.Requests = plan.Requests(len(t.Tags), w.Tested)
		}
	}
	if t.Verb = rebuild.DoRebase; len(t.Reasons) == 0 && to != "" {
		return nil
	}
	t.Verb, t.Requests = rebuild.DoRebuild, 0
	if t.Definition.Commit == "" || t.Definition.Grade < lineage.GradeBuild {
		t.Verb = ""
		t.Problem = "it cannot be rebased, and no record or signed provenance says which commit it was built from"
	}
	return nil
}

// forecast returns the bases by which an image can be judged before its own base was replaced: if that is rebased, and so
// on down, all that changes is what changes at the bottom.
func (w *planning) forecast(t *top) (from, to string) {
	below := w.graph.tops[t.Parent]
	for below.Parent != "" && below.Verb == rebuild.DoRebase {
		below = w.graph.tops[below.Parent]
	}
	if below.Verb != rebuild.DoRebase {
		t.Reasons = append(t.Reasons, rebuild.Reason{Code: rebuild.Unproven, Text: fmt.Sprintf(
			"its base %s is built again first: whether it can be rebased on that is decided then", below.Reference(),
		)})
		return "", ""
	}
	return below.From, below.To
}

// order is what the mover is asked.
func (i *Item) order(from, to string) rebuild.Order {
	evidence := i.Evidence
	return rebuild.Order{
		Repository: i.Repository, Digest: i.Digest, Tags: i.Tags, From: from, To: to, Policy: i.Policy,
		Evidence: func(_ context.Context, manifest v1.Hash) (rebuild.Evidence, error) {
			return evidence[manifest.String()], nil
		},
		Names: rebuild.Names{Base: i.ToName},
	}
}

// Order is what a mover is asked to move the image from its base to another one.
func (i *Item) Order(from, to string, names rebuild.Names) rebuild.Order {
	o := i.order(from, to)
	o.Names = names
	return o
}

// running counts instances, by whatever digest a runtime names the image.
func (w *planning) running(ctx context.Context, tops []*top) error {
	var source Running = w.Lineage
	if w.Running != nil {
		source = w.Running
	}
	images := map[string][]*top{}
	for _, t := range tops {
		digests := []string{t.Digest}
		for _, n := range t.nodes {
			digests = append(digests, n.Digest, n.Config)
		}
		slices.Sort(digests)
		for _, digest := range slices.Compact(digests) {
			if digest != "" {
				images[digest] = append(images[digest], t)
			}
		}
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(images)), batch) {
		for in, err := range source.Instances(ctx, part) {
			if err != nil {
				return fmt.Errorf("what runs: %w", err)
			}
			for _, t := range images[in.Digest] {
				t.Running++
			}
		}
	}
	return nil
}

// finish puts the items in order and sums them up.
func (w *planning) finish(ctx context.Context, tops []*top) error {
	owner := map[string]int{}
	for i, name := range w.Owners {
		owner[name] = i - len(w.Owners)
	}
	last := func(t *top) int {
		if t.Problem != "" {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(tops, func(a, b *top) int {
		return cmp.Or(
			cmp.Compare(last(a), last(b)), cmp.Compare(a.Wave, b.Wave), cmp.Compare(b.Running, a.Running),
			cmp.Compare(owner[a.Owner], owner[b.Owner]), cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Digest, b.Digest),
		)
	})
	var times Times
	if w.Past != nil {
		var err error
		if times, err = w.Past.Times(ctx); err != nil {
			return err
		}
	}
	for _, t := range tops {
		if t.Problem == "" {
			t.Expected = times.of(t.Verb, t.Repository)
			w.out.count(&t.Item)
		}
		w.out.Items = append(w.out.Items, t.Item)
	}
	return nil
}

// itemID is short, and the same for the same image in every process.
func itemID(repository, digest string) string {
	sum := sha256.Sum256([]byte(repository + "@" + digest))
	return hex.EncodeToString(sum[:8])
}

func digestOf(ref string) string {
	_, digest, _ := strings.Cut(ref, "@")
	return digest
}
