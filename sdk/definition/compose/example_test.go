package compose_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/compose"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
)

// The services of a Compose file that have a build section.
func Example() {
	files := fstest.MapFS{
		".env": {Data: []byte("DEBIAN=12\n")},
		"compose.yaml": {Data: []byte(`services:
  api:
    build:
      context: api
      args:
        DEBIAN: ${DEBIAN}
      target: run
  db:
    image: postgres:17
  tool:
    build:
      dockerfile_inline: |
        FROM alpine:3.21
        RUN true
`)},
		"api/Dockerfile": {Data: []byte("ARG DEBIAN\nFROM debian:${DEBIAN} AS run\n")},
	}
	repository := definition.Source{Repository: "https://git.example/team/app"}
	opts := source.Options{Compilers: []definition.Compiler{compose.Compiler{}}}
	defs, err := source.LoadAllFS(context.Background(), files, repository, opts)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range defs {
		base := d.File.Place(d.File.Stages[0].Base)
		fmt.Println(d.Build.Target, d.Source.Directory, d.Build.Args, d.Build.Stage, d.Place(base))
	}
	// Output:
	// api api map[DEBIAN:12] run api/Dockerfile:2:6
	// tool . map[]  compose.yaml:13:14
}
