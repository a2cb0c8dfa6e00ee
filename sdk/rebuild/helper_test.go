package rebuild_test

import (
	"archive/tar"
	"bytes"
	"io"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
)

// file is an entry of a layer; a name that ends with a slash is a directory, one with a link a symbolic link.
type file struct {
	name, content, link string
	mode                int64
	uid                 int
}

// step is an instruction and the files of its layer; none means an empty layer.
type step struct {
	by    string
	files []file
}

func copied(files ...file) step { return step{by: "COPY . / # buildkit", files: files} }

func layerOf(t *testing.T, files []file) v1.Layer {
	t.Helper()
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Size: int64(len(f.content)), Mode: f.mode, Uid: f.uid, Typeflag: tar.TypeReg}
		switch {
		case f.name[len(f.name)-1] == '/':
			h.Typeflag = tar.TypeDir
		case f.link != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, f.link
		}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(tw, f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

// imageOf builds an image as a builder does: steps on a base (nil for none), which change the configuration.
func imageOf(t *testing.T, base v1.Image, configure func(*v1.ConfigFile), steps ...step) v1.Image {
	t.Helper()
	img := base
	if img == nil {
		img = empty.Image
	}
	for _, s := range steps {
		add := mutate.Addendum{History: v1.History{CreatedBy: s.by, Created: v1.Time{Time: time.Unix(1, 0).UTC()}, EmptyLayer: len(s.files) == 0}}
		if len(s.files) > 0 {
			add.Layer = layerOf(t, s.files)
		}
		var err error
		if img, err = mutate.Append(img, add); err != nil {
			t.Fatal(err)
		}
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c = c.DeepCopy()
	if base == nil {
		c.OS, c.Architecture = "linux", "amd64"
	}
	if configure != nil {
		configure(c)
	}
	if img, err = mutate.ConfigFile(img, c); err != nil {
		t.Fatal(err)
	}
	return img
}

func compare(t *testing.T, from, to v1.Image) *rebuild.Change {
	t.Helper()
	old, err := rebuild.ReadBase(t.Context(), from, imagefs.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := rebuild.ReadBase(t.Context(), to, imagefs.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return rebuild.Compare(old, renewed)
}

// proven is the evidence of an image that we built ourselves.
var proven = rebuild.Evidence{Grade: lineage.GradeBuild, RuntimeOnly: true}

func verdict(t *testing.T, img v1.Image, change *rebuild.Change, evidence rebuild.Evidence, policy rebuild.Policy) rebuild.Verdict {
	t.Helper()
	facts, err := rebuild.ReadImage(img, evidence)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var touched []*rebuild.Touched
	for _, i := range rebuild.Needs(facts, change, policy) {
		what, err := rebuild.ReadLayer(t.Context(), layers[i])
		if err != nil {
			t.Fatal(err)
		}
		touched = append(touched, what)
	}
	return rebuild.Judge(facts, change, touched, policy)
}
