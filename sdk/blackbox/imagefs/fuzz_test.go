package imagefs_test

import (
	"bytes"
	"io"
	"path"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/internal/testimage"
)

// FuzzNew feeds two layers of any bytes: every path that comes out is clean, inside the image and found again.
func FuzzNew(f *testing.F) {
	f.Add(testimage.Layer(f, "a=1", "d/", "d/b=>a", "l->d"), testimage.Layer(f, ".wh.a", "l/c=2", "d/.wh..wh..opq"))
	f.Add(testimage.Layer(f, "../../x=1", "s->../.."), testimage.Layer(f, "s/../y=1", "x=>../../z"))
	f.Fuzz(func(t *testing.T, lower, upper []byte) {
		img := of(func() io.Reader { return bytes.NewReader(lower) }, func() io.Reader { return bytes.NewReader(upper) })
		files, err := imagefs.New(t.Context(), img, imagefs.Limits{Bytes: 1 << 20, Entries: 1000, File: 1 << 16})
		if err != nil {
			return
		}
		for e := range files.All() {
			if e.Path != path.Clean(e.Path) || !path.IsAbs(e.Path) {
				t.Errorf("path %q is not clean", e.Path)
			}
			if again, err := files.Lstat(e.Path); err != nil || again.Path != e.Path {
				t.Errorf("%q is found as %q, %v", e.Path, again.Path, err)
			}
		}
	})
}
