package lineage

import (
	"cmp"
	"fmt"
	"strings"
)

// What follows is for implementations of Store, so that all say the same.

// Merge completes an image that is put with what was known: fields that are empty keep their old values.
func (i *Image) Merge(old Image) {
	i.Platform, i.Config, i.Note = cmp.Or(i.Platform, old.Platform), cmp.Or(i.Config, old.Config), cmp.Or(i.Note, old.Note)
	i.Owner, i.Kind = cmp.Or(i.Owner, old.Owner), cmp.Or(i.Kind, old.Kind)
	if i.Chain == "" {
		i.Chain, i.Below, i.Layers = old.Chain, old.Below, cmp.Or(i.Layers, old.Layers)
	}
	if i.Created.IsZero() {
		i.Created = old.Created
	}
	if len(i.Manifests) == 0 {
		i.Manifests = old.Manifests
	}
	if i.Definition == (Definition{}) || i.Definition.Grade < old.Definition.Grade {
		i.Definition = old.Definition
	}
}

// SamePlatform says whether an index's manifest for a platform is a base of an image for another one, as far as both say
// so: one that says nothing fits all, since a base must not be missed.
func SamePlatform(manifest, image string) bool {
	return manifest == "" || image == "" || manifest == image
}

// LayerEdge is what layers say of an image that begins with a base's.
func LayerEdge(image Image, base string, layers int) Edge {
	return Edge{Image: image, Base: base, Role: RoleBase, Grade: GradeLayers, Source: fmt.Sprintf("its first %d of %d layers", layers, image.Layers)}
}

// TwinEdge is what layers say of two images with the same ones.
func TwinEdge(image Image, base string) Edge {
	return Edge{Image: image, Base: base, Role: RoleTwin, Grade: GradeLayers, Source: fmt.Sprintf("the same %d layers", image.Layers)}
}

// RepositoryOf is the repository that an edge's name is in, "" if it has none.
func RepositoryOf(name string) string {
	repository, _ := SplitName(strings.TrimSpace(name))
	return repository
}
