package baseimage_test

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/plimsoll-dev/plimsoll/internal/baseimage"
)

func TestImagesAreValidAndReproducible(t *testing.T) {
	a, err := baseimage.Userland(t.Context(), "1.4.8")
	if err != nil {
		t.Fatal(err)
	}
	b, err := baseimage.Userland(t.Context(), "1.4.8")
	if err != nil {
		t.Fatal(err)
	}
	da, _ := a.Digest()
	db, _ := b.Digest()
	if da != db {
		t.Errorf("the same version has two digests: %s and %s", da, db)
	}
	golang, err := baseimage.Golang(t.Context(), a, "fmt")
	if err != nil {
		t.Fatal(err)
	}
	store, err := layout.Write(t.TempDir(), mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: a}, mutate.IndexAddendum{Add: golang}))
	if err != nil {
		t.Fatal(err)
	}
	index, err := store.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
}
