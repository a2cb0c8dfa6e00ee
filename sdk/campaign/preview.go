package campaign

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
)

// Preview is what a ban means. Making one changes nothing.
type Preview struct {
	Version int         `json:"version"` // of this form: 1
	At      time.Time   `json:"at"`
	Ban     catalog.Ban `json:"ban"`
	// Effect is what the ban does now: "", "warn", "deny" or "lifted".
	Effect catalog.Effect `json:"effect"`
	// Images are the manifests that it denies, those that it names included. BuildOnly are those that only had it at work in
	// their build, Unowned those that nobody is known to answer for.
	Images    int `json:"images"`
	BuildOnly int `json:"buildOnly"`
	Unowned   int `json:"unowned"`
	// Evidence counts the images by how it is known that they stand on what is banned.
	Evidence map[string]int `json:"evidence"`
	// Running are instances of these images.
	Running []lineage.Instance `json:"running"`
	// Owners are those who will be told, the hardest hit first.
	Owners []Owner `json:"owners"`
	// Excepted are projects whose images are warned and not denied.
	Excepted []Excepted `json:"excepted"`
	// Storm is what would be replaced, how and in which order; NoStorm says why nothing is.
	Storm   *storm.Preview `json:"storm,omitempty"`
	NoStorm string         `json:"noStorm,omitempty"`
}

// Owner is who answers for images that a ban denies.
type Owner struct {
	// Name is "" for images that nobody is known to answer for.
	Name     string `json:"name"`
	Images   int    `json:"images"`
	Running  int    `json:"running"`
	Rebases  int    `json:"rebases"`
	Rebuilds int    `json:"rebuilds"`
	// Left are images that can't be replaced by themselves.
	Left int `json:"left"`
}

// Excepted is a project with an exception from the ban.
type Excepted struct {
	Project   catalog.Project `json:"project"`
	Exception string          `json:"exception"`
	Owner     string          `json:"owner"`
	Until     catalog.Date    `json:"until"`
	Images    int             `json:"images"`
}

// Look says what a ban of the catalog means now, or will once it denies. A preview without Parts.Planner has no storm, and
// asks no registry.
func Look(ctx context.Context, parts Parts, ban string) (*Preview, error) {
	parts.defaults()
	cat, err := parts.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	b, err := find(cat, ban)
	if err != nil {
		return nil, err
	}
	l := &looking{parts: parts, catalog: cat, ban: b, owners: map[string]*Owner{}, projects: map[string]*Excepted{}, meant: map[string]string{}}
	l.out = &Preview{
		Version: 1, At: parts.Now().UTC(), Ban: b.Ban, Effect: b.Effect(parts.Now()), Evidence: map[string]int{},
		Running: []lineage.Instance{}, Owners: []Owner{}, Excepted: []Excepted{},
	}
	for _, step := range []func(context.Context) error{l.images, l.running, l.storm} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("ban %s: %w", ban, err)
		}
	}
	return l.finish(), nil
}

func find(cat *catalog.Catalog, ban string) (*catalog.BanMatcher, error) {
	var known []string
	for _, b := range cat.Bans() {
		if b.ID == ban {
			return &b, nil
		}
		known = append(known, b.ID)
	}
	return nil, fmt.Errorf("ban %s: %w in the catalog, which has: %s", ban, ErrNotFound, cmp.Or(strings.Join(known, ", "), "no bans"))
}

// looking is a preview in the making.
type looking struct {
	parts    Parts
	catalog  *catalog.Catalog
	ban      *catalog.BanMatcher
	out      *Preview
	owners   map[string]*Owner
	projects map[string]*Excepted // by project; nil for one without an exception
	meant    map[string]string    // digest to owner
}

// denied are the images that the ban means.
func denied(ctx context.Context, store lineage.Store, ban *catalog.BanMatcher) iter.Seq2[lineage.Visit, error] {
	if ban.Package == nil {
		return lineage.Derived(ctx, store, lineage.OfBan(ban), lineage.Options{Self: true})
	}
	return func(yield func(lineage.Visit, error) bool) {
		for c, err := range lineage.Carrying(ctx, store, *ban.Package) {
			if !yield(lineage.Visit{Image: c.Image, Runtime: true, Grade: c.Grade}, err) || err != nil {
				return
			}
		}
	}
}

func (l *looking) images(ctx context.Context) error {
	for v, err := range denied(ctx, l.parts.Lineage, l.ban) {
		if err != nil {
			return err
		}
		if v.Image.Digest == "" || v.Image.Kind == lineage.KindIndex {
			continue
		}
		l.out.Images++
		l.out.Evidence[v.Grade.String()]++
		if !v.Runtime {
			l.out.BuildOnly++
		}
		l.owner(v.Image.Owner).Images++
		l.meant[v.Image.Digest] = v.Image.Owner
		if v.Image.Config != "" {
			l.meant[v.Image.Config] = v.Image.Owner
		}
		if err := l.excepted(v.Image); err != nil {
			return err
		}
	}
	l.out.Unowned = l.owner("").Images
	return nil
}

func (l *looking) owner(name string) *Owner {
	if l.owners[name] == nil {
		l.owners[name] = &Owner{Name: name}
	}
	return l.owners[name]
}

// excepted counts an image of a project with an exception, by the same evidence that a deny bundle asks for.
func (l *looking) excepted(img lineage.Image) error {
	d := img.Definition
	if d.Repository == "" || d.Grade < lineage.GradeBuild {
		return nil
	}
	project := projectOf(d)
	key := project.Repository + " " + project.Directory
	use, known := l.projects[key]
	if !known {
		at := l.parts.Now()
		if begin := l.ban.DenyFrom.Begin(); begin.After(at) {
			at = begin
		}
		e, ok, err := l.catalog.Excepted(l.ban.ID, project, at)
		if err != nil {
			return err
		}
		if ok {
			use = &Excepted{Project: project, Exception: e.ID, Owner: e.Owner, Until: e.Until}
		}
		l.projects[key] = use
	}
	if use != nil {
		use.Images++
	}
	return nil
}

func projectOf(d lineage.Definition) catalog.Project {
	return catalog.Project{Repository: d.Repository, Directory: path.Dir(path.Clean("/" + d.Path))[1:]}
}

// running looks at everything that runs: an instance may be known by its index, of which the images themselves know
// nothing.
func (l *looking) running(ctx context.Context) error {
	var others []lineage.Instance
	for i, err := range l.parts.Lineage.Instances(ctx, nil) {
		if err != nil {
			return err
		}
		if owner, ok := l.meant[i.Digest]; ok {
			l.runs(i, owner)
		} else {
			others = append(others, i)
		}
	}
	for part := range slices.Chunk(others, 1000) {
		var digests []string
		for _, i := range part {
			digests = append(digests, i.Digest)
		}
		slices.Sort(digests)
		of := map[string]string{}
		for img, err := range l.parts.Lineage.Images(ctx, slices.Compact(digests)) {
			if err != nil {
				return err
			}
			for _, m := range img.Manifests {
				if owner, ok := l.meant[m.Digest]; ok {
					of[img.Digest] = owner
				}
			}
		}
		for _, i := range part {
			if owner, ok := of[i.Digest]; ok {
				l.runs(i, owner)
			}
		}
	}
	return nil
}

func (l *looking) runs(i lineage.Instance, owner string) {
	l.out.Running = append(l.out.Running, i)
	l.owner(owner).Running++
}

func (l *looking) storm(ctx context.Context) error {
	switch {
	case l.parts.Planner == nil:
		l.out.NoStorm = "no storm is set up: nothing is replaced by itself"
		return nil
	case l.ban.Package != nil:
		l.out.NoStorm = "it bans a package, not a base: ban the bases that carry it, and their images are replaced"
		return nil
	case l.out.Effect == catalog.EffectLifted:
		l.out.NoStorm = "it was lifted"
		return nil
	}
	if l.parts.Facts == nil {
		return errors.New("a storm needs Parts.Facts: what the catalog asks of registries")
	}
	question, err := storm.FromBan(l.catalog, l.ban.ID, l.parts.Facts, l.parts.Now())
	if err != nil {
		return err
	}
	if l.out.Storm, err = l.parts.Planner.Preview(ctx, question); err != nil {
		return err
	}
	for _, item := range l.out.Storm.Items {
		switch o := l.owner(item.Owner); item.Verb {
		case rebuild.DoRebase:
			o.Rebases++
		case rebuild.DoRebuild:
			o.Rebuilds++
		default:
			o.Left++
		}
	}
	return nil
}

func (l *looking) finish() *Preview {
	for _, o := range l.owners {
		if *o != (Owner{Name: o.Name}) {
			l.out.Owners = append(l.out.Owners, *o)
		}
	}
	slices.SortFunc(l.out.Owners, func(a, b Owner) int {
		return cmp.Or(b.Running-a.Running, b.Images-a.Images, strings.Compare(a.Name, b.Name))
	})
	for _, e := range l.projects {
		if e != nil {
			l.out.Excepted = append(l.out.Excepted, *e)
		}
	}
	slices.SortFunc(l.out.Excepted, func(a, b Excepted) int {
		return cmp.Or(strings.Compare(a.Project.Repository, b.Project.Repository), strings.Compare(a.Project.Directory, b.Project.Directory))
	})
	slices.SortFunc(l.out.Running, func(a, b lineage.Instance) int {
		return cmp.Or(strings.Compare(a.Place, b.Place), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return l.out
}
