package buildkit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	parse "github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	oci "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/buildkit/client"
	docker "github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/sdk/build/internal/ociimage"
)

// dockerSave gets images out of a daemon whose BuildKit exports to the daemon's image store only.
type dockerSave struct{ docker *docker.Client }

// export has the image stored under a tag that nothing else has, saved and converted, and the tag removed.
func (d dockerSave) export(b *Builder, r *request, dir string) (export, error) {
	if len(r.Platforms) > 1 {
		return export{}, fmt.Errorf("platforms %s: %s", strings.Join(r.Platforms, ", "), saved)
	}
	tag := "plimsoll.invalid/build:" + strings.ToLower(rand.Text())
	return export{
		entry:  client.ExportEntry{Type: "moby", Attrs: map[string]string{"name": tag}},
		single: true,
		finish: func(ctx context.Context, err error) error {
			if err == nil {
				err = d.convert(ctx, b, r, tag, dir)
			}
			return errors.Join(err, d.remove(ctx, tag))
		},
	}, nil
}

// remove removes the tag, and with it what only it kept, even when ctx has ended.
func (d dockerSave) remove(ctx context.Context, tag string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_, err := d.docker.ImageRemove(ctx, tag, docker.ImageRemoveOptions{})
	if cerrdefs.IsNotFound(err) {
		return nil // the build did not get so far
	}
	return err
}

// convert saves the tagged image and writes it to dir as a layout.
func (d dockerSave) convert(ctx context.Context, b *Builder, r *request, tag, dir string) error {
	file := filepath.Join(dir, "saved.tar")
	if err := d.save(ctx, tag, file); err != nil {
		return err
	}
	ref, err := parse.NewTag(tag)
	if err != nil {
		return err
	}
	img, err := tarball.ImageFromPath(file, &ref)
	if err != nil {
		return err
	}
	base, err := b.base(ctx, r, img)
	if err != nil {
		return err
	}
	if img, err = ociimage.Convert(img, ociimage.Base{Layers: base}, r.Created); err != nil {
		return err
	}
	index, err := ociimage.Index(img)
	if err != nil {
		return err
	}
	if _, err := oci.Write(dir, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: index})); err != nil {
		return err
	}
	return os.Remove(file)
}

func (d dockerSave) save(ctx context.Context, tag, file string) error {
	saved, err := d.docker.ImageSave(ctx, []string{tag})
	if err != nil {
		return err
	}
	defer saved.Close()
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, saved)
	return errors.Join(err, f.Close())
}

// base returns the diff IDs of the layers of the image that a built image stands on, as they are in the registry.
func (b *Builder) base(ctx context.Context, r *request, built v1.Image) ([]v1.Hash, error) {
	name := r.lines.Base(r.Target)
	if name == "" {
		return nil, nil
	}
	config, err := built.ConfigFile()
	if err != nil {
		return nil, err
	}
	ref, err := parse.ParseReference(name)
	if err != nil {
		return nil, err
	}
	img, err := remote.Image(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(b.opt.Keychain), remote.WithPlatform(*config.Platform()))
	if err != nil {
		return nil, fmt.Errorf("%s: its layers, to tell them from the image's own: %w", name, err)
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	return ociimage.LayersOf(layers)
}
