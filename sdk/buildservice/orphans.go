package buildservice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// RuleOrphan is the rule of an image in the registry that this service did not make.
const RuleOrphan = "IM9001"

// Tagger is what [Orphans] needs of a registry; *registry.Client is one.
type Tagger interface {
	Tags(ctx context.Context, repository string) ([]string, error)
	Resolve(ctx context.Context, ref string) (string, error)
	Tag(ctx context.Context, ref string, tags []string) error
}

// Orphans looks at every tag of some repositories and finds the images that the policy denies: those that came around the
// service, whoever's credentials were used. It tags each with mark and the first digits of its digest, unless mark is
// empty. Tags of evidence (sha256-...) are left out, as are images under such marks already. An image about which no
// answer could be had is a finding as well, since nothing vouches for it.
func Orphans(ctx context.Context, client Tagger, source attest.Source, repositories []string, policy attest.Policy, mark string) ([]finding.Finding, error) {
	var found []finding.Finding
	for _, repository := range repositories {
		tags, err := client.Tags(ctx, repository)
		if errors.Is(err, registry.ErrNotFound) { // nothing was published there yet
			continue
		}
		if err != nil {
			return found, err
		}
		images := map[string][]string{}
		for _, tag := range tags {
			if strings.HasPrefix(tag, "sha256-") || mark != "" && strings.HasPrefix(tag, mark+"-") {
				continue
			}
			digest, err := client.Resolve(ctx, repository+":"+tag)
			if err != nil {
				return found, err
			}
			images[digest] = append(images[digest], tag)
		}
		for digest, tags := range images {
			f, err := orphan(ctx, source, repository+"@"+digest, tags, policy)
			if err != nil {
				return found, err
			}
			if f == nil {
				continue
			}
			found = append(found, *f)
			if mark != "" {
				if err := client.Tag(ctx, repository+"@"+digest, []string{mark + "-" + strings.TrimPrefix(digest, "sha256:")[:12]}); err != nil {
					return found, err
				}
			}
		}
	}
	return finding.Sort(found), nil
}

// orphan is the finding about an image, or nil when the policy holds.
func orphan(ctx context.Context, source attest.Source, ref string, tags []string, policy attest.Policy) (*finding.Finding, error) {
	_, err := attest.Verify(ctx, source, ref, policy)
	if err == nil {
		return nil, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	slices.Sort(tags)
	return &finding.Finding{
		Rule: RuleOrphan, Severity: finding.Error, Place: finding.Place{Image: ref},
		Message: fmt.Sprintf("the image tagged %s was not made by the build service: %s", strings.Join(tags, ", "), firstLine(err.Error())),
		Help:    "find out who can push there; the start check denies such images",
	}, nil
}
