package rpm_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/internal/testimage"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages/rpm"
)

// module is where go-rpmdb keeps databases of real systems.
func module(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/knqyf263/go-rpmdb").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "pkg", "testdata")
}

func files(t *testing.T, name string, data []byte) *imagefs.FS {
	t.Helper()
	f, err := imagefs.New(t.Context(), testimage.New(t, v1.Config{}, []string{name[1:] + "=" + string(data)}), imagefs.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFormats(t *testing.T) {
	dir := module(t)
	tests := []struct{ name, file, path, pkg, version string }{
		{"Berkeley DB", "centos7-plain/Packages", "/var/lib/rpm/Packages", "bash", "4.2.46-30.el7"},
		{"NDB", "sle15-bci/Packages.db", "/usr/lib/sysimage/rpm/Packages.db", "bash", "4.4-19.6.1"},
		{"SQLite", "fedora35/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite", "bash", "5.1.8-2.fc35"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(tt.file)))
			if err != nil {
				t.Fatal(err)
			}
			all, err := packages.Read(t.Context(), files(t, tt.path, data), append(packages.All(), rpm.Database{})...)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range all {
				if p.Name == tt.pkg {
					if p.Version != tt.version || p.Path != tt.path || p.Type != "rpm" {
						t.Errorf("found %+v, want version %s", p, tt.version)
					}
					return
				}
			}
			t.Errorf("%s is not among %d packages", tt.pkg, len(all))
		})
	}
}

func TestABrokenDatabaseIsAnError(t *testing.T) {
	good, err := os.ReadFile(filepath.Join(module(t), "fedora35", "rpmdb.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	ndb, err := os.ReadFile(filepath.Join(module(t), "sle15-bci", "Packages.db"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"rubbish": []byte("rubbish"), "nothing": {}, "half of SQLite": good[:len(good)/2], "the head of NDB": ndb[:64],
	} {
		_, err := rpm.Database{}.Read(t.Context(), files(t, "/var/lib/rpm/rpmdb.sqlite", data))
		if err == nil || !strings.HasPrefix(err.Error(), "/var/lib/rpm/rpmdb.sqlite: not a database that can be read") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoDatabaseIsNoPackages(t *testing.T) {
	if all, err := (rpm.Database{}).Read(t.Context(), files(t, "/etc/motd", nil)); err != nil || len(all) > 0 {
		t.Errorf("%v, %v", all, err)
	}
}
