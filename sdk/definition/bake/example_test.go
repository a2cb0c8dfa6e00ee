package bake_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/bake"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
)

// One bake file, two images.
func Example() {
	files := fstest.MapFS{
		"docker-bake.hcl": {Data: []byte(`
group "default" { targets = ["api", "worker"] }
target "base" {
  args = { GO = "1.26" }
}
target "api" {
  inherits  = ["base"]
  target    = "api"
  platforms = ["linux/amd64", "linux/arm64"]
}
target "worker" {
  inherits          = ["base"]
  dockerfile-inline = <<-EOT
    FROM debian:12
    RUN true
  EOT
}
`)},
		"Dockerfile": {Data: []byte("ARG GO\nFROM golang:${GO} AS api\n")},
	}
	repository := definition.Source{Repository: "https://git.example/team/app"}
	opts := source.Options{Compilers: []definition.Compiler{bake.Compiler{}}, Dockerfile: "docker-bake.hcl"}
	defs, err := source.LoadAllFS(context.Background(), files, repository, opts)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range defs {
		base := d.File.Place(d.File.Stages[0].Base)
		fmt.Println(d.Build.Target, d.Build.Args, d.Build.Stage, d.Build.Platforms, d.Place(base))
	}
	// Output:
	// api map[GO:1.26] api [linux/amd64 linux/arm64] Dockerfile:2:6
	// worker map[GO:1.26]  [] docker-bake.hcl:14:10
}
