package inputs_test

import (
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/definition/inputs"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// threeStages is a usual service: tools, build, and a small image to run.
const threeStages = `ARG REG=registry.example
ARG GO=1.26
FROM $REG/base/tools:1 AS tools
FROM $REG/base/golang:${GO}-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/root/.cache go mod download
COPY . .
RUN --mount=type=cache,target=/root/.cache --mount=from=tools,source=/bin,target=/tools go build -o /out/app .
FROM $REG/base/userland:1.4.8
ADD --checksum=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 https://example.com/ca.pem /etc/ssl/
COPY --from=build /out/app /app
USER 1000
ENTRYPOINT ["/app"]
`

// What listing costs on a warm connection to a registry on loopback: for each image the index, the platform's manifest
// and its config.
func BenchmarkWarmRegistry(b *testing.B) {
	srv, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer srv.Close()
	for _, ref := range []string{"base/tools:1", "base/golang:1.26-alpine", "base/userland:1.4.8"} {
		img, err := registrytest.Image(map[string]string{"name": ref}, registrytest.ImageOptions{})
		if err != nil {
			b.Fatal(err)
		}
		idx, err := registrytest.Index(img)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := srv.Push(b.Context(), ref, idx); err != nil {
			b.Fatal(err)
		}
	}
	client := registry.New(registry.Options{})
	defer client.Close()
	benchmark(b, inputs.Options{Resolver: client, BuildPlatform: "linux/amd64", Args: map[string]string{"REG": srv.Host}})
}

// What the conversion costs in CPU, without a registry.
func BenchmarkConversion(b *testing.B) {
	benchmark(b, inputs.Options{Resolver: &world{}, BuildPlatform: "linux/amd64"})
}

func benchmark(b *testing.B, opts inputs.Options) {
	b.Helper()
	def := parse(b, threeStages)
	b.ReportAllocs()
	for b.Loop() {
		got, err := inputs.List(b.Context(), def, opts)
		if err != nil || len(got) != 4 {
			b.Fatal(got, err)
		}
	}
}
