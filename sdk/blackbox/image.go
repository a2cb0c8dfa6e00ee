package blackbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages"
)

// Image is one platform's image in a suite. Its layers and packages are read once, when the first step asks for them.
// It may be used by several goroutines at once.
type Image struct {
	Reference string
	Platform  string // "linux/amd64"
	Digest    v1.Hash
	Image     v1.Image
	Index     v1.ImageIndex // that it is of; nil when it stands alone
	Config    *v1.ConfigFile
	Manifest  *v1.Manifest

	options  Options
	mu       sync.Mutex
	files    *imagefs.FS
	filesErr error
	packages []packages.Package
}

// newImage reads manifest and configuration.
func newImage(reference string, image v1.Image, index v1.ImageIndex, options Options) (*Image, error) {
	digest, err := image.Digest()
	if err != nil {
		return nil, fmt.Errorf("digest of the image: %w", err)
	}
	manifest, err := image.Manifest()
	if err != nil {
		return nil, fmt.Errorf("manifest of %s: %w", digest, err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("configuration of %s: %w", digest, err)
	}
	if config.OS == "" || config.Architecture == "" {
		return nil, fmt.Errorf("the configuration of %s names no platform: os is %q, architecture is %q", digest, config.OS, config.Architecture)
	}
	return &Image{
		Reference: cmp.Or(reference, digest.String()), Platform: config.Platform().String(), Digest: digest,
		Image: image, Index: index, Config: config, Manifest: manifest, options: options,
	}, nil
}

// Files returns the files of the image, read from its layers.
func (i *Image) Files(ctx context.Context) (*imagefs.FS, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.readFiles(ctx)
}

func (i *Image) readFiles(ctx context.Context) (*imagefs.FS, error) {
	if i.files != nil || i.filesErr != nil {
		return i.files, i.filesErr
	}
	files, err := imagefs.New(ctx, i.Image, i.options.Layers)
	if ctx.Err() != nil {
		return nil, err // the next scenario has time of its own
	}
	i.files, i.filesErr = files, err
	return files, err
}

// Packages returns the packages that the image's databases list.
func (i *Image) Packages(ctx context.Context) ([]packages.Package, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.packages != nil {
		return i.packages, nil
	}
	files, err := i.readFiles(ctx)
	if err != nil {
		return nil, err
	}
	all, err := packages.Read(ctx, files, i.options.Packages...)
	if err != nil {
		return nil, err
	}
	i.packages = append([]packages.Package{}, all...)
	return i.packages, nil
}

// images returns what to test, one for each platform, and the digest of the whole.
func (s *Suite) images(options Options) ([]*Image, v1.Hash, error) {
	switch {
	case (s.Image == nil) == (s.Index == nil):
		return nil, v1.Hash{}, errors.New("a suite has either an Image or an Index")
	case s.Image != nil:
		image, err := newImage(s.Reference, s.Image, nil, options)
		if err != nil {
			return nil, v1.Hash{}, err
		}
		if len(options.Platforms) > 0 && !slices.Contains(options.Platforms, image.Platform) {
			return nil, v1.Hash{}, fmt.Errorf("the image is for %s, not for %s", image.Platform, list(options.Platforms))
		}
		return []*Image{image}, image.Digest, nil
	}
	digest, err := s.Index.Digest()
	if err != nil {
		return nil, v1.Hash{}, fmt.Errorf("digest of the index: %w", err)
	}
	images, err := s.ofIndex(options)
	return images, digest, err
}

func (s *Suite) ofIndex(options Options) ([]*Image, error) {
	manifest, err := s.Index.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("manifest of the index: %w", err)
	}
	var images []*Image
	var platforms []string
	for _, d := range manifest.Manifests {
		if !isPlatformImage(d) {
			continue
		}
		image, err := s.Index.Image(d.Digest)
		if err != nil {
			return nil, fmt.Errorf("image %s of the index: %w", d.Digest, err)
		}
		i, err := newImage(s.Reference, image, s.Index, options)
		if err != nil {
			return nil, err
		}
		if d.Platform != nil && !i.Config.Platform().Satisfies(v1.Platform{OS: d.Platform.OS, Architecture: d.Platform.Architecture}) {
			return nil, fmt.Errorf("image %s: the index says that it is for %s, its configuration says %s", d.Digest, d.Platform, i.Platform)
		}
		platforms = append(platforms, i.Platform)
		if len(options.Platforms) == 0 || slices.Contains(options.Platforms, i.Platform) {
			images = append(images, i)
		}
	}
	for _, want := range options.Platforms {
		if !slices.Contains(platforms, want) {
			return nil, fmt.Errorf("the index has no image for %s: it has %s", want, list(platforms))
		}
	}
	if len(images) == 0 {
		return nil, errors.New("the index has no image for any platform")
	}
	return images, nil
}

// isPlatformImage leaves out what is no image to run: attestations, which BuildKit puts into an index with an unknown
// platform.
func isPlatformImage(d v1.Descriptor) bool {
	return d.MediaType != types.OCIImageIndex && d.MediaType != types.DockerManifestList &&
		(d.Platform == nil || d.Platform.OS != "unknown") && d.Annotations["vnd.docker.reference.type"] == ""
}
