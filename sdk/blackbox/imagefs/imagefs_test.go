package imagefs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/internal/testimage"
)

func image(t testing.TB, layers ...[]string) v1.Image {
	t.Helper()
	return testimage.New(t, v1.Config{}, layers...)
}

// listing prints the tree: one line per entry, with content and link targets.
func listing(t testing.TB, files *imagefs.FS) string {
	t.Helper()
	var b strings.Builder
	for e := range files.All() {
		switch {
		case e.Path == "/":
		case e.Mode.IsRegular():
			content, err := files.ReadFile(t.Context(), e.Path)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s=%s\n", e.Path, content)
		case e.Mode.IsDir():
			fmt.Fprintf(&b, "%s/\n", e.Path)
		default:
			fmt.Fprintf(&b, "%s->%s\n", e.Path, e.Link)
		}
	}
	return b.String()
}

func TestLayersLieOverEachOther(t *testing.T) {
	tests := []struct {
		name   string
		layers [][]string
		want   string
	}{
		{"upper content wins", [][]string{{"a=1", "b=1"}, {"a=2"}}, "/a=2\n/b=1\n"},
		{"whiteout", [][]string{{"a=1", "b=1"}, {".wh.a"}}, "/b=1\n"},
		{"whiteout of a directory", [][]string{{"d/", "d/e/", "d/e/a=1", "b=1"}, {".wh.d"}}, "/b=1\n"},
		{"whiteout of nothing", [][]string{{"a=1"}, {".wh.x", "no/.wh.y"}}, "/a=1\n/no/\n"},
		{"whiteout before the same name", [][]string{{"a=1"}, {".wh.a", "a=2"}}, "/a=2\n"},
		{"whiteout after the same name", [][]string{{"a=1"}, {"a=2", ".wh.a"}}, "/a=2\n"},
		{"put back by a third layer", [][]string{{"d/a=1", "d/b=1"}, {".wh.d"}, {"d/b=3"}}, "/d/\n/d/b=3\n"},
		{"opaque directory", [][]string{{"d/a=1", "d/e/b=1"}, {"d/.wh..wh..opq", "d/c=2"}}, "/d/\n/d/c=2\n"},
		{"opaque marker at the end", [][]string{{"d/a=1"}, {"d/c=2", "d/.wh..wh..opq"}}, "/d/\n/d/c=2\n"},
		{"reserved names of aufs", [][]string{{"a=1"}, {".wh..wh.plnk/x=1", ".wh..wh.aufs=1"}}, "/a=1\n"},
		{"directory keeps its content", [][]string{{"d/", "d/a=1"}, {"d/", "d/b=2"}}, "/d/\n/d/a=1\n/d/b=2\n"},
		{"file in place of a directory", [][]string{{"d/a=1"}, {"d=2"}}, "/d=2\n"},
		{"directory in place of a file", [][]string{{"d=1"}, {"d/", "d/a=2"}}, "/d/\n/d/a=2\n"},
		{"directory in place of a link", [][]string{{"e/a=1", "d->e"}, {"d/", "d/b=2"}}, "/d/\n/d/b=2\n/e/\n/e/a=1\n"},
		{"written through a link", [][]string{{"usr/lib/", "lib->usr/lib"}, {"lib/x=2"}}, "/lib->usr/lib\n/usr/\n/usr/lib/\n/usr/lib/x=2\n"},
		{"whiteout through a link", [][]string{{"usr/lib/x=1", "lib->/usr/lib"}, {"lib/.wh.x"}}, "/lib->/usr/lib\n/usr/\n/usr/lib/\n"},
		{"hard link", [][]string{{"a=1", "b=>a"}, {".wh.a"}}, "/b=1\n"},
		{"hard link to a lower layer", [][]string{{"a=1"}, {"b=>a", ".wh.a"}}, "/b=1\n"},
		{"hard link survives a new target", [][]string{{"a=1", "b=>a"}, {"a=2"}}, "/a=2\n/b=1\n"},
		{"dots end at the root", [][]string{{"../../etc/passwd=1", "/abs=1", "d/../../up=1"}}, "/abs=1\n/etc/\n/etc/passwd=1\n/up=1\n"},
		{"link out ends at the root", [][]string{{"out->../../..", "out/a=1"}}, "/a=1\n/out->../../..\n"},
		{"through a dangling link", [][]string{{"d->gone/away", "d/a=1"}}, "/d->gone/away\n/gone/\n/gone/away/\n/gone/away/a=1\n"},
		{"no parent entries", [][]string{{"x/y/z=1"}}, "/x/\n/x/y/\n/x/y/z=1\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files, err := imagefs.New(t.Context(), image(t, tt.layers...), imagefs.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, listing(t, files)); diff != "" {
				t.Errorf("files of the image (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLookup(t *testing.T) {
	files, err := imagefs.New(t.Context(), image(t, []string{
		"usr/bin/tool=1", "bin->usr/bin", "t->/bin/tool", "a->b", "b->a", "self->self", "dangling->nowhere", "up->../../../bin",
	}), imagefs.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		path string
		want string
		err  error
	}{
		{path: "/bin/tool", want: "/usr/bin/tool"},
		{path: "bin/../bin//tool", want: "/usr/bin/tool"},
		{path: "/t", want: "/usr/bin/tool"},
		{path: "/up/tool", want: "/usr/bin/tool"},
		{path: "/../../t", want: "/usr/bin/tool"},
		{path: "/", want: "/"},
		{path: "/a", err: imagefs.ErrLoop},
		{path: "/self", err: imagefs.ErrLoop},
		{path: "/dangling", err: fs.ErrNotExist},
		{path: "/bin/gone", err: fs.ErrNotExist},
	}
	for _, tt := range tests {
		e, err := files.Lookup(tt.path)
		if !errors.Is(err, tt.err) || e.Path != tt.want {
			t.Errorf("Lookup(%q) = %q, %v; want %q, %v", tt.path, e.Path, err, tt.want, tt.err)
		}
	}
	if _, err := files.Lookup("/t/below"); err == nil || !strings.Contains(err.Error(), "/usr/bin/tool is a regular file") {
		t.Errorf("Lookup below a file: %v", err)
	}
	if e, err := files.Lstat("/t"); err != nil || e.Link != "/bin/tool" {
		t.Errorf("Lstat(/t) = %+v, %v", e, err)
	}
}

func TestGlob(t *testing.T) {
	files, err := imagefs.New(t.Context(), image(t, []string{"etc/ssl/a.pem=1", "etc/b.pem=1", "root/.ssh/id_rsa=1"}), imagefs.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		pattern string
		want    []string
	}{
		{"/etc/*.pem", []string{"/etc/b.pem"}},
		{"/etc/**/*.pem", []string{"/etc/b.pem", "/etc/ssl/a.pem"}},
		{"**/id_*", []string{"/root/.ssh/id_rsa"}},
		{"/root/**", []string{"/root", "/root/.ssh", "/root/.ssh/id_rsa"}},
		{"/nothing/*", nil},
	}
	for _, tt := range tests {
		entries, err := files.Glob(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.Path)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("Glob(%q) (-want +got):\n%s", tt.pattern, diff)
		}
	}
	if _, err := files.Glob("[a"); err == nil {
		t.Error("a malformed pattern is no error")
	}
}
