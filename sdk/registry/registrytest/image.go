package registrytest

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing/fstest"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// ImageOptions describe an image beyond its files. The zero value is linux/amd64.
type ImageOptions struct {
	// Platform is "os/arch[/variant]"; default "linux/amd64".
	Platform string
	// Config is the image's config: user, environment, entry point, ONBUILD triggers.
	Config v1.Config
	// Created is the image's time; default the Unix epoch, so that the same files always have the same digest.
	Created time.Time
	// Base is what the files are put on; default nothing.
	Base v1.Image
}

// Image makes an image with one layer of files: path to content. Content that starts with "#!" or is an ELF binary gets
// mode 0755, everything else 0644; parents are made. No files means no layer. The same input always gives the same
// digest.
func Image(files map[string]string, opts ImageOptions) (v1.Image, error) {
	fsys := fstest.MapFS{}
	for name, content := range files {
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(content, "#!") || strings.HasPrefix(content, "\x7fELF") {
			mode = 0o755
		}
		fsys[strings.TrimPrefix(name, "/")] = &fstest.MapFile{Data: []byte(content), Mode: mode}
	}
	return ImageFS(fsys, opts)
}

// ImageFS is [Image] for a file system, whose modes and symbolic links are kept.
func ImageFS(fsys fs.FS, opts ImageOptions) (v1.Image, error) {
	if opts.Platform == "" {
		opts.Platform = "linux/amd64"
	}
	if opts.Created.IsZero() {
		opts.Created = time.Unix(0, 0).UTC()
	}
	platform, err := v1.ParsePlatform(opts.Platform)
	if err != nil {
		return nil, err
	}
	img := opts.Base
	if img == nil {
		img = mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	}
	layer, err := layer(fsys, opts.Created)
	if err != nil {
		return nil, err
	}
	if layer != nil {
		img, err = mutate.Append(img, mutate.Addendum{
			Layer:   layer,
			History: v1.History{Created: v1.Time{Time: opts.Created}, CreatedBy: "registrytest"},
		})
		if err != nil {
			return nil, err
		}
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = platform.OS, platform.Architecture, platform.Variant
	config.Created, config.Config = v1.Time{Time: opts.Created}, opts.Config
	return mutate.ConfigFile(img, config)
}

// Index makes an image index of images for different platforms, which their configs name.
func Index(images ...v1.Image) (v1.ImageIndex, error) {
	idx := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, img := range images {
		config, err := img.ConfigFile()
		if err != nil {
			return nil, err
		}
		idx = mutate.AppendManifests(idx, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: config.Platform()}})
	}
	return idx, nil
}

// layer returns nil for an empty file system.
func layer(fsys fs.FS, created time.Time) (v1.Layer, error) {
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	entries := 0
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		entries++
		return add(tw, fsys, name, entry, created)
	})
	if err != nil || entries == 0 {
		return nil, err
	}
	if err := tw.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}

func add(tw *tar.Writer, fsys fs.FS, name string, entry fs.DirEntry, created time.Time) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	header := &tar.Header{Name: name, Mode: int64(info.Mode().Perm()), ModTime: created, Format: tar.FormatPAX}
	var content []byte
	switch kind := info.Mode().Type(); kind {
	case fs.ModeDir:
		header.Typeflag, header.Name, header.Mode = tar.TypeDir, name+"/", 0o755
	case fs.ModeSymlink:
		header.Typeflag = tar.TypeSymlink
		header.Linkname, err = fs.ReadLink(fsys, name)
	case 0:
		header.Typeflag = tar.TypeReg
		content, err = fs.ReadFile(fsys, name)
		header.Size = int64(len(content))
	default:
		return fmt.Errorf("%s: %s can't be put into an image", name, kind)
	}
	if err != nil {
		return err
	}
	if err := tw.WriteHeader(header); err != nil {
		return err
	}
	_, err = tw.Write(content)
	return err
}
