package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// Facts answers what the catalog can't know by itself. Package registry's client implements it.
// Implementations are safe for concurrent use.
type Facts interface {
	// Resolve returns the digest ("sha256:...") that a full image reference means now.
	Resolve(ctx context.Context, ref string) (digest string, err error)
	// Tags lists all tags of a repository ("docker.io/library/debian").
	Tags(ctx context.Context, repository string) ([]string, error)
}

// ConfigFacts is for Facts that can read image configs, as package registry's client does. Entries with an age and bans
// by digest need it: a ban of one platform's manifest is found behind the digest of an index that has it.
type ConfigFacts interface {
	// Config returns what a reference with digest means on a platform.
	Config(ctx context.Context, ref, platform string) (ImageConfig, error)
}

// PackageFacts is for Facts that know what is installed in images. Bans by package need it.
type PackageFacts interface {
	// Carries says whether an image ("repository@sha256:...") has the package on the platform, in one of the versions and
	// distributions meant. Package blackbox/packages/installed has it.
	Carries(ctx context.Context, ref, platform string, pkg Package) (bool, error)
}

// SignatureFacts is for Facts that can check signatures. Entries with a signature need it.
type SignatureFacts interface {
	// Signed says whether an image ("repository@sha256:...") has a cosign signature by the PEM public key. Package
	// attest/cosign has it.
	Signed(ctx context.Context, ref, key string) (bool, error)
}

// FactSet is facts put together of parts: a registry's, and where the catalog needs them a checker of signatures and a
// reader of packages. Parts that are nil can't be asked; a catalog that needs one gets an error, which denies.
type FactSet struct {
	Facts
	// Signatures checks the signatures that entries ask for; package attest/cosign has one.
	Signatures SignatureFacts
	// Packages reads what is installed; package blackbox/packages/installed has one.
	Packages PackageFacts
}

// Config implements [ConfigFacts] if Facts does.
func (f FactSet) Config(ctx context.Context, ref, platform string) (ImageConfig, error) {
	configs, ok := f.Facts.(ConfigFacts)
	if !ok {
		return ImageConfig{}, fmt.Errorf("%s: the plan needs its config and the facts given can't read it", ref)
	}
	return configs.Config(ctx, ref, platform)
}

// Signed implements [SignatureFacts].
func (f FactSet) Signed(ctx context.Context, ref, key string) (bool, error) {
	if f.Signatures == nil {
		return false, fmt.Errorf("%s: the catalog wants a signature and the facts given can't check one", ref)
	}
	return f.Signatures.Signed(ctx, ref, key)
}

// Carries implements [PackageFacts].
func (f FactSet) Carries(ctx context.Context, ref, platform string, pkg Package) (bool, error) {
	if f.Packages == nil {
		return false, fmt.Errorf("%s: the catalog bans package %s and the facts given don't know what is installed", ref, pkg.Name)
	}
	return f.Packages.Carries(ctx, ref, platform, pkg)
}

// lookup asks each question once per plan, also when asked for concurrently.
type lookup struct {
	facts    Facts
	resolved memo[string]
	tagged   memo[[]string]
	configs  memo[ImageConfig]
	signed   memo[bool]
	carried  memo[bool]
}

func (l *lookup) resolve(ctx context.Context, ref reference) (string, error) {
	return l.resolved.get(ref.String(), func() (string, error) {
		if l.facts == nil {
			return "", fmt.Errorf("%s: the plan needs its digest and was given no facts", ref)
		}
		digest, err := l.facts.Resolve(ctx, ref.String())
		if err == nil && !validDigest(digest) {
			err = fmt.Errorf("%s: the registry's digest %q is not sha256: and 64 hex digits", ref, clip(digest))
		}
		return digest, err
	})
}

func (l *lookup) tags(ctx context.Context, repository string) ([]string, error) {
	return l.tagged.get(repository, func() ([]string, error) {
		if l.facts == nil {
			return nil, fmt.Errorf("%s: the plan needs its tags and was given no facts", repository)
		}
		return l.facts.Tags(ctx, repository)
	})
}

func (l *lookup) config(ctx context.Context, ref reference, platform string) (ImageConfig, error) {
	ref.tag = ""
	return l.configs.get(ref.String()+" "+platform, func() (ImageConfig, error) {
		facts, ok := l.facts.(ConfigFacts)
		if !ok {
			return ImageConfig{}, fmt.Errorf("%s: the plan needs its config and the facts given can't read it", ref)
		}
		return facts.Config(ctx, ref.String(), platform)
	})
}

// created is when an image was made, as its config says. Reproducible builds say 1970 or so: that is no answer.
func (l *lookup) created(ctx context.Context, ref reference, platform string) (time.Time, error) {
	image, err := l.config(ctx, ref, platform)
	if err != nil {
		return time.Time{}, err
	}
	var config struct {
		Created time.Time `json:"created"`
	}
	if err := json.Unmarshal(image.Config, &config); err != nil {
		return time.Time{}, fmt.Errorf("%s: image config: %w", ref, err)
	}
	if config.Created.Year() < 2000 {
		return time.Time{}, nil
	}
	return config.Created, nil
}

func (l *lookup) isSigned(ctx context.Context, ref reference, key string) (bool, error) {
	ref.tag = ""
	return l.signed.get(ref.String()+" "+key, func() (bool, error) {
		facts, ok := l.facts.(SignatureFacts)
		if !ok {
			return false, fmt.Errorf("%s: the catalog wants a signature and the facts given can't check one", ref)
		}
		return facts.Signed(ctx, ref.String(), key)
	})
}

func (l *lookup) carries(ctx context.Context, ref reference, platform string, pkg Package) (bool, error) {
	ref.tag = ""
	return l.carried.get(fmt.Sprintf("%s %s %q", ref, platform, pkg), func() (bool, error) {
		facts, ok := l.facts.(PackageFacts)
		if !ok {
			return false, fmt.Errorf("%s: the catalog bans package %s and the facts given don't know what is installed", ref, pkg.Name)
		}
		return facts.Carries(ctx, ref.String(), platform, pkg)
	})
}

// memo remembers answers and errors by key. Its zero value is ready.
type memo[T any] struct {
	mu    sync.Mutex
	cells map[string]*cell[T]
}

type cell[T any] struct {
	once  sync.Once
	value T
	err   error
}

func (m *memo[T]) get(key string, ask func() (T, error)) (T, error) {
	m.mu.Lock()
	if m.cells == nil {
		m.cells = map[string]*cell[T]{}
	}
	c, ok := m.cells[key]
	if !ok {
		c = &cell[T]{}
		m.cells[key] = c
	}
	m.mu.Unlock()
	c.once.Do(func() { c.value, c.err = ask() })
	return c.value, c.err
}
