package lineage

import (
	"time"
)

// Kind is what a digest names.
type Kind string

// The kinds. An image that edges name and that nobody has seen has none.
const (
	KindUnknown  Kind = ""
	KindManifest Kind = "manifest"
	KindIndex    Kind = "index"
)

// Image is a manifest or an index, by its digest. All but Digest may be unknown.
type Image struct {
	// Digest is of the manifest or index: "sha256:...".
	Digest string `json:"digest"`
	Kind   Kind   `json:"kind,omitempty"`
	// Platform is "linux/amd64" or "linux/arm/v7", for manifests.
	Platform string `json:"platform,omitempty"`
	// Config is the digest of a manifest's config. Docker without the containerd image store calls it the image's id.
	Config string `json:"config,omitempty"`
	// Chain is the ChainID of all the layers: "sha256:...". See [Chains].
	Chain string `json:"chain,omitempty"`
	// Below are the ChainIDs of the layers below, from the first layer on, without Chain. They go into a store with an image
	// and do not come out of it again.
	Below []string `json:"-"`
	// Layers is how many layers there are.
	Layers int `json:"layers,omitempty"`
	// Manifests are what an index lists, attestations left out.
	Manifests []Child `json:"manifests,omitempty"`
	// Created is when the image says that it was made, if it says so believably (reproducible builds say 1970).
	Created time.Time `json:"created,omitzero"`
	// Owner is who answers for the image, by whatever name the organisation uses; "" means that nobody is known to.
	Owner string `json:"owner,omitempty"`
	// Definition is what the image was built from.
	Definition Definition `json:"definition,omitzero"`
	// Note says what makes the image's evidence poorer than usual: "squashed", "no history", "schema 1".
	Note string `json:"note,omitempty"`
}

// Child is a manifest in an index.
type Child struct {
	Digest   string `json:"digest"`
	Platform string `json:"platform,omitempty"` // as the index says
}

// Definition is a container definition in source control.
type Definition struct {
	// Repository is the URL of the source repository.
	Repository string `json:"repository,omitempty"`
	// Commit is the full commit id, or what the image calls its revision.
	Commit string `json:"commit,omitempty"`
	// Path is the Dockerfile's (or other definition's) path in the repository.
	Path string `json:"path,omitempty"`
	// Grade is how this is known.
	Grade Grade `json:"evidence,omitempty"`
}

// String is "repository@commit//path", as far as it is known.
func (d Definition) String() string {
	s := d.Repository
	if d.Commit != "" {
		s += "@" + d.Commit
	}
	if d.Path != "" {
		s += "//" + d.Path
	}
	return s
}

// Tag is what a tag pointed to, for a time.
type Tag struct {
	// Repository is spelled out: "docker.io/library/debian".
	Repository string `json:"repository"`
	Name       string `json:"name"`
	// Digest is what it pointed to: an index or a manifest.
	Digest string `json:"digest"`
	// Since is when this was first seen, Until when it was first seen pointing elsewhere or gone; zero means it still does.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// String is "repository:name".
func (t Tag) String() string { return t.Repository + ":" + t.Name }

// TagFilter says which tags are meant: all that fit every field given.
type TagFilter struct {
	Repository string
	// Digests are what tags point to. A manifest is also meant by the indexes that have it: their tags come with it.
	Digests []string
	// Current leaves out what tags pointed to once.
	Current bool
}

// Instance is a running container.
type Instance struct {
	// Place is where it runs: "docker://host", "kubernetes://cluster/namespace". ID is its id there.
	Place string `json:"place"`
	ID    string `json:"id"`
	Name  string `json:"name,omitempty"`
	// Digest is of the image as the runtime names it: a manifest, an index or a config.
	Digest string    `json:"digest"`
	Since  time.Time `json:"since,omitzero"` // it runs since then, or was first seen then
}

// Package is a piece of software that is installed in an image.
type Package struct {
	// Type is that of its package URL: "deb", "apk", "rpm", "npm", "pypi", "golang", "gem".
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"` // as the package manager writes it
}

// Inventory is what is installed in an image.
type Inventory struct {
	Image string `json:"image"` // manifest digest
	// Distro is "debian-12", "alpine-3.20": ID and VERSION_ID of os-release, "" when there is none.
	Distro   string    `json:"distro,omitempty"`
	Packages []Package `json:"packages"`
	// Grade is GradeSigned or GradeUnsigned for an SBOM, GradeLayers when the image's own files were read.
	Grade  Grade  `json:"evidence,omitempty"`
	Source string `json:"source,omitempty"`
}

// Carrier is an image that has a package.
type Carrier struct {
	Image   Image   `json:"image"`
	Package Package `json:"package"`
	Distro  string  `json:"distro,omitempty"`
	Grade   Grade   `json:"evidence,omitempty"`
	// Doubt says why it could not be told whether the version is meant; see [Carrying].
	Doubt string `json:"doubt,omitempty"`
}
