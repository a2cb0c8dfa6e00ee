package imagefs_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
)

func ExampleNew() {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "etc/motd", Mode: 0o644, Size: 5}); err != nil {
		log.Fatal(err)
	}
	if _, err := io.WriteString(w, "hello"); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		log.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	files, err := imagefs.New(ctx, image, imagefs.Limits{})
	if err != nil {
		log.Fatal(err)
	}
	motd, err := files.ReadFile(ctx, "/etc/motd")
	if err != nil {
		log.Fatal(err)
	}
	entry, err := files.Lookup("/etc/../etc/motd")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %s %s\n", entry.Path, entry.Mode, motd)
	// Output: /etc/motd -rw-r--r-- hello
}
