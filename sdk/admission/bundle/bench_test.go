package bundle_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
)

// million is a bundle of 1,000,000 denied digests on 20,000 bases in 10 levels.
var million = sync.OnceValue(func() []byte {
	b := bundle.NewBuilder(header(1))
	ban := b.Ban(bundle.Ban{ID: "BAN-2026-17", Reason: "CVE-2026-12345 in openssl", DenyFrom: now, WayOut: "build on base/debian:12.9"})
	var level []bundle.NodeID
	for depth := range 10 {
		next := make([]bundle.NodeID, 0, 2000)
		for i := range 2000 {
			n := bundle.Node{Name: fmt.Sprintf("registry.example/base/l%d-%d:1.0", depth, i), Digest: digest(-10000*depth - i - 1)}
			if depth > 0 {
				n.Base, n.Role, n.Evidence = level[i], "base", "signed provenance"
			}
			next = append(next, b.Node(n))
		}
		level = next
	}
	for i := range 1_000_000 {
		b.Deny(digest(i), bundle.Cause{Ban: ban, On: level[i%2000], Role: "base", Evidence: "signed provenance"})
	}
	var out bytes.Buffer
	if err := b.Write(context.Background(), &out, ops); err != nil {
		panic(err)
	}
	return out.Bytes()
})

// BenchmarkFind decides about digests of a bundle of 1,000,000, in memory: a denied one with its path of ten images, and
// one that is not listed. It reports the 99th percentile beside the mean.
func BenchmarkFind(b *testing.B) {
	deny := load(b, million())
	for name, first := range map[string]int{"denied": 0, "not listed": 2_000_000} {
		b.Run(name, func(b *testing.B) {
			digests := make([]string, 4096)
			for i := range digests {
				digests[i] = digest(first + i*211)
			}
			took := make([]time.Duration, 0, 1<<20)
			for i := 0; b.Loop(); i++ {
				start := time.Now()
				entry, err := deny.Find(digests[i%len(digests)])
				if len(took) < cap(took) {
					took = append(took, time.Since(start))
				}
				if err != nil || entry.Listed != (first == 0) || entry.Listed && len(entry.Denials[0].Path) != 10 {
					b.Fatal(entry, err)
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1000, "p99-us")
		})
	}
}

// BenchmarkLoad reads a file of 1,000,000 digests and checks all of it: what a daemon does at its start and for a new
// bundle. It reports the memory that stays.
func BenchmarkLoad(b *testing.B) {
	path := file(b)
	b.ResetTimer()
	for b.Loop() {
		data, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		load(b, data)
	}
	b.StopTimer()
	before := heap()
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	deny := load(b, data)
	if _, err := deny.Find(digest(0)); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(heap()-before)/(1<<20), "MiB-kept")
	b.ReportMetric(float64(len(data))/(1<<20), "MiB-file")
	runtime.KeepAlive(deny)
}

// BenchmarkOpen opens a file of 1,000,000 digests and looks three up that are not listed: what one start through the
// wrapper costs.
func BenchmarkOpen(b *testing.B) {
	path := file(b)
	b.ResetTimer()
	for b.Loop() {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			b.Fatal(err)
		}
		deny, err := bundle.Open(b.Context(), f, info.Size(), ops)
		if err != nil {
			b.Fatal(err)
		}
		for i := range 3 {
			if e, err := deny.Find(digest(2_000_000 + i)); err != nil || e.Listed {
				b.Fatal(e, err)
			}
		}
		f.Close()
	}
}

func file(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "bundle")
	if err := os.WriteFile(path, million(), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
