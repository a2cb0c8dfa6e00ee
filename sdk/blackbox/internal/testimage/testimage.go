// Package testimage makes images for tests from short lines of text.
package testimage

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// New makes an image for linux/amd64 of layers. An entry of a layer is "path=content" for a file, "path/" for a
// directory, "path->target" for a symbolic link or "path=>target" for a hard link; in front of it may stand an octal
// mode, an owner and, in hexadecimal digits, file capabilities: "4755 0:0 bin/su=...", "755 0:0 +2000 bin/ping=...".
func New(t testing.TB, config v1.Config, layers ...[]string) v1.Image {
	t.Helper()
	file, err := empty.Image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", "amd64", config
	img, err := mutate.ConfigFile(mutate.MediaType(empty.Image, types.OCIManifestSchema1), file)
	if err != nil {
		t.Fatal(err)
	}
	for _, entries := range layers {
		b := Layer(t, entries...)
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }, tarball.WithMediaType(types.OCILayer))
		if err != nil {
			t.Fatal(err)
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			t.Fatal(err)
		}
	}
	return img
}

// Layer makes the tar of a layer.
func Layer(t testing.TB, entries ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h, content := parse(e)
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// form is what an entry looks like: mode and owner, path, mark, and the rest.
var form = regexp.MustCompile(`(?s)^(?:([0-7]+) (\d+):(\d+) (?:\+([0-9a-f]+) )?)?(.*?)(->|=>|=|$)(.*)$`)

func parse(entry string) (*tar.Header, string) {
	m := form.FindStringSubmatch(entry)
	number := func(s string, base int, unset int64) int64 {
		if n, err := strconv.ParseInt(s, base, 64); err == nil {
			return n
		}
		return unset
	}
	h := &tar.Header{Name: m[5], Mode: number(m[1], 8, 0o644), Uid: int(number(m[2], 10, 0)), Gid: int(number(m[3], 10, 0))}
	if mask := number(m[4], 16, 0); mask != 0 { // struct vfs_cap_data, revision 2
		data := binary.LittleEndian.AppendUint32(nil, 0x02000001)
		data = binary.LittleEndian.AppendUint32(data, uint32(mask))
		h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": string(append(data, make([]byte, 12)...))}
	}
	switch mark, rest := m[6], m[7]; {
	case mark == "->":
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, rest, 0o777
	case mark == "=>":
		h.Typeflag, h.Linkname = tar.TypeLink, rest
	case mark == "" && strings.HasSuffix(h.Name, "/"):
		h.Typeflag, h.Mode = tar.TypeDir, number(m[1], 8, 0o755)
	default:
		h.Typeflag, h.Size = tar.TypeReg, int64(len(rest))
		return h, rest
	}
	return h, ""
}
