// Package harbour is a registry with a base in two versions and images that stand on the old one, with what a lineage index
// knows of them: what tests and measurements of storms move about.
package harbour

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/scan"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// Ship is an image to make.
type Ship struct {
	// Name is its repository; the tag is 1.0. On is the name of the image below; default the old base.
	Name, On string
	// Files are what it has beside a file of its own. One that both bases have makes a rebase impossible: [Changed].
	Files map[string]string
	// Owner is who answers for it, Commit from where it was built; default "1" with a definition of its own.
	Owner, Commit string
	// Builder is the name of an image that was at work in its build.
	Builder string
	// Grade is the evidence for all of this. Default: a build record.
	Grade lineage.Grade
}

// Changed is a file that the bases have and that is another in the new one.
const Changed = "etc/os-release"

// Harbour is a registry with its images. It is safe for concurrent use.
type Harbour struct {
	Host    string
	Client  *registry.Client
	Lineage lineage.Store
	// From and To are the bases, "host/base@sha256:...".
	From, To string

	mu     sync.Mutex
	images map[string]v1.Image // by name; the bases as base:12.8 and base:12.9
	ships  map[string]Ship
}

// New pushes the bases to a registry and tells the lineage of the old one.
func New(ctx context.Context, host string, client *registry.Client, store lineage.Store) (*Harbour, error) {
	h := &Harbour{Host: host, Client: client, Lineage: store, images: map[string]v1.Image{}, ships: map[string]Ship{}}
	for version, ref := range map[string]*string{"12.8": &h.From, "12.9": &h.To} {
		img, err := bare(version)
		if err != nil {
			return nil, err
		}
		h.images["base:"+version] = img
		index, err := registrytest.Index(img)
		if err != nil {
			return nil, err
		}
		pushed, err := client.Push(ctx, host+"/base", index, registry.PushOptions{Tags: []string{version}})
		if err != nil {
			return nil, err
		}
		*ref = host + "/base@" + pushed.DigestStr()
		b, err := scan.Index(index)
		if err != nil {
			return nil, err
		}
		b.Tags = append(b.Tags, lineage.Tag{Repository: host + "/base", Name: version, Digest: pushed.DigestStr(), Since: time.Now()})
		if err := store.Put(ctx, b); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// Open is a harbour that another process has made with New and Build, of the same ships.
func Open(ctx context.Context, host string, client *registry.Client, store lineage.Store, ships []Ship) (*Harbour, error) {
	h := &Harbour{Host: host, Client: client, Lineage: store, images: map[string]v1.Image{}, ships: map[string]Ship{}}
	for version, ref := range map[string]*string{"12.8": &h.From, "12.9": &h.To} {
		img, err := bare(version)
		if err != nil {
			return nil, err
		}
		h.images["base:"+version] = img
		digest, err := client.Resolve(ctx, host+"/base:"+version)
		if err != nil {
			return nil, err
		}
		*ref = host + "/base@" + digest
	}
	for _, s := range ships {
		s = s.defaults()
		if _, err := h.make(s, s.On); err != nil {
			return nil, err
		}
		h.ships[s.Name] = s
	}
	return h, nil
}

// bare is a base.
func bare(version string) (v1.Image, error) {
	return registrytest.Image(map[string]string{Changed: version, "usr/share/data": strings.Repeat(version, 1000)}, registrytest.ImageOptions{})
}

func (s Ship) defaults() Ship {
	s.On, s.Commit = cmp.Or(s.On, "base:12.8"), cmp.Or(s.Commit, "1")
	if s.Grade == lineage.GradeNone {
		s.Grade = lineage.GradeBuild
	}
	return s
}

// Question is to leave the old base for the new one.
func (h *Harbour) Question(campaign string) storm.Question {
	return storm.Question{
		Campaign: campaign, Because: "CVE-2026-1234 in libdemo", Severity: "high",
		Of:      lineage.Of{Repository: h.Host + "/base", Tag: func(tag string) bool { return tag == "12.8" }},
		Replace: storm.To(h.Host+"/base:12.9", strings.TrimPrefix(h.To, h.Host+"/base@"), false),
	}
}

// Policy takes the images' steps for copies: they are made without a builder, so their history names none.
func Policy() rebuild.Policy { return rebuild.Policy{Runs: true} }

// Build pushes an image and tells the lineage of it. It returns its digest.
func (h *Harbour) Build(ctx context.Context, s Ship) (string, error) {
	s = s.defaults()
	index, err := h.make(s, s.On)
	if err != nil {
		return "", err
	}
	pushed, err := h.Client.Push(ctx, h.Host+"/"+s.Name, index, registry.PushOptions{Tags: []string{"1.0"}})
	if err != nil {
		return "", err
	}
	b, err := scan.Index(index)
	if err != nil {
		return "", err
	}
	for i := range b.Images {
		img := &b.Images[i]
		if img.Kind != lineage.KindManifest {
			continue
		}
		img.Owner = s.Owner
		img.Definition = lineage.Definition{Repository: "https://git.example/" + s.Name, Commit: s.Commit, Path: "Dockerfile", Grade: s.Grade}
		for role, name := range map[lineage.Role]string{lineage.RoleBase: s.On, lineage.RoleStage: s.Builder} {
			if name == "" {
				continue
			}
			digest, err := h.image(name).Digest()
			if err != nil {
				return "", err
			}
			b.Edges = append(b.Edges, lineage.Edge{
				Image: lineage.Image{Digest: img.Digest}, Base: digest.String(), Name: h.ref(name), Role: role, Grade: s.Grade, Source: "build of " + s.Name,
			})
		}
	}
	b.Tags = append(b.Tags, lineage.Tag{Repository: h.Host + "/" + s.Name, Name: "1.0", Digest: pushed.DigestStr(), Since: time.Now()})
	h.mu.Lock()
	h.ships[s.Name] = s
	h.mu.Unlock()
	return pushed.DigestStr(), h.Lineage.Put(ctx, b)
}

// ref is what evidence calls an image.
func (h *Harbour) ref(name string) string {
	if strings.Contains(name, ":") {
		return h.Host + "/" + name
	}
	return h.Host + "/" + name + ":1.0"
}

func (h *Harbour) image(name string) v1.Image {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.images[name]
}

// make makes an image on another, and keeps it.
func (h *Harbour) make(s Ship, on string) (v1.ImageIndex, error) {
	files := map[string]string{"app/" + strings.ReplaceAll(s.Name, "/", "-"): s.Name}
	maps.Copy(files, s.Files)
	base := h.image(on)
	if base == nil {
		return nil, fmt.Errorf("there is no image %s", on)
	}
	img, err := registrytest.Image(files, registrytest.ImageOptions{Base: base})
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	if on == s.On {
		h.images[s.Name] = img
	}
	h.mu.Unlock()
	return registrytest.Index(img)
}

// Rebuild builds an image again on what its base is now, publishes it by digest, and returns the reference.
func (h *Harbour) Rebuild(ctx context.Context, item *storm.Item) (string, error) {
	h.mu.Lock()
	s, ok := h.ships[strings.TrimPrefix(item.Repository, h.Host+"/")]
	h.mu.Unlock()
	if !ok {
		return "", fmt.Errorf("%s has no definition", item.Repository)
	}
	base := "base:12.9"
	if s.On != "base:12.8" {
		base = s.On + " now"
		img, err := h.Client.Image(ctx, h.ref(s.On), "linux/amd64")
		if err != nil {
			return "", err
		}
		h.mu.Lock()
		h.images[base] = img
		h.mu.Unlock()
	}
	index, err := h.make(s, base)
	if err != nil {
		return "", err
	}
	pushed, err := h.Client.Push(ctx, item.Repository, index, registry.PushOptions{})
	if err != nil {
		return "", err
	}
	return item.Repository + "@" + pushed.DigestStr(), nil
}

// Check compares an image that a tag names now with what it should be on the new base, layer by layer, and validates both it
// and the one that was.
func (h *Harbour) Check(ctx context.Context, name, old string) error {
	repository := h.Host + "/" + name
	for _, ref := range []string{repository + ":1.0", repository + "@" + old} {
		img, err := h.Client.Image(ctx, ref, "linux/amd64")
		if err != nil {
			return err
		}
		if err := validate.Image(img); err != nil {
			return fmt.Errorf("%s: %w", ref, err)
		}
	}
	img, err := h.Client.Image(ctx, repository+":1.0", "linux/amd64")
	if err != nil {
		return err
	}
	got, err := diffIDs(img)
	if err != nil {
		return err
	}
	want, err := h.expected(name)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%s has the layers %s, want %s", path.Join(repository, "1.0"), got, want)
	}
	return nil
}

// expected are the layers of an image built from scratch on the new base.
func (h *Harbour) expected(name string) (string, error) {
	if name == "base:12.8" {
		name = "base:12.9"
	}
	h.mu.Lock()
	s, ship := h.ships[name]
	h.mu.Unlock()
	if !ship {
		return diffIDs(h.image(name))
	}
	below, err := h.expected(s.On)
	if err != nil {
		return "", err
	}
	layers, err := h.image(name).Layers()
	if err != nil {
		return "", err
	}
	own, err := layers[len(layers)-1].DiffID()
	return below + " " + own.String(), err
}

func diffIDs(img v1.Image) (string, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return "", err
	}
	var ids []string
	for _, id := range config.RootFS.DiffIDs {
		ids = append(ids, id.String())
	}
	return strings.Join(ids, " "), nil
}
