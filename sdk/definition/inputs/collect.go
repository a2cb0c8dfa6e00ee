package inputs

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// platform lists what a build for one platform reads.
func (c *collector) platform(ctx context.Context, platform ocispec.Platform) ([]catalog.Input, error) {
	target := c.opts.Target
	if last := c.file.Stages[len(c.file.Stages)-1]; target == "" {
		target = last.Name
	}
	stages := newStages(newScope(c.file, c.args, target, platform, c.build), formatPlatform(platform))
	r, err := c.run(ctx, stages, conversion{target: c.opts.Target, args: c.args, platform: platform, image: c.images.get})
	if err != nil {
		return nil, err
	}
	built := stages.target(c.opts.Target)
	r.stages(stages.reach(built), stages.chain(built))
	r.rest()
	list := inOrder(r.found)
	if c.opts.AllStages {
		for _, in := range c.unused(ctx, stages, platform, stages.reach(built)) {
			if !slices.ContainsFunc(list, func(read catalog.Input) bool { return read.Place == in.Place && read.Ref == in.Ref }) {
				list = append(list, in)
			}
		}
	}
	return append(list, r.contexts(c.opts.Contexts)...), nil
}

// unused lists what the stages read that are not built: a stage that needs them all is added to the file.
func (c *collector) unused(ctx context.Context, stages *stages, platform ocispec.Platform, reached map[*definition.Stage]bool) []catalog.Input {
	const name = "plimsoll-all-stages"
	var all strings.Builder
	fmt.Fprintf(&all, "\nFROM scratch AS %s\n", name)
	rest := map[*definition.Stage]bool{}
	for _, st := range stages.all {
		if !reached[st] {
			rest[st] = true
			fmt.Fprintf(&all, "COPY --from=%d / /\n", st.Index)
		}
	}
	if len(rest) == 0 {
		return nil
	}
	args := maps.Clone(c.args)
	args["TARGETSTAGE"] = stages.scope.env["TARGETSTAGE"] // not the added one
	r, err := c.run(ctx, stages, conversion{text: []byte(all.String()), target: name, args: args, platform: platform, image: c.images.tolerant})
	if err != nil { // BuildKit can't build one of them; what they name is listed all the same
		r = &run{collector: c, graph: stages, answer: &answer{images: map[imageKey]bool{}}, get: c.images.tolerant}
		for _, u := range stages.uses {
			r.answer.images[u.key] = true
		}
	}
	r.unreachable = true
	r.stages(rest, nil)
	return inOrder(r.found)
}

// run is one conversion and the inputs that were found in it.
type run struct {
	*collector
	graph       *stages
	answer      *answer
	probes      []*probe
	get         func(ref, platform string) (*image, error)
	unreachable bool

	found []catalog.Input
	taken map[imageKey]bool
}

// run has BuildKit convert the file, with the conversion's text at its end.
func (c *collector) run(ctx context.Context, stages *stages, conv conversion) (*run, error) {
	rewritten, err := rewrite(c.file)
	if err != nil {
		return nil, c.failed(err, stages, nil)
	}
	conv.text = append(rewritten.text, conv.text...)
	conv.contexts, conv.build = c.opts.Contexts, c.build
	answer, err := convert(ctx, conv)
	if err != nil {
		return nil, c.failed(err, stages, rewritten)
	}
	return &run{collector: c, graph: stages, answer: answer, probes: rewritten.probes, get: conv.image}, nil
}

// stages takes the inputs of some stages; those of the chain are what the result stands on.
func (r *run) stages(some map[*definition.Stage]bool, chain []*definition.Stage) {
	for _, u := range r.graph.uses {
		if some[u.stage] && r.answer.images[u.key] {
			r.use(u, u.word.Text, u.role == catalog.RoleBase && slices.Contains(chain, u.stage))
		}
	}
	for _, p := range r.probes {
		if !p.isSum && (p.trigger || some[p.instruction.Stage]) {
			r.add(p)
		}
	}
}

// use takes an image, and what it brings by its triggers.
func (r *run) use(u use, written string, runtime bool) {
	if r.taken == nil {
		r.taken = map[imageKey]bool{}
	}
	again := r.taken[u.key]
	r.taken[u.key] = true
	img, err := r.get(u.key.ref, u.key.platform)
	in := catalog.Input{
		Kind: catalog.KindImage, Role: u.role, Platform: u.key.platform, Written: written, Ref: u.key.ref,
		Stage: stageName(u.stage), Runtime: runtime, Reachable: !r.unreachable, Place: r.file.Place(u.word), From: u.from,
	}
	if in.Platform != r.graph.platform {
		in.BuiltFor = r.graph.platform
	}
	if err == nil {
		in.Digest = img.Digest
	}
	r.found = append(r.found, in)
	if err != nil || again && u.role == catalog.RoleOnBuild {
		return // an image that triggers itself
	}
	for _, t := range img.triggers {
		r.trigger(u, t)
	}
}

// trigger takes what an image's trigger reads. The place is the one that names the image.
func (r *run) trigger(u use, t trigger) {
	from := append(slices.Clone(u.from), finding.Related{
		Place: r.file.Place(u.word), Message: "ONBUILD " + t.expression + " comes with " + u.key.ref,
	})
	brought := use{role: catalog.RoleOnBuild, stage: u.stage, word: u.word, from: from}
	for _, name := range t.images {
		ref, err := fullReference(name)
		if err != nil {
			continue
		}
		brought.key = imageKey{ref, r.graph.platform}
		if r.answer.images[brought.key] {
			r.use(brought, name, false)
		}
	}
	for _, p := range t.probes {
		if !p.isSum {
			r.remote(p, brought)
		}
	}
}

// add takes what an ADD reads.
func (r *run) add(p *probe) {
	u := use{role: catalog.RoleAdd, stage: p.instruction.Stage, word: p.word}
	if p.trigger {
		u.role = catalog.RoleOnBuild
	}
	u.from = r.graph.scope.related(p.word, r.graph.chain(u.stage))
	r.remote(p, u)
}

// remote takes the values that BuildKit told for a probe.
func (r *run) remote(p *probe, u use) {
	for _, value := range unique(r.answer.probes[p.number]) {
		kind, pin, err := remoteSource(value)
		if err == nil && kind == "" {
			continue
		}
		if p.checksum != nil {
			if sums := unique(r.answer.probes[p.checksum.number]); len(sums) == 1 {
				pin = sums[0]
			}
		}
		if err != nil { // BuildKit refuses it too, but only while it builds
			kind, pin = catalog.KindGit, ""
		}
		r.found = append(r.found, catalog.Input{
			Kind: kind, Role: u.role, Platform: r.graph.platform, Written: p.word.Text, Ref: value, Digest: pin,
			Stage: stageName(u.stage), Reachable: !r.unreachable, Place: r.file.Place(u.word), From: u.from,
		})
	}
}

// rest takes what BuildKit read and no place was found for: first in the stages that seemed not to be needed, then
// without a place. Nothing that is read is left out.
func (r *run) rest() {
	for _, u := range r.graph.uses {
		if r.answer.images[u.key] && !r.taken[u.key] && !r.isContext(u.key) {
			r.use(u, u.word.Text, false)
		}
	}
	whole := finding.Place{File: r.file.Name}
	for key := range r.answer.images {
		if r.taken[key] || r.isContext(key) {
			continue
		}
		in := catalog.Input{Kind: catalog.KindImage, Role: catalog.RoleBase, Platform: key.platform, Written: key.ref, Ref: key.ref, Reachable: true, Place: whole}
		if img, err := r.get(key.ref, key.platform); err == nil {
			in.Digest = img.Digest
		}
		r.found = append(r.found, in)
	}
	for _, id := range r.answer.others {
		in := catalog.Input{Kind: catalog.KindContext, Role: catalog.RoleBase, Platform: r.graph.platform, Written: id, Ref: id, Reachable: true, Place: whole}
		if name, ok := strings.CutPrefix(id, "docker-image://"); ok {
			in.Kind, in.Ref = catalog.KindImage, name
		}
		r.found = append(r.found, in)
	}
}

// isContext says whether an image is what a named context stands for.
func (r *run) isContext(key imageKey) bool {
	for _, value := range r.opts.Contexts {
		name, isImage := strings.CutPrefix(value, imageScheme)
		if ref, err := fullReference(name); isImage && err == nil && ref == key.ref {
			return true
		}
	}
	return false
}

// contexts are the named contexts, used or not.
func (r *run) contexts(all map[string]string) []catalog.Input {
	var list []catalog.Input
	for _, name := range slices.Sorted(maps.Keys(all)) {
		in := catalog.Input{
			Kind: catalog.KindContext, Role: catalog.RoleContext, Platform: r.graph.platform, Written: name, Ref: all[name],
			Reachable: true, Place: cmp.Or(r.def.Build.Places["context:"+name], finding.Place{File: r.file.Name}),
		}
		if image, ok := strings.CutPrefix(all[name], imageScheme); ok {
			if ref, err := fullReference(image); err == nil {
				in.Ref = ref
			}
		}
		for key := range r.answer.images {
			if key.ref == in.Ref {
				if img, err := r.get(key.ref, key.platform); err == nil {
					in.Digest = img.Digest
				}
			}
		}
		list = append(list, in)
	}
	return list
}

// inOrder sorts inputs in the order of the file, each once.
func inOrder(list []catalog.Input) []catalog.Input {
	slices.SortStableFunc(list, func(a, b catalog.Input) int {
		if d := a.Place.Start.Offset - b.Place.Start.Offset; d != 0 {
			return d
		}
		return strings.Compare(a.Ref, b.Ref)
	})
	return slices.CompactFunc(list, func(a, b catalog.Input) bool {
		return a.Place == b.Place && a.Ref == b.Ref && a.Role == b.Role && a.Stage == b.Stage && a.Platform == b.Platform && a.Digest == b.Digest
	})
}

func unique(values []string) []string {
	values = slices.Clone(values)
	slices.Sort(values)
	return slices.Compact(values)
}
