package packages_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/internal/testimage"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages"
)

const status = `Package: libc6
Status: install ok installed
Version: 2.36-9+deb12u10
Description: GNU C Library
 Package: not-a-package
 .

Package: gone
Status: deinstall ok config-files
Version: 1

Package: held
Status: hold ok installed
Version: 3:4.5~rc1-2
`

func files(t *testing.T, entries ...string) *imagefs.FS {
	t.Helper()
	f, err := imagefs.New(t.Context(), testimage.New(t, v1.Config{}, entries), imagefs.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRead(t *testing.T) {
	tests := []struct {
		name    string
		entries []string
		want    []packages.Package
	}{
		{"nothing", []string{"etc/motd=x"}, nil},
		{"dpkg", []string{"var/lib/dpkg/status=" + status}, []packages.Package{
			{"held", "3:4.5~rc1-2", "deb", "/var/lib/dpkg/status"},
			{"libc6", "2.36-9+deb12u10", "deb", "/var/lib/dpkg/status"},
		}},
		{"distroless", []string{
			"var/lib/dpkg/status.d/tzdata=Package: tzdata\nVersion: 2025b-0+deb12u1\n",
			"var/lib/dpkg/status.d/tzdata.md5sums=d41d8cd98f00b204e9800998ecf8427e  usr/share/zoneinfo\n",
		}, []packages.Package{{"tzdata", "2025b-0+deb12u1", "deb", "/var/lib/dpkg/status.d/tzdata"}}},
		{"apk", []string{"lib/apk/db/installed=C:Q1xyz=\nP:musl\nV:1.2.5-r9\nF:lib\nR:ld-musl\n\nP:zlib\nV:1.3.1-r2\n"}, []packages.Package{
			{"musl", "1.2.5-r9", "apk", "/lib/apk/db/installed"}, {"zlib", "1.3.1-r2", "apk", "/lib/apk/db/installed"},
		}},
		{"apk with merged usr", []string{"usr/lib/apk/db/installed=P:musl\nV:1\n", "lib->usr/lib"}, []packages.Package{{"musl", "1", "apk", "/usr/lib/apk/db/installed"}}},
		{"languages", []string{
			"usr/lib/python3/site-packages/requests-2.32.dist-info/METADATA=Metadata-Version: 2.1\r\nName: requests\r\nVersion: 2.32.3\r\n\r\nName: not this\n",
			"app/node_modules/left-pad/package.json={\"name\":\"left-pad\",\"version\":\"1.3.0\"}",
			"app/node_modules/@types/node/package.json={\"name\":\"@types/node\",\"version\":\"22.1.0\"}",
			"app/node_modules/left-pad/test/package.json={\"name\":\"a test's own\"}",
			"usr/lib/ruby/gems/3.3.0/specifications/rack-session-2.1.1.gemspec=",
		}, []packages.Package{
			{"@types/node", "22.1.0", "npm", "/app/node_modules/@types/node/package.json"},
			{"left-pad", "1.3.0", "npm", "/app/node_modules/left-pad/package.json"},
			{"rack-session", "2.1.1", "gem", "/usr/lib/ruby/gems/3.3.0/specifications/rack-session-2.1.1.gemspec"},
			{"requests", "2.32.3", "pypi", "/usr/lib/python3/site-packages/requests-2.32.dist-info/METADATA"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := packages.Read(t.Context(), files(t, tt.entries...), packages.All()...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("packages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestADatabaseThatCantBeReadIsAnError(t *testing.T) {
	tests := []struct{ name, entry, want string }{
		{"dpkg", "var/lib/dpkg/status=Package: a\nnonsense\n", `deb packages: /var/lib/dpkg/status:2: "nonsense" is no field`},
		{"a directory", "var/lib/dpkg/status/x=", "deb packages: read /var/lib/dpkg/status: is a directory"},
		{"npm", "node_modules/a/package.json={", "npm packages: /node_modules/a/package.json: unexpected end of JSON input"},
	}
	for _, tt := range tests {
		if _, err := packages.Read(t.Context(), files(t, tt.entry), packages.All()...); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := packages.Read(t.Context(), files(t, "usr/lib/sysimage/rpm/rpmdb.sqlite=x"), packages.All()...); !errors.Is(err, packages.ErrNoReader) {
		t.Errorf("rpm without its reader: %v", err)
	}
}

func TestGo(t *testing.T) {
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	f := files(t, "bin/tool="+string(self), "bin/script=#!/bin/sh\n")
	got, err := packages.Go(t.Context(), f, "/bin/tool")
	if err != nil || len(got) == 0 || got[0].Name != "stdlib" || !strings.HasPrefix(got[0].Version, "go1.") {
		t.Errorf("packages of this program: %v, %v", got, err)
	}
	if _, err := packages.Go(t.Context(), f, "/bin/script"); err == nil || !strings.HasPrefix(err.Error(), "/bin/script: not a program built by Go") {
		t.Errorf("a script: %v", err)
	}
}

func TestCompare(t *testing.T) {
	tests := []struct {
		kind, version, other string
		want                 int
	}{
		{"deb", "1.2~rc1-1", "1.2-1", -1},
		{"deb", "1:1.0", "2.0", 1},
		{"apk", "1.2.5-r9", "1.2.5-r10", -1},
		{"apk", "1.2.5_rc1-r0", "1.2.5-r0", -1},
		{"rpm", "0:3.0.7-27.el9", "3.0.7-28.el9", -1},
		{"npm", "1.10.0", "1.9.0", 1},
		{"golang", "v1.2.3", "1.2.3", 0},
		{"golang", "go1.26.8", "1.26.9", -1},
	}
	for _, tt := range tests {
		got, err := packages.Package{Type: tt.kind, Version: tt.version}.Compare(tt.other)
		if err != nil || got != tt.want {
			t.Errorf("%s %s against %s: %d, %v; want %d", tt.kind, tt.version, tt.other, got, err, tt.want)
		}
	}
	if _, err := (packages.Package{Type: "npm", Version: "newest"}).Compare("1.0.0"); err == nil {
		t.Error("no error for a version that can't be read")
	}
}
