package rebuild

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
)

// Base is one manifest of a base image, read once and used for all images on it. It is not changed after ReadBase.
type Base struct {
	// Digest is the manifest's.
	Digest v1.Hash
	// Config is the image's configuration as it is.
	Config *v1.ConfigFile
	// Raw is the configuration's text, in which fields that Config does not know are kept.
	Raw []byte
	// Layers are the manifest's layers, lowest first.
	Layers []v1.Descriptor

	files map[string]fingerprint
}

// fingerprint is all of a file that a rebase could change, but for its times.
type fingerprint struct {
	mode       fs.FileMode
	uid, gid   int
	size       int64
	link       string // target of a symbolic link
	capability uint64
	content    [sha256.Size]byte // hash of a regular file's content
	leads      string            // where a symbolic link to a directory leads in the end
}

// ReadBase reads a base's manifest, configuration and files. It reads each layer at most twice; limits are imagefs's.
func ReadBase(ctx context.Context, img v1.Image, limits imagefs.Limits) (*Base, error) {
	b := &Base{files: map[string]fingerprint{}}
	var err error
	if b.Digest, err = img.Digest(); err != nil {
		return nil, err
	}
	fail := func(err error) (*Base, error) { return nil, fmt.Errorf("base %s: %w", b.Digest, err) }
	manifest, err := img.Manifest()
	if err != nil {
		return fail(err)
	}
	b.Layers = manifest.Layers
	if b.Config, b.Raw, err = config(img); err != nil {
		return fail(err)
	}
	tree, err := imagefs.New(ctx, img, limits)
	if err != nil {
		return fail(err)
	}
	if err := b.read(ctx, tree); err != nil {
		return fail(err)
	}
	return b, nil
}

// read takes the fingerprints of all files.
func (b *Base) read(ctx context.Context, tree *imagefs.FS) error {
	unread := map[string]bool{} // regular files whose content was not seen yet
	for e := range tree.All() {
		f := fingerprint{mode: e.Mode, uid: e.UID, gid: e.GID, size: e.Size, link: e.Link, capability: e.Capability}
		if !e.Mode.IsRegular() {
			f.size = 0
		}
		if e.Mode.Type() == fs.ModeSymlink {
			if end, err := tree.Lookup(e.Path); err == nil && end.Mode.IsDir() {
				f.leads = end.Path
			}
		}
		b.files[clean(e.Path)] = f
		unread[e.Path] = e.Mode.IsRegular()
	}
	everything := func(imagefs.Entry) bool { return true }
	for item, content := range tree.Contents(ctx, everything) {
		if item.Err != nil {
			return item.Err
		}
		if err := b.hash(item.Path, content); err != nil {
			return err
		}
		unread[item.Path] = false
	}
	for path, missing := range unread { // other names of files with several hard links
		if !missing {
			continue
		}
		content, err := tree.ReadFile(ctx, path)
		if err != nil {
			return err
		}
		if err := b.hash(path, bytes.NewReader(content)); err != nil {
			return err
		}
	}
	return nil
}

func (b *Base) hash(path string, content io.Reader) error {
	h := sha256.New()
	if _, err := io.Copy(h, content); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	f := b.files[clean(path)]
	h.Sum(f.content[:0])
	b.files[clean(path)] = f
	return nil
}

// config returns an image's configuration, parsed and as it is.
func config(img v1.Image) (*v1.ConfigFile, []byte, error) {
	raw, err := img.RawConfigFile()
	if err != nil {
		return nil, nil, err
	}
	parsed := &v1.ConfigFile{}
	if err := json.Unmarshal(raw, parsed); err != nil {
		return nil, nil, fmt.Errorf("configuration: %w", err)
	}
	return parsed, raw, nil
}

// platform is "os/arch[/variant]", with the version and features of the system where there are any.
func platform(c *v1.ConfigFile) string {
	s := c.OS + "/" + c.Architecture
	if c.Variant != "" {
		s += "/" + c.Variant
	}
	if c.OSVersion != "" {
		s += ":" + c.OSVersion
	}
	if len(c.OSFeatures) > 0 {
		s += "+" + strings.Join(c.OSFeatures, "+")
	}
	return s
}

// Change is what differs between two bases. It is made once for all images that are moved from one to the other.
type Change struct {
	Old, New *Base

	files map[string]string // what became of a path: "added", "changed", "removed"
	below map[string]string // a directory, and a changed path below it
	moved string            // a path that leads to another directory than before
}

// Compare returns what differs between two bases.
func Compare(from, to *Base) *Change {
	c := &Change{Old: from, New: to, files: map[string]string{}, below: map[string]string{}}
	for path, f := range to.files {
		switch before, existed := from.files[path]; {
		case !existed:
			c.add(path, "added")
		case before != f:
			c.add(path, "changed")
		}
	}
	for path, before := range from.files {
		after, exists := to.files[path]
		if !exists {
			c.add(path, "removed")
		}
		if before.leads != after.leads || (exists && before.mode.IsDir() != after.mode.IsDir()) {
			c.moved = path
		}
	}
	return c
}

func (c *Change) add(path, how string) {
	c.files[path] = how
	for dir := parent(path); dir != ""; dir = parent(dir) {
		if _, known := c.below[dir]; known {
			break
		}
		c.below[dir] = path
	}
}

// library returns a changed path that programs may be linked with, or "".
func (c *Change) library() string {
	first := ""
	for path := range c.files {
		if shared(path) && (first == "" || path < first) {
			first = path
		}
	}
	return first
}

// shared says whether a path looks like a shared library or the loader's configuration.
func shared(path string) bool {
	name := path[strings.LastIndexByte(path, '/')+1:]
	return strings.Contains(name, ".so") && (strings.HasSuffix(name, ".so") || strings.Contains(name, ".so."))
}

// clean gives a path of a tree or a layer one form: no leading or trailing slash, "" for the root.
func clean(path string) string { return strings.Trim(strings.TrimPrefix(path, "./"), "/") }

// parent returns the directory of a clean path, "" at the top.
func parent(path string) string {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return ""
	}
	return path[:i]
}
