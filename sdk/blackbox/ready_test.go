package blackbox_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	features "github.com/plimsoll-dev/plimsoll/features/image"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/internal/testimage"
)

// goodImage is a distroless service as it should be.
func goodImage(t *testing.T) v1.Image {
	t.Helper()
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return testimage.New(t, v1.Config{
		User: "65532:65532", Entrypoint: []string{"/app/service"}, Env: []string{"PATH=/app"}, ExposedPorts: map[string]struct{}{"8080/tcp": {}},
		Labels: map[string]string{
			"org.opencontainers.image.title": "service", "org.opencontainers.image.source": "https://git.example/service",
			"org.opencontainers.image.revision": "4f2c1e",
		},
	}, []string{
		"755 0:0 app/service=" + string(binary), "etc/", "etc/passwd=root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532::/:/sbin/nologin\n",
		"etc/group=root:x:0:\nnonroot:x:65532:\n", "1777 0:0 tmp/",
	})
}

// badImage has everything that the ready-made features are against.
func badImage(t *testing.T) v1.Image {
	t.Helper()
	img := testimage.New(t, v1.Config{
		Entrypoint: []string{"/bin/sh", "-c", "service"}, Env: []string{"API_KEY=abc"}, OnBuild: []string{"RUN x"},
		ExposedPorts: map[string]struct{}{"22/tcp": {}}, Volumes: map[string]struct{}{"/proc": {}},
	}, []string{
		"4755 0:0 bin/sh=x", "755 0:0 usr/bin/curl=x", "755 0:0 usr/bin/apt-get=x", "755 0:0 usr/sbin/sshd=x", "666 0:0 etc/open=x",
		"etc/passwd=root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\nguest::1:1::/:/bin/sh\n",
		"root/.ssh/id_rsa=-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "src/.git/HEAD=x", "var/lib/apt/lists/debian=x", "broken->nowhere",
		"755 0:0 bin/wrong=\x7fELF\x02\x01\x01" + string(make([]byte, 9)) + "\x02\x00\xb7\x00" + string(make([]byte, 60)),
	})
	for range 41 {
		layer, err := img.Layers()
		if err != nil {
			t.Fatal(err)
		}
		if img, err = mutate.AppendLayers(img, layer[0]); err != nil {
			t.Fatal(err)
		}
	}
	return img
}

func TestReadyMadeFeatures(t *testing.T) {
	s := blackbox.Suite{Features: features.Features(), Image: goodImage(t), Runtime: serviceRuntime(), Options: blackbox.Options{
		Params: map[string]string{"port": "8080", "path": "/health", "time": "10 seconds", "memory": "64 MiB"},
	}}
	if err := run(t, s).Err(); err != nil {
		t.Errorf("an image as it should be: %v", err)
	}

	s.Image, s.Paths = badImage(t), []string{"hardening.feature", "hygiene.feature", "minimal.feature"}
	var passed []string
	for _, scenario := range run(t, s).Platforms[0].Scenarios {
		if scenario.Status == blackbox.Passed {
			passed = append(passed, scenario.Feature+": "+scenario.Name)
		}
	}
	if diff := cmp.Diff([]string(nil), passed); diff != "" {
		t.Errorf("scenarios that the worst image passes (-want +got):\n%s", diff)
	}
}
