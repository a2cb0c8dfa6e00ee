package source_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
)

func TestFiles(t *testing.T) {
	r := newRepo(t)
	first := r.commit(map[string]string{"a.yaml": "1", "dir/b.yaml": "2"})
	second := r.commit(map[string]string{"a.yaml": "changed"})
	r.write(map[string]string{"a.yaml": "not committed"})
	server := serve(t, r.dir)
	for _, repository := range []string{r.dir, "file://" + r.dir, server.URL + "/.git"} {
		files, err := source.Files(t.Context(), repository, first, source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		err = fs.WalkDir(files, ".", func(name string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				var content []byte
				content, err = fs.ReadFile(files, name)
				got = append(got, name+"="+string(content))
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"a.yaml=1", "dir/b.yaml=2"}, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", repository, diff)
		}
	}

	r.ref("refs/heads/"+strings.Repeat("ab", 20), second)
	for _, tt := range []struct{ name, commit, want string }{
		{"branch", "main", "at main: it is not the full id of a commit, and what is less may mean another one tomorrow"},
		{"short id", first[:12], "it is not the full id"},
		{"a branch that looks like an id", strings.Repeat("ab", 20), strings.Repeat("ab", 20)},
		{"no such commit", strings.Repeat("0", 40), "0000"},
	} {
		for _, repository := range []string{r.dir, server.URL + "/.git"} {
			if files, err := source.Files(t.Context(), repository, tt.commit, source.Options{}); files != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, %v", tt.name, files, err)
			}
		}
	}
	if _, err := source.Files(t.Context(), r.dir, first, source.Options{Signatures: &source.Signatures{}}); !errors.Is(err, source.ErrUnsigned) {
		t.Errorf("an unsigned commit: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := source.Files(ctx, server.URL+"/.git", first, source.Options{HTTP: http.DefaultClient}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
