package sqlite_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/sqlite"
)

// fleet is images in levels: a fiftieth of them are bases, ten levels deep, and all others stand on those. Each image has
// a record of its build, its layers and a tag.
type fleet struct{ images, bases int }

func (f fleet) digest(kind byte, i int) string {
	var b [9]byte
	b[0] = kind
	binary.BigEndian.PutUint64(b[1:], uint64(i))
	sum := sha256.Sum256(b[:])
	return "sha256:" + hex.EncodeToString(sum[:])
}

// below is what image i stands on: a base of the level below, or nothing. Bases 0 to 9 are the bottom of ten trees of
// equal size.
func (f fleet) below(i int) (base int, ok bool) {
	switch perLevel := max(f.bases/10, 1); {
	case i < perLevel:
		return 0, false
	case i < f.bases:
		return i - perLevel, true
	default:
		return (f.bases - perLevel) + i%perLevel, true
	}
}

func (f fleet) layers(i int) []string {
	var list []string
	for at, ok := i, true; ok; at, ok = f.below(at) {
		list = append([]string{f.digest('l', at)}, list...)
	}
	return list
}

func (f fleet) batch(from, to int) lineage.Batch {
	var b lineage.Batch
	for i := from; i < to; i++ {
		img := lineage.Image{
			Digest: f.digest('m', i), Kind: lineage.KindManifest, Platform: "linux/amd64", Config: f.digest('c', i), Owner: "team-" + strconv.Itoa(i%100),
			Definition: lineage.Definition{Repository: "https://git.example/" + strconv.Itoa(i%5000), Commit: f.digest('g', i)[7:47], Path: "Dockerfile", Grade: lineage.GradeBuild},
		}
		img.SetLayers(f.layers(i))
		b.Images = append(b.Images, img)
		b.Tags = append(b.Tags, lineage.Tag{Repository: "registry.example/app-" + strconv.Itoa(i%10000), Name: "1.0." + strconv.Itoa(i), Digest: img.Digest, Since: time.Unix(1_700_000_000, 0)})
		if base, ok := f.below(i); ok {
			b.Edges = append(b.Edges, lineage.Edge{Image: lineage.Image{Digest: img.Digest}, Base: f.digest('m', base), Role: lineage.RoleBase, Grade: lineage.GradeBuild, Source: "build " + strconv.Itoa(i)})
		}
	}
	return b
}

// fill puts a fleet into a new store.
func fill(b *testing.B, f fleet) (lineage.Store, string) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "lineage.db")
	store, err := sqlite.Open(b.Context(), path, sqlite.Options{CacheMiB: 256})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	for from := 0; from < f.images; from += 2000 {
		if err := store.Put(b.Context(), f.batch(from, min(from+2000, f.images))); err != nil {
			b.Fatal(err)
		}
	}
	return store, path
}

// sizes are 10 to 10,000 images, and as many as LINEAGE_IMAGES says: 1000000 takes some minutes.
func sizes() []int {
	list := []int{10, 100, 1000, 10_000}
	if n, err := strconv.Atoi(os.Getenv("LINEAGE_IMAGES")); err == nil {
		return []int{n}
	}
	return list
}

// BenchmarkFill puts a fleet into an empty file, in batches of 2,000.
func BenchmarkFill(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := fleet{n, max(n/50, 10)}
			for b.Loop() {
				_, path := fill(b, f)
				if info, err := os.Stat(path); err == nil {
					b.ReportMetric(float64(info.Size())/float64(n), "B/image")
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
}

// BenchmarkDerived asks for everything on a hundredth of the bottom level, through all ten levels: of 1,000,000 images that
// is some 10,000.
func BenchmarkDerived(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := fleet{n, max(n/50, 10)}
			store, _ := fill(b, f)
			found := 0
			of := lineage.Of{}
			for i := range max(1, f.bases/10/100) { // ten levels of some hundred bases, and what stands on the topmost
				of.Digests = append(of.Digests, f.digest('m', i))
			}
			for b.Loop() {
				found = 0
				for _, err := range lineage.Derived(b.Context(), store, of, lineage.Options{}) {
					if found++; err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(found), "found")
		})
	}
}
