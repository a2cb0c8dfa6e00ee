package catalog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/catalogtest"
)

func largeCatalog(entries int) []byte {
	var b strings.Builder
	b.WriteString("version: 1\nowner: platform\nbases:\n")
	for i := range entries {
		fmt.Fprintf(&b, "  - repository: registry.example/team%d/base%d\n    versions: \">=1.%d <2\"\n    suffix: alpine\n    platforms: [linux/amd64, linux/arm64]\n", i%50, i, i%9)
	}
	return []byte(b.String())
}

func BenchmarkLoad1000Entries(b *testing.B) {
	src := largeCatalog(1000)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := catalog.Load("catalog.yaml", src); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkPlan(b *testing.B, dockerfile string) {
	b.Helper()
	cat, err := catalog.Load("catalog.yaml", largeCatalog(1000))
	if err != nil {
		b.Fatal(err)
	}
	registry := catalogtest.Tags()
	for i := range 10 {
		registry.Images[fmt.Sprintf("registry.example/team%d/base%d:1.9.3-alpine", i, i)] = catalogtest.Image{}
	}
	q := catalog.Question{Inputs: catalogtest.Inputs(dockerfile, registry), At: day("2026-07-01")}
	b.ReportAllocs()
	for b.Loop() {
		plan, err := cat.Plan(b.Context(), q, nil)
		if err != nil || len(plan.Decisions) != 10 {
			b.Fatal(plan, err)
		}
	}
}

func BenchmarkPlan10Inputs(b *testing.B) {
	var dockerfile strings.Builder
	for i := range 10 {
		fmt.Fprintf(&dockerfile, "FROM registry.example/team%d/base%d:1.9.3-alpine\n", i, i)
	}
	benchmarkPlan(b, dockerfile.String())
}

func BenchmarkPlan10Denied(b *testing.B) {
	benchmarkPlan(b, strings.Repeat("FROM registry.example/evil/basse1:1.9.3-alpine\n", 10))
}
