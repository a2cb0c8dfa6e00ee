package pipeline_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
)

// What was published stands, for each platform, on what the catalog decided; a scan need not have seen it.
func TestDeliveryRecordsItsLineage(t *testing.T) {
	s, d, order := open(t)
	store := lineage.NewMemory()
	d.Lineage = store
	order.Platforms, order.Tags, order.Invocation = []string{"linux/amd64", "linux/arm64"}, []string{"1.2.3"}, "build-7"
	order.Labels = map[string]string{pipeline.OwnerLabel: "team@example.com"}
	delivered, err := run(t, d, order)
	if err != nil {
		t.Fatal(err)
	}
	var bases []string
	for _, decision := range delivered.Plan.Decisions {
		for v, err := range lineage.Derived(t.Context(), store, lineage.Of{Digests: []string{decision.Digest}}, lineage.Options{}) {
			if err != nil {
				t.Fatal(err)
			}
			bases = append(bases, fmt.Sprintf("%s %s %s %s %s", v.Image.Platform, v.Edge.Role, v.Grade, v.Edge.Source, v.Image.Owner))
			if d := v.Image.Definition; d.Commit != delivered.Source.Commit || d.Grade != lineage.GradeBuild || d.Path == "" {
				t.Errorf("definition %+v", d)
			}
		}
	}
	slices.Sort(bases)
	want := []string{"linux/amd64 base build record build-7 team@example.com", "linux/arm64 base build record build-7 team@example.com"}
	if diff := cmp.Diff(want, slices.Compact(bases)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	_, digest, _ := strings.Cut(delivered.Reference, "@")
	for tag, err := range store.Tags(t.Context(), lineage.TagFilter{Repository: s.server.Host + "/team/app"}) {
		if err != nil || tag.Name != "1.2.3" || tag.Digest != digest {
			t.Errorf("%+v, %v", tag, err)
		}
	}
}
