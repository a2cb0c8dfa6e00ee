package catalog_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/catalogtest"
)

const newestDebian = `version: 1
owner: o
bases:
  - {repository: docker.io/library/debian, versions: ">=12 <13", suffix: slim}
substitutions:
  - {from: {repository: docker.io/library/debian, versions: ">=12 <12.500", suffix: slim}, to: {newest: ">=12 <13"}, reason: r}
`

// A registry that does not answer, has no such tag, or answers nonsense gives no plan.
func TestRegistriesInTrouble(t *testing.T) {
	cat := load(t, newestDebian)
	question := func(ctx context.Context, facts catalog.Facts) (*catalog.Plan, error) {
		return cat.Plan(ctx, catalog.Question{At: day("2026-07-01"), Inputs: catalogtest.Inputs("FROM debian:12.0.0-slim", catalogtest.Tags("docker.io/library/debian:12.0.0-slim"))}, facts)
	}
	hanging := facts{tags: func(ctx context.Context) ([]string, error) { <-ctx.Done(); return nil, ctx.Err() }}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name  string
		ctx   context.Context //nolint:containedctx // a row of a test
		facts catalog.Facts
		want  string
	}{
		{"hangs", ctx, hanging, "context canceled"},
		{"is down", t.Context(), facts{tags: func(context.Context) ([]string, error) { return nil, errors.New("no route") }}, "no route"},
		{"lists a tag that it does not have", t.Context(), facts{resolve: "", err: errors.New("not found")}, "not found"},
		{"answers nonsense", t.Context(), facts{resolve: "sha256:short"}, `the registry's digest "sha256:short" is not sha256: and 64 hex digits`},
		{"nobody to ask", t.Context(), nil, "was given no facts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if plan, err := question(tt.ctx, tt.facts); plan != nil || err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "Dockerfile:1:6: ") {
				t.Errorf("got %v, %v", plan, err)
			}
		})
	}
}

type facts struct {
	tags    func(ctx context.Context) ([]string, error)
	resolve string
	err     error
}

func (f facts) Tags(ctx context.Context, _ string) ([]string, error) {
	if f.tags == nil {
		return []string{"12.600.0-slim"}, nil
	}
	return f.tags(ctx)
}

func (f facts) Resolve(context.Context, string) (string, error) { return f.resolve, f.err }
