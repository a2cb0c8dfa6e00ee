package remote_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/admission/remote"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

func Example() {
	ctx := context.Background()
	server, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	img, err := registrytest.Image(map[string]string{"etc/os-release": "ID=demo\n"}, registrytest.ImageOptions{})
	if err != nil {
		log.Fatal(err)
	}
	digest, err := server.Push(ctx, "pay:1", img)
	if err != nil {
		log.Fatal(err)
	}
	client := registry.New(registry.Options{})
	defer client.Close()
	image, pinned, err := remote.Resolver{Client: client, Platform: "linux/amd64"}.Resolve(ctx, server.Ref("pay:1"), "")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pinned == server.Ref("pay@"+digest), image.Digests[0] == digest, len(image.Digests), len(image.Layers))
	// Output: true true 2 1
}

func TestResolve(t *testing.T) {
	server, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	img, err := registrytest.Image(map[string]string{"a": "a"}, registrytest.ImageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	index, err := registrytest.Index(img)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := server.Push(t.Context(), "pay:2", index)
	if err != nil {
		t.Fatal(err)
	}
	client := registry.New(registry.Options{Retries: -1})
	defer client.Close()
	r := remote.Resolver{Client: client, Platform: "linux/amd64"}
	got, pinned, err := r.Resolve(t.Context(), server.Ref("pay:2"), "")
	manifest, _ := img.Digest()
	if err != nil || pinned != server.Ref("pay@"+digest) || len(got.Indexes) != 1 || got.Indexes[0] != digest || got.Digests[0] != manifest.String() {
		t.Errorf("%+v, %s, %v", got, pinned, err)
	}
	for ref, want := range map[string]string{
		"?": "not an image reference", server.Ref("pay:3"): "pay:3", server.Ref("pay@sha256:" + strings.Repeat("0", 64)): "pay@",
	} {
		if _, _, err := r.Resolve(t.Context(), ref, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if _, _, err := r.Resolve(t.Context(), server.Ref("pay:2"), "linux/s390x"); err == nil {
		t.Error("a platform that is not there")
	}
}
