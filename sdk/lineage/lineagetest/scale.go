package lineagetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// large: batches and questions past what one statement of a database takes.
func large(t *testing.T, s lineage.Store) {
	const n = 3000
	var b lineage.Batch
	var digests []string
	for i := range n {
		name := fmt.Sprint("app ", i)
		b.Images = append(b.Images, manifest(name, "linux/amd64", "base", name))
		b.Edges = append(b.Edges, on(name, "base", lineage.RoleBase, lineage.GradeBuild))
		b.Tags = append(b.Tags, lineage.Tag{Repository: "apps", Name: fmt.Sprintf("t%06d", i), Digest: digest(name)})
		digests = append(digests, digest(name))
	}
	put(t, s, b)
	put(t, s, lineage.Batch{Images: []lineage.Image{manifest("base", "linux/amd64", "base")}})
	if got := all(t, s.Images(t.Context(), digests)); len(got) != n {
		t.Errorf("%d images, want %d", len(got), n)
	}
	if got := all(t, s.On(t.Context(), ask(t, s, "base"))); len(got) != 2*n {
		t.Errorf("%d edges, want %d", len(got), 2*n)
	}
	if got := all(t, s.Under(t.Context(), b.Images)); len(got) != 2*n {
		t.Errorf("%d edges under, want %d", len(got), 2*n)
	}
	if got := all(t, s.Tags(t.Context(), lineage.TagFilter{Digests: digests})); len(got) != n {
		t.Errorf("%d tags, want %d", len(got), n)
	}
	for _, err := range s.Unowned(t.Context()) { // an iterator that is left early holds nothing up
		if err != nil {
			t.Error(err)
		}
		break
	}
	put(t, s, lineage.Batch{Marks: map[string]string{"after": "1"}})
}

// concurrent: many may write and read; what is written is read afterwards.
func concurrent(t *testing.T, s lineage.Store) { Together(t, s, s) }

// Together has two stores that share their data, as two programs do, written and read at the same time: what each writes
// is there afterwards, once.
func Together(t *testing.T, a, b lineage.Store) {
	var wg sync.WaitGroup
	for worker := range 8 {
		s := []lineage.Store{a, b}[worker%2]
		wg.Go(func() {
			for i := range 10 {
				name := fmt.Sprintf("%d/%d", worker, i)
				err := s.Put(t.Context(), lineage.Batch{
					Images: []lineage.Image{manifest(name, "linux/amd64", "base", name), manifest("base", "linux/amd64", "base")},
					Edges:  []lineage.Edge{on(name, "base", lineage.RoleBase, lineage.GradeBuild)},
				})
				if err != nil {
					t.Errorf("put %s: %v", name, err)
					return
				}
				for _, err := range s.On(t.Context(), []lineage.Image{manifest("base", "linux/amd64", "base")}) {
					if err != nil {
						t.Errorf("on: %v", err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if got := all(t, a.On(t.Context(), ask(t, b, "base"))); len(got) != 160 {
		t.Errorf("%d edges, want 80 of builds and 80 of layers", len(got))
	}
}

// worlds is how many images the random graph has.
const worlds = 60

// model: random worlds, put in random order and pieces, answer as lineage.Memory does.
func model(t *testing.T, s lineage.Store) {
	memory := lineage.NewMemory()
	random := rand.New(rand.NewPCG(1, 2))
	roles := []lineage.Role{lineage.RoleBase, lineage.RoleStage, lineage.RoleCopy}
	grades := []lineage.Grade{lineage.GradeAnnotation, lineage.GradeUnsigned, lineage.GradeBuild, lineage.GradeSigned}
	var batches []lineage.Batch
	var images []lineage.Image
	for i := range worlds {
		var layers []string
		if i > 0 && random.IntN(4) > 0 {
			layers = strings.Fields(images[random.IntN(len(images))].Note)
		}
		for range random.IntN(3) {
			layers = append(layers, fmt.Sprint(random.IntN(40)))
		}
		img := manifest(fmt.Sprint(i), []string{"linux/amd64", "linux/arm64", ""}[random.IntN(3)], layers...)
		img.Note = strings.Join(layers, " ")
		images = append(images, img)
		b := lineage.Batch{Images: []lineage.Image{img}}
		for range random.IntN(3) {
			other := random.IntN(worlds)
			e := on(fmt.Sprint(i), fmt.Sprint(other), roles[random.IntN(3)], grades[random.IntN(4)])
			switch random.IntN(4) {
			case 0:
				e.Base = digest(fmt.Sprint("index ", other/3))
			case 1:
				e.Base = digest(fmt.Sprint("config of ", other))
			}
			if e.Base != img.Digest {
				b.Edges = append(b.Edges, e)
			}
		}
		if i%3 == 2 {
			b.Images = append(b.Images, index(fmt.Sprint("index ", i/3), images[i-2:]...))
		}
		batches = append(batches, b)
	}
	random.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
	for _, b := range batches {
		put(t, memory, b)
		put(t, s, b)
	}
	for i := range images {
		for _, d := range []string{images[i].Digest, images[i].Config, digest(fmt.Sprint("index ", i/3))} {
			of := lineage.Of{Digests: []string{d}}
			for name, walk := range map[string]func(lineage.Store) []string{
				"derived": func(s lineage.Store) []string {
					return visits(all(t, lineage.Derived(t.Context(), s, of, lineage.Options{})))
				},
				"bases": func(s lineage.Store) []string {
					return visits(all(t, lineage.Bases(t.Context(), s, of, lineage.Options{})))
				},
			} {
				if diff := cmp.Diff(walk(memory), walk(s)); diff != "" {
					t.Fatalf("%s of %d (-memory +store)\n%s", name, i, diff)
				}
			}
		}
	}
}

// visits writes what must not differ between stores: which images, and how good the way to each is.
func visits(list []lineage.Visit) []string {
	var lines []string
	for _, v := range list {
		lines = append(lines, fmt.Sprintf("%s runtime=%t %s", v.Image.Digest, v.Runtime, v.Grade))
	}
	slices.Sort(lines)
	return lines
}
