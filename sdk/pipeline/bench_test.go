package pipeline_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
)

// BenchmarkDelivery is all that Plimsoll adds around a build, on a warm registry: the builder only makes a small image.
// It reports the milliseconds of each stage beside the whole.
func BenchmarkDelivery(b *testing.B) {
	s, err := newShop()
	if err != nil {
		b.Fatal(err)
	}
	defer s.close()
	cat, err := catalog.Load("catalog.yaml", s.catalog)
	if err != nil {
		b.Fatal(err)
	}
	d := pipeline.Delivery{Catalog: cat, Registry: s.client, Builder: s.builder(), Sandbox: s.runtime(), Rules: rules.All()}
	stages := map[string]time.Duration{}
	for n := 0; b.Loop(); n++ {
		layout := filepath.Join(s.dir, fmt.Sprint("layout-", n))
		got, err := d.Run(b.Context(), pipeline.NewRun(pipeline.Options{}), pipeline.Order{
			Repository: s.repository, Ref: "v1.2.3", Layout: layout, Publish: s.server.Ref("team/app"),
		})
		if err != nil {
			b.Fatal(err)
		}
		for _, r := range got.Records {
			stages[r.Stage] += r.Duration
		}
		_ = os.RemoveAll(layout)
	}
	for stage, total := range stages {
		b.ReportMetric(float64(total.Microseconds())/1000/float64(b.N), stage+"-ms/op")
	}
}
