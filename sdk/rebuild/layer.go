package rebuild

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Touched is what a layer does to the files below it. It depends on the layer's content alone, so it can be kept by diff ID
// for as long as one likes: it is what makes planning cheap the second time.
type Touched struct {
	// Paths are the files and directories that the layer has, clean: no leading slash.
	Paths []Entry `json:"paths,omitempty"`
	// Hidden are the paths that it removes from below (whiteouts).
	Hidden []string `json:"hidden,omitempty"`
	// Opaque are the directories of which it hides all content below.
	Opaque []string `json:"opaque,omitempty"`
}

// Entry is a path in a layer.
type Entry struct {
	Path string `json:"path"`
	// Dir says that it is a directory, whose content is not in question.
	Dir bool `json:"dir,omitempty"`
	// Mode is a directory's: a layer repeats the parents of what it has.
	Mode int64 `json:"mode,omitempty"`
	// UID and GID are the owner's.
	UID int `json:"uid,omitempty"`
	GID int `json:"gid,omitempty"`
}

// Limits of what ReadLayer accepts, far above what images have and far below what would harm.
const (
	maxEntries    = 1 << 21
	maxLayerBytes = 64 << 30
)

// ReadLayer lists what a layer touches. Content is skipped; the whole layer is read once.
func ReadLayer(ctx context.Context, layer v1.Layer) (t *Touched, err error) {
	body, err := layer.Uncompressed()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	limited := &io.LimitedReader{R: body, N: maxLayerBytes}
	archive := tar.NewReader(limited)
	t = &Touched{}
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		header, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF) && limited.N > 0:
			return t, nil
		case err != nil && limited.N <= 0, n == maxEntries:
			return nil, fmt.Errorf("layer is larger than %d entries or %d bytes", maxEntries, int64(maxLayerBytes))
		case err != nil:
			return nil, err
		}
		if err := t.add(header); err != nil {
			return nil, err
		}
	}
}

// The names of whiteouts, see the OCI image specification, layer.md.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

func (t *Touched) add(h *tar.Header) error {
	name := clean(path.Clean("/" + h.Name))
	dir, base := path.Split(name)
	switch {
	case h.Typeflag == tar.TypeXGlobalHeader:
	case base == opaque:
		t.Opaque = append(t.Opaque, clean(dir))
	case strings.HasPrefix(base, whiteout):
		hidden := strings.TrimPrefix(base, whiteout)
		if hidden == "" || hidden == "." || hidden == ".." {
			return fmt.Errorf("%s: a whiteout of nothing", h.Name)
		}
		t.Hidden = append(t.Hidden, clean(dir+hidden))
	case h.Typeflag == tar.TypeDir:
		t.Paths = append(t.Paths, Entry{Path: name, Dir: true, Mode: h.Mode & 0o7777, UID: h.Uid, GID: h.Gid})
	default:
		t.Paths = append(t.Paths, Entry{Path: name, UID: h.Uid, GID: h.Gid})
	}
	return nil
}
