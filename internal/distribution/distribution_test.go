package distribution_test

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/plimsoll-dev/plimsoll/internal/distribution"
	"github.com/plimsoll-dev/plimsoll/internal/testenv"
)

func TestPasswords(t *testing.T) {
	t.Parallel()
	testenv.Needs(t, "docker-registry", distribution.Missing())
	s, err := distribution.Start(t.Context(), t.TempDir(), distribution.Options{Users: map[string]string{"ops": "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	tag, err := name.NewTag(s.Host + "/team/app:1")
	if err != nil {
		t.Fatal(err)
	}
	img, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, img, remote.WithContext(t.Context())); err == nil {
		t.Error("anybody may write")
	}
	ops := remote.WithAuth(&authn.Basic{Username: "ops", Password: "secret"})
	if err := remote.Write(tag, img, remote.WithContext(t.Context()), ops); err != nil {
		t.Error(err)
	}
}
