package sandboxtest

import (
	"archive/tar"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

func (s *suite) files(t *testing.T) {
	i := s.start(t, sandbox.Spec{
		Image: Image(t, v1.Config{}, []File{{Header: tar.Header{Name: "etc/app.conf"}, Content: "from the image"}}),
		Args:  []string{"sleep"}, User: "1000:1000",
		Files: map[string][]byte{"/etc/app.conf": []byte("from the spec"), "/new/dir/file": []byte("new"), "/scratch/file": []byte("on a tmpfs")},
		Tmpfs: []string{"/tmp", "/scratch"},
	})
	x := as[sandbox.Execer](t, i)
	tests := []struct {
		name, want string
		args       []string
	}{
		{"a file of the image is replaced", "from the spec", []string{"cat", "/etc/app.conf"}},
		{"a new file", "new", []string{"cat", "/new/dir/file"}},
		{"a file on a tmpfs", "on a tmpfs", []string{"cat", "/scratch/file"}},
		{"a tmpfs is writable", "", []string{"write", "/tmp/x", "x"}},
		{"another one too", "", []string{"write", "/scratch/x", "x"}},
		{"the root is not", "open /x: read-only file system", []string{"write", "/x", "x"}},
		{"nor a file of the spec", "open /new/dir/file: read-only file system", []string{"write", "/new/dir/file", "x"}},
		{"localhost has its name", "yes", []string{"contains", "/etc/hosts", "127.0.0.1"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := x.Exec(t.Context(), sandbox.Command{Args: append([]string{"/probe"}, test.args...)})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, strings.TrimSpace(string(got.Logs.Stdout)+string(got.Logs.Stderr))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func (s *suite) writableRoot(t *testing.T) {
	img := Image(t, v1.Config{}, []File{{Header: tar.Header{Name: "data"}, Content: "original"}})
	i := s.start(t, sandbox.Spec{Image: img, Args: []string{"sleep"}, WritableRoot: true})
	x := as[sandbox.Execer](t, i)
	for _, file := range []string{"/data", "/new"} {
		if got, err := x.Exec(t.Context(), sandbox.Command{Args: []string{"/probe", "write", file, "changed"}}); err != nil || got.Exit.Code != 0 {
			t.Errorf("write %s: %v %+v", file, err, got)
		}
	}
	// Neither another instance nor the image has changed.
	_, logs := s.run(t, sandbox.Spec{Image: img, Args: []string{"cat", "/data"}})
	if got := string(logs.Stdout); got != "original" {
		t.Errorf("another instance sees %q", got)
	}
	exit, _ := s.run(t, sandbox.Spec{Image: img, Args: []string{"cat", "/new"}})
	if exit.Code != 1 {
		t.Error("another instance sees the new file")
	}
}

func (s *suite) layers(t *testing.T) {
	dir := func(name string) File {
		return File{Header: tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755}}
	}
	file := func(name, content string) File { return File{Header: tar.Header{Name: name}, Content: content} }
	link := func(kind byte, name, target string) File {
		return File{Header: tar.Header{Name: name, Typeflag: kind, Linkname: target, Mode: 0o777}}
	}
	img := Image(t, v1.Config{},
		[]File{dir("a"), file("a/one", "1"), file("a/two", "2"), dir("b"), file("b/old", "old"), file("gone", "gone"), file("kind", "a file")},
		[]File{
			file("a/.wh.one", ""), file("b/.wh..wh..opq", ""), file("b/new", "new"), file(".wh.gone", ""),
			dir("kind"), file("kind/inside", "now a directory"),
			link(tar.TypeLink, "hard", "a/two"), link(tar.TypeSymlink, "soft", "/a/two"),
			link(tar.TypeSymlink, "outside", "../../../../etc"), file("outside/planted", "through a link"),
			file("../../climbed", "over the top"),
		})
	i := s.start(t, sandbox.Spec{Image: img, Args: []string{"sleep"}})
	tests := []struct{ name, path, want string }{
		{"a whiteout hides a file", "/a/one", "no such file"},
		{"and not its neighbour", "/a/two", "2"},
		{"an opaque directory hides what was in it", "/b/old", "no such file"},
		{"and not what is new", "/b/new", "new"},
		{"a whiteout at the top", "/gone", "no such file"},
		{"a directory takes the place of a file", "/kind/inside", "now a directory"},
		{"a hard link", "/hard", "2"},
		{"a symbolic link", "/soft", "2"},
		{"a link out of the image leads into it", "/etc/planted", "through a link"},
		{"a path out of the image too", "/climbed", "over the top"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := as[sandbox.Execer](t, i).Exec(t.Context(), sandbox.Command{Args: []string{"/probe", "cat", test.path}})
			if err != nil {
				t.Fatal(err)
			}
			if text := string(got.Logs.Stdout) + string(got.Logs.Stderr); !strings.Contains(text, test.want) {
				t.Errorf("%s: %q, want %q", test.path, text, test.want)
			}
		})
	}
	setuid := Image(t, v1.Config{}, []File{{Header: tar.Header{Name: "setuid", Mode: 0o4755}, Content: string(Probe(t))}})
	if _, logs := s.run(t, sandbox.Spec{Image: setuid, Entrypoint: []string{"/setuid", "effective-id"}, User: "1000:1000"}); string(logs.Stdout) != "1000 1000\n" {
		t.Errorf("a setuid program runs as %s%s", logs.Stdout, logs.Stderr)
	}
	for _, path := range []string{"/etc/planted", "/climbed"} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is on this machine: %v", path, err)
		}
	}
}
