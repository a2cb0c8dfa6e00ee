package where

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/plimsoll-dev/plimsoll/sdk/fleet"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// Selector is a condition with the answers of lineage as of a moment. It is safe for concurrent use.
type Selector struct {
	condition *Condition
	store     lineage.Store
	now       func() time.Time

	facts sync.Pool // *facts: a fleet has many instances

	mu   sync.RWMutex
	then *answers
}

// answers are what lineage says of images. They do not change, but for images that are looked at for the first time.
type answers struct {
	queries []answer
	known   map[string]bool // digests of any kind that lineage knows
	listed  map[string]bool // those among them whose packages it knows
	judged  sync.Map        // digest and number of layers of images that only layers tell about, to *judgement
}

// answer is what lineage says to one question.
type answer struct {
	packages bool                // it is about packages
	why      map[string][]string // by digest of any kind: the evidence
	chains   map[string]string   // by ChainID of what is meant: what it is called
}

// Prepare asks lineage what the condition wants to know. A condition that asks nothing needs no store. The clock is for
// ages.
func (c *Condition) Prepare(ctx context.Context, store lineage.Store, now func() time.Time) (*Selector, error) {
	if store == nil {
		if len(c.queries) > 0 {
			return nil, fmt.Errorf("the condition asks %s, and there is no lineage to ask: name the lineage store", c.queries[0].text)
		}
		store = lineage.NewMemory()
	}
	s := &Selector{condition: c, store: store, now: now}
	return s, s.Refresh(ctx)
}

// Refresh asks lineage again: images that were unknown may be known by now.
func (s *Selector) Refresh(ctx context.Context) error {
	then := &answers{known: map[string]bool{}, listed: map[string]bool{}}
	for _, q := range s.condition.queries {
		a, err := q.ask(ctx, s.store)
		if err != nil {
			return fmt.Errorf("%s: %w", q.text, err)
		}
		then.queries = append(then.queries, a)
	}
	s.mu.Lock()
	s.then = then
	s.mu.Unlock()
	return nil
}

// Know asks lineage which of the instances' images it knows. Select takes all others for unknown.
func (s *Selector) Know(ctx context.Context, instances []fleet.Instance) error {
	s.mu.RLock()
	then := s.then
	s.mu.RUnlock()
	now := &answers{queries: then.queries, known: maps.Clone(then.known), listed: maps.Clone(then.listed)}
	wanted := map[string]bool{}
	for _, i := range instances {
		for _, d := range i.Image.Digests {
			if !then.known[d] {
				wanted[d] = true
			}
		}
	}
	for chunk := range slices.Chunk(slices.Collect(maps.Keys(wanted)), 1000) {
		if err := now.know(ctx, s.store, chunk); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.then = now
	s.mu.Unlock()
	return nil
}

func (a *answers) know(ctx context.Context, store lineage.Store, digests []string) error {
	configs := map[string]string{} // of manifests
	for img, err := range store.Images(ctx, digests) {
		if err != nil {
			return err
		}
		if img.Kind == lineage.KindUnknown && img.Chain == "" {
			continue // only named by others
		}
		a.known[img.Digest] = true
		if configs[img.Digest] = img.Config; img.Config != "" {
			a.known[img.Config] = true
		}
	}
	for inventory, err := range store.Packages(ctx, slices.Collect(maps.Keys(configs))) {
		if err != nil {
			return err
		}
		a.listed[inventory.Image] = true
		if config := configs[inventory.Image]; config != "" {
			a.listed[config] = true
		}
	}
	return nil
}

func (q query) ask(ctx context.Context, store lineage.Store) (answer, error) {
	a := answer{why: map[string][]string{}, chains: map[string]string{}}
	add := func(img lineage.Image, why string) {
		for _, d := range []string{img.Digest, img.Config} {
			if d != "" && a.why[d] == nil {
				a.why[d] = []string{why}
			}
		}
		if img.Chain != "" && a.chains[img.Chain] == "" {
			a.chains[img.Chain] = why
		}
	}
	for _, pkg := range q.packages {
		for c, err := range lineage.Carrying(ctx, store, pkg) {
			if err != nil {
				return a, err
			}
			why := fmt.Sprintf("carries %s %s", c.Package.Name, c.Package.Version)
			if c.Doubt != "" {
				why += " (" + c.Doubt + ")"
			}
			add(c.Image, why)
		}
	}
	if len(q.packages) > 0 {
		clear(a.chains) // an image that stands on a carrier may have the package's update
		a.packages = true
		return a, nil
	}
	for v, err := range lineage.Derived(ctx, store, q.of, lineage.Options{Self: true, Runtime: true}) {
		if err != nil {
			return a, err
		}
		add(v.Image, reason(v))
	}
	return a, nil
}

// reason is the evidence for a visit.
func reason(v lineage.Visit) string {
	if v.Depth == 0 {
		return "is the image meant"
	}
	below := v.Edge.Name
	if below == "" {
		below = v.Edge.Base
	}
	return fmt.Sprintf("stands on %s (%s)", below, v.Grade)
}

// Select implements [fleet.Selector].
func (s *Selector) Select(i *fleet.Instance) fleet.Verdict {
	s.mu.RLock()
	then := s.then
	s.mu.RUnlock()
	f, _ := s.facts.Get().(*facts)
	if f == nil {
		f = &facts{}
	}
	*f = facts{instance: i, answers: then, now: s.now}
	defer s.facts.Put(f)
	meant, err := s.eval(f)
	if err != nil {
		return fleet.Verdict{Meant: fleet.Unknown, Why: []string{err.Error()}}
	}
	if f.hinges {
		other, err := s.eval(&facts{instance: i, answers: then, now: s.now, suppose: true})
		if err != nil || other != meant {
			return fleet.Verdict{Meant: fleet.Unknown, Why: []string{"nothing is known of its image " + imageName(i)}}
		}
	}
	if !meant {
		return fleet.Verdict{Meant: fleet.No}
	}
	return fleet.Verdict{Meant: fleet.Yes, Why: f.why}
}

func imageName(i *fleet.Instance) string {
	if i.Image.Ref != "" {
		return i.Image.Ref
	}
	return strings.Join(i.Image.Digests, " ")
}

func (s *Selector) eval(f *facts) (bool, error) {
	out, _, err := s.condition.program.Eval(f)
	if err != nil {
		return false, err
	}
	meant, ok := out.Value().(bool)
	if !ok {
		return false, errors.New("the condition is neither true nor false")
	}
	return meant, nil
}

// facts are what an expression sees of an instance. Names are resolved as they are asked for.
type facts struct {
	instance *fleet.Instance
	answers  *answers
	now      func() time.Time

	hinges  bool // a question was asked about an image that is not known
	suppose bool // what unknown images answer
	why     []string
}

var _ cel.Activation = (*facts)(nil)

// Parent implements cel.Activation.
func (f *facts) Parent() cel.Activation { return nil }

// ResolveName implements cel.Activation.
func (f *facts) ResolveName(name string) (any, bool) {
	i := f.instance
	switch name {
	case subject:
		return f, true
	case "name":
		return types.String(i.Name), true
	case "place":
		return types.String(i.Place), true
	case "host":
		return types.String(i.Host), true
	case "runtime":
		return types.String(i.Runtime), true
	case "kind":
		return types.String(i.Kind), true
	case unreserved:
		return types.String(i.Namespace), true
	case "service":
		return types.String(i.Service), true
	case "owner":
		return types.String(i.Owner), true
	case "image":
		return types.String(i.Image.Ref), true
	case "labels":
		return labels{types.NewStringStringMap(types.DefaultTypeAdapter, i.Labels)}, true
	case "ports":
		return i.Ports, true
	case "paused":
		return types.Bool(i.Paused), true
	case "age":
		started := i.Started
		if started.IsZero() {
			started = i.Created
		}
		return age(f.now(), started), true
	case "known":
		return types.Bool(f.in(f.answers.known)), true
	}
	return nil, false
}

func (f *facts) in(digests map[string]bool) bool {
	return slices.ContainsFunc(f.instance.Image.Digests, func(d string) bool { return digests[d] })
}

// answer answers a question to lineage about the instance's image.
func (f *facts) answer(n int) bool {
	a := &f.answers.queries[n]
	for _, d := range f.instance.Image.Digests {
		if why, ok := a.why[d]; ok {
			if f.why == nil {
				f.why = why // many instances share it
			} else {
				f.why = append(slices.Clip(f.why), why...)
			}
			return true
		}
	}
	known := f.answers.known
	if a.packages {
		known = f.answers.listed
	}
	if f.in(known) {
		return false
	}
	if why := f.answers.byLayers(n, f.instance.Image); why != "" {
		f.why = append(slices.Clip(f.why), why)
		return true
	}
	f.hinges = true
	return f.suppose
}

// byLayers compares the layers of an image that lineage does not know. Instances of one image share the answer.
func (a *answers) byLayers(n int, img fleet.Image) string {
	if len(img.Layers) == 0 || len(a.queries[n].chains) == 0 {
		return ""
	}
	type key struct {
		question int
		top      string
		layers   int
	}
	k := key{n, img.Layers[len(img.Layers)-1] + strings.Join(img.Digests, ""), len(img.Layers)}
	if why, ok := a.judged.Load(k); ok {
		return why.(string) //nolint:forcetypeassert // stored below
	}
	found := ""
	chains := lineage.Chains(img.Layers)
	for at := len(chains) - 1; at >= 0 && found == ""; at-- {
		if _, ok := a.queries[n].chains[chains[at]]; ok && chains[at] != "" {
			found = fmt.Sprintf("its first %d of %d layers are those of an image meant (%s)", at+1, len(chains), lineage.GradeLayers)
		}
	}
	a.judged.Store(k, found)
	return found
}

// Facts travel through CEL as a value that no expression can do anything with.

var _ ref.Val = (*facts)(nil)

// ConvertToNative implements ref.Val.
func (f *facts) ConvertToNative(reflect.Type) (any, error) {
	return nil, errors.New("an instance is no value")
}

// ConvertToType implements ref.Val.
func (f *facts) ConvertToType(ref.Type) ref.Val { return types.NewErr("an instance is no value") }

// Equal implements ref.Val.
func (f *facts) Equal(other ref.Val) ref.Val { return types.Bool(other == ref.Val(f)) }

// Type implements ref.Val.
func (f *facts) Type() ref.Type { return types.NewOpaqueType(subject) }

// Value implements ref.Val.
func (f *facts) Value() any { return f }
