package docker

import (
	"context"
	"fmt"
	"log"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/image"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
)

func Example() { //nolint:testableexamples // it needs Docker
	engine, err := Dial("")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	instances, err := engine.Instances(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, i := range instances {
		fmt.Println(i.Name, i.Image.Name())
	}
}

// The two image stores of Docker name images differently: by config, or by what the name points to.
func TestDigestsOfBothImageStores(t *testing.T) {
	manifest := func(d digest.Digest, kind image.ManifestKind, available bool) image.ManifestSummary {
		return image.ManifestSummary{Kind: kind, Available: available, Descriptor: ocispec.Descriptor{Digest: d}}
	}
	amd, arm := manifest("sha256:amd", image.ManifestKindImage, true), manifest("sha256:arm", image.ManifestKindImage, false)
	seal := manifest("sha256:seal", image.ManifestKindAttestation, true)
	tests := map[string]struct {
		got  image.InspectResponse
		want admission.Image
	}{
		"graph driver": {
			image.InspectResponse{ID: "sha256:config", RepoDigests: []string{"a@sha256:index", "b@sha256:index", "broken"}, RootFS: image.RootFS{Layers: []string{"sha256:l"}}},
			admission.Image{Ref: "x", Digests: []string{"sha256:config"}, Indexes: []string{"sha256:index"}, Layers: []string{"sha256:l"}},
		},
		"containerd, an index": {
			image.InspectResponse{ID: "sha256:index", RepoDigests: []string{"a@sha256:index"}, Manifests: []image.ManifestSummary{amd, arm, seal}},
			admission.Image{Ref: "x", Digests: []string{"sha256:amd"}, Indexes: []string{"sha256:index"}},
		},
		"containerd, a manifest": {
			image.InspectResponse{ID: "sha256:amd", RepoDigests: []string{"a@sha256:amd"}, Manifests: []image.ManifestSummary{amd}},
			admission.Image{Ref: "x", Digests: []string{"sha256:amd"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, local("x", tt.got).Image); diff != "" {
				t.Error(diff)
			}
		})
	}
}
