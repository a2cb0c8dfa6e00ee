package attest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/attest/provenance"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// Policy is everything that must hold of an image. Trust, At, Builders and Sources are required: a policy that lacks one
// is an error, and whoever means to do without says so with the field that is called Unsafe.
type Policy struct {
	// Trust says whose statements count.
	Trust Verifier
	// At is the time for which the question is asked; usually now.
	At time.Time
	// Builders are the ids of the builders whose provenance counts. They are compared as they are.
	Builders []string
	// Sources are the repositories that the image may have been built from: "https://git.example/team/app", or
	// "https://git.example/team/*" for all directly below. Without them an image that the same service built for somebody else
	// would do.
	Sources []string
	// Also is required beside provenance and passing verdicts of lint and tests.
	Also []Requirement
	// MaxAge is how old the verdicts of lint and tests may be. 0 is any age: an image does not change, but what is asked of it
	// does.
	MaxAge time.Duration

	// UnsafeAnyBuilder and UnsafeAnySource accept provenance whatever it says there.
	UnsafeAnyBuilder, UnsafeAnySource bool
	// UnsafeUnlinted and UnsafeUntested do without the verdict.
	UnsafeUnlinted, UnsafeUntested bool
	// UnsafeNoProvenance does without provenance, and so without any knowledge of builder and source.
	UnsafeNoProvenance bool
}

// compiled is a policy that can be asked.
type compiled struct {
	Policy
	sources  catalog.Repositories
	required []Requirement
	types    []string
}

func (p Policy) compile() (*compiled, error) {
	c := &compiled{Policy: p}
	var problems []error
	missing := func(wrong bool, text string) {
		if wrong {
			problems = append(problems, errors.New(text))
		}
	}
	missing(p.Trust == nil, "it says not whose statements count: set Trust")
	missing(p.At.IsZero(), "it says not at what time: set At")
	missing(!p.UnsafeNoProvenance && !p.UnsafeAnyBuilder && len(p.Builders) == 0, "it says not which builders count: set Builders, or UnsafeAnyBuilder")
	missing(!p.UnsafeNoProvenance && !p.UnsafeAnySource && len(p.Sources) == 0, "it says not which repositories count: set Sources, or UnsafeAnySource")
	missing(p.UnsafeAnyBuilder && len(p.Builders) > 0, "it names builders and accepts any")
	missing(p.UnsafeAnySource && len(p.Sources) > 0, "it names repositories and accepts any")
	missing(p.UnsafeNoProvenance && len(p.Builders)+len(p.Sources) > 0, "it names builders or repositories and does without provenance, which has them")
	var err error
	if c.sources, err = catalog.ParseRepositories(p.Sources...); err != nil {
		problems = append(problems, fmt.Errorf("its Sources: %w", err))
	}
	if !p.UnsafeUnlinted {
		r := LintPassed()
		r.MaxAge = p.MaxAge
		c.required = append(c.required, r)
	}
	if !p.UnsafeUntested {
		r := TestsPassed()
		r.MaxAge = p.MaxAge
		c.required = append(c.required, r)
	}
	c.required = append(c.required, p.Also...)
	for _, r := range c.required {
		missing(r.Name == "" || r.Type == "" || r.Check == nil, "a requirement needs a name, a type and a check")
		c.types = append(c.types, r.Type)
	}
	if !p.UnsafeNoProvenance {
		c.types = append(c.types, provenance.Type)
	}
	missing(len(c.types) == 0, "it requires nothing at all")
	slices.Sort(c.types)
	c.types = slices.Compact(c.types)
	if len(problems) > 0 {
		return nil, fmt.Errorf("policy: %w", errors.Join(problems...))
	}
	return c, nil
}

// provenance is the policy's own requirement.
func (c *compiled) provenance(p *provenance.Provenance) (why string) {
	if id := p.RunDetails.Builder.ID; !c.UnsafeAnyBuilder && !slices.Contains(c.Builders, id) {
		return fmt.Sprintf("it was built by %q, which is none of the builders that count", clip(id))
	}
	if repository, _ := p.Source(); !c.UnsafeAnySource && !c.sources.Has(repository) {
		return fmt.Sprintf("it was built from %q, which is none of the repositories that count", clip(repository))
	}
	return ""
}
