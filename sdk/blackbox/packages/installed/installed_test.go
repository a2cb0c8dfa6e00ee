package installed_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/internal/testimage"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages/installed"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// store has images by reference and counts the questions.
type store struct {
	mu     sync.Mutex
	asked  int
	images map[string]v1.Image
	before func(ctx context.Context) error
}

func (s *store) Image(ctx context.Context, ref, _ string) (v1.Image, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.before != nil {
		if err := s.before(ctx); err != nil {
			return nil, err
		}
	}
	if image, ok := s.images[ref]; ok {
		return image, nil
	}
	return nil, errors.New(ref + ": not found")
}

const (
	bookworm = "etc/os-release=ID=debian\nVERSION_ID=\"12\"\n"
	dpkg     = "var/lib/dpkg/status=Package: libssl3\nStatus: install ok installed\nVersion: 3.0.13-1~deb12u1\n\nPackage: zlib1g\nStatus: install ok installed\nVersion: 1:1.2.13.dfsg-1\n"
	alpine   = "lib/apk/db/installed=P:libssl3\nV:3.1.4-r5\n\n"
)

func TestCarries(t *testing.T) {
	s := &store{images: map[string]v1.Image{
		"debian":     testimage.New(t, v1.Config{}, []string{bookworm, dpkg}),
		"alpine":     testimage.New(t, v1.Config{}, []string{"etc/os-release=ID=alpine\nVERSION_ID=3.19.1\n", alpine}),
		"nameless":   testimage.New(t, v1.Config{}, []string{dpkg}),
		"distroless": testimage.New(t, v1.Config{}, []string{"usr/lib/os-release=ID=debian\n", "var/lib/dpkg/status.d/libssl3=Package: libssl3\nVersion: 3.0.14-1~deb12u2\n"}),
		"python":     testimage.New(t, v1.Config{}, []string{"usr/lib/python3/site-packages/Jinja_2.dist-info/METADATA=Metadata-Version: 2.1\nName: Jinja_2\nVersion: 3.1.2\n\nText\n"}),
		"removed":    testimage.New(t, v1.Config{}, []string{bookworm, dpkg}, []string{"var/lib/dpkg/status=Package: zlib1g\nStatus: install ok installed\nVersion: 1:1.2.13.dfsg-1\n"}),
		"go":         goImage(t),
		"broken":     testimage.New(t, v1.Config{}, []string{"var/lib/dpkg/status=rubbish\n"}),
		"odd":        testimage.New(t, v1.Config{}, []string{"var/lib/dpkg/status=Package: libssl3\nStatus: install ok installed\nVersion: ~~~not-a-version\n"}),
		"nothing":    testimage.New(t, v1.Config{}, []string{"etc/motd=hello"}),
	}}
	deb := func(from, below, distro string) catalog.Package {
		return catalog.Package{Type: "deb", Name: "libssl3", From: from, Below: below, Distro: distro}
	}
	facts := installed.New(s)
	for _, tt := range []struct {
		name, image string
		pkg         catalog.Package
		want        bool
		err         string
	}{
		{"any version", "debian", deb("", "", ""), true, ""},
		{"below", "debian", deb("", "3.0.14-1", ""), true, ""},
		{"the first good version", "debian", deb("", "3.0.13-1~deb12u1", ""), false, ""},
		{"a tilde is before nothing", "debian", deb("", "3.0.13-1", ""), true, ""},
		{"an epoch", "debian", catalog.Package{Type: "deb", Name: "zlib1g", Below: "2.0"}, false, ""},
		{"from", "debian", deb("3.0.0", "3.0.14", ""), true, ""},
		{"before from", "debian", deb("3.0.14", "", ""), false, ""},
		{"its distribution", "debian", deb("", "3.0.14", "debian-12"), true, ""},
		{"its distribution, any version", "debian", deb("", "3.0.14", "debian"), true, ""},
		{"another distribution", "debian", deb("", "3.0.14", "debian-11"), false, ""},
		{"no distribution told", "nameless", deb("", "3.0.14", "debian-11"), true, ""},
		{"another type", "alpine", deb("", "", ""), false, ""},
		{"apk revisions", "alpine", catalog.Package{Type: "apk", Name: "libssl3", Below: "3.1.4-r10"}, true, ""},
		{"apk revision itself", "alpine", catalog.Package{Type: "apk", Name: "libssl3", Below: "3.1.4-r5"}, false, ""},
		{"distroless, mended", "distroless", deb("", "3.0.14-1~deb12u2", "debian"), false, ""},
		{"distroless, before", "distroless", deb("", "3.0.14-1", ""), true, ""},
		{"names of Python", "python", catalog.Package{Type: "pypi", Name: "jinja-2", Below: "3.1.3"}, true, ""},
		{"removed by a layer above", "removed", deb("", "", ""), false, ""},
		{"Go modules", "go", catalog.Package{Type: "golang", Name: "example.test/dep", Below: "v1.3.0"}, true, ""},
		{"Go modules, mended", "go", catalog.Package{Type: "golang", Name: "example.test/dep", Below: "v1.2.3"}, false, ""},
		{"Go itself", "go", catalog.Package{Type: "golang", Name: "stdlib", Below: "1.999"}, true, ""},
		{"nothing", "nothing", deb("", "", ""), false, ""},
		{"a database that can't be read", "broken", deb("", "", ""), false, `the packages of broken (linux/amd64): deb packages: /var/lib/dpkg/status:1: "rubbish" is no field`},
		{"a version that can't be read", "odd", deb("", "3.0.14", ""), false, "package libssl3 in /var/lib/dpkg/status: version"},
		{"no such image", "gone", deb("", "", ""), false, "not found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := facts.Carries(t.Context(), tt.image, "linux/amd64", tt.pkg)
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	s.asked = 0
	for range 3 {
		if _, err := facts.Carries(t.Context(), "debian", "linux/amd64", deb("", "", "")); err != nil {
			t.Fatal(err)
		}
	}
	if s.asked != 0 {
		t.Errorf("the image was read %d times again", s.asked)
	}
}

// goImage has a program that is built here.
func goImage(t *testing.T) v1.Image {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":     "module example.test/main\n\ngo 1.26\n\nrequire example.test/dep v1.2.3\n\nreplace example.test/dep v1.2.3 => ./dep\n",
		"main.go":    "package main\n\nimport _ \"example.test/dep\"\n\nfunc main() {}\n",
		"dep/go.mod": "module example.test/dep\n\ngo 1.26\n",
		"dep/dep.go": "package dep\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", "main", ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "CGO_ENABLED=0", "GOOS=linux")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := os.ReadFile(filepath.Join(dir, "main"))
	if err != nil {
		t.Fatal(err)
	}
	image, err := registrytest.ImageFS(fstest.MapFS{
		"usr/bin/tool":   {Data: program, Mode: 0o755},
		"usr/bin/script": {Data: []byte("#!/bin/sh\n"), Mode: 0o755},
		"usr/bin/empty":  {Mode: 0o755},
		"usr/bin/half":   {Data: program[:len(program)/2], Mode: 0o755},
	}, registrytest.ImageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// A question that was cancelled is not the answer for those who wait with it, and an error is not remembered.
func TestCancelledAndFailedQuestions(t *testing.T) {
	s := &store{images: map[string]v1.Image{"debian": testimage.New(t, v1.Config{}, []string{bookworm, dpkg})}}
	facts := installed.New(s)
	first, cancel := context.WithCancel(t.Context())
	reading := make(chan struct{})
	s.before = func(ctx context.Context) error {
		if s.asked == 1 {
			close(reading)
			<-ctx.Done()
		}
		return ctx.Err()
	}
	pkg := catalog.Package{Type: "deb", Name: "libssl3"}
	var wait sync.WaitGroup
	wait.Go(func() {
		if _, err := facts.Carries(first, "debian", "linux/amd64", pkg); !errors.Is(err, context.Canceled) {
			t.Errorf("the cancelled one: %v", err)
		}
	})
	<-reading
	wait.Go(func() {
		if carries, err := facts.Carries(t.Context(), "debian", "linux/amd64", pkg); !carries || err != nil {
			t.Errorf("the other one: %v, %v", carries, err)
		}
	})
	cancel()
	wait.Wait()

	s.before = func(context.Context) error { return errors.New("down") }
	if _, err := facts.Carries(t.Context(), "debian", "linux/arm64", pkg); err == nil {
		t.Error("a registry that is down was an answer")
	}
	s.before = nil
	if carries, err := facts.Carries(t.Context(), "debian", "linux/arm64", pkg); !carries || err != nil {
		t.Errorf("after the fault: %v, %v", carries, err)
	}
}
