package baseimage

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"path"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// tree is a layer in the making: a tar whose every entry belongs to root and has the same old time, so that the same
// content always has the same digest.
type tree struct {
	buf bytes.Buffer
	tar *tar.Writer
	has map[string]bool // by path; some daemons refuse a layer that has one twice
}

var epoch = time.Unix(0, 0).UTC()

func newTree() *tree {
	t := &tree{has: map[string]bool{".": true}}
	t.tar = tar.NewWriter(&t.buf)
	return t
}

// add writes one entry. A tar in memory can't fail but for a programming error, which close reports.
func (t *tree) add(h tar.Header, content []byte) {
	if t.has[path.Clean(h.Name)] {
		return
	}
	t.has[path.Clean(h.Name)] = true
	t.parents(h.Name)
	h.ModTime, h.Size, h.Format = epoch, int64(len(content)), tar.FormatPAX
	if err := t.tar.WriteHeader(&h); err == nil {
		_, _ = t.tar.Write(content)
	}
}

func (t *tree) parents(name string) {
	dir := path.Dir(path.Clean(name))
	if !t.has[dir] {
		t.dir(dir, 0o755)
	}
}

func (t *tree) dir(name string, mode int64) {
	t.add(tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode}, nil)
}

func (t *tree) file(name string, mode int64, content []byte) {
	t.add(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode}, content)
}

func (t *tree) link(name, target string) {
	t.add(tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, nil)
}

func (t *tree) layer() (v1.Layer, error) {
	if err := t.tar.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(t.buf.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.BestSpeed), tarball.WithCompressedCaching)
}

// appendTrees puts layers on an image, in order.
func appendTrees(img v1.Image, trees ...*tree) (v1.Image, error) {
	for _, t := range trees {
		layer, err := t.layer()
		if err != nil {
			return nil, err
		}
		if img, err = mutate.Append(img, mutate.Addendum{
			Layer: layer, History: v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "plimsoll baseimage"},
		}); err != nil {
			return nil, err
		}
	}
	return img, nil
}
