package catalog_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/catalogtest"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

const exampleCatalog = `version: 1
owner: linux-team
bases:
  - repository: docker.io/library/debian
    versions: ">=12.9 <13"
  - repository: docker.io/library/golang
    versions: ">=1.26"
    kinds: [build-only]
substitutions:
  - from: {repository: docker.io/library/debian, versions: ">=12 <12.9"}
    to: {version: "12.9"}
    reason: CVE-2026-1234 in openssl
`

// A program gets inputs from package definition/inputs and facts from package registry; both are made up here.
func Example() {
	dockerfile := "FROM golang:1.26 AS build\nRUN go build -o /app .\nFROM debian:12.8\nCOPY --from=build /app /app\n"
	registry := catalogtest.Tags("docker.io/library/golang:1.26", "docker.io/library/debian:12.8", "docker.io/library/debian:12.9")

	cat, err := catalog.Load("catalog.yaml", []byte(exampleCatalog))
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := cat.Plan(context.Background(), catalog.Question{
		Project: catalog.Project{Repository: "https://git.example/shop/cart"},
		Inputs:  catalogtest.Inputs(dockerfile, registry),
		At:      time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC),
	}, registry)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("gate:", finding.Gate(plan.Findings, finding.Error))
	for _, d := range plan.Decisions {
		fmt.Printf("%s -> %s (%s)\n", d.Input.Written, d.Effective, d.Entry)
	}
	pinned, err := plan.Rewrite([]byte(dockerfile))
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(string(pinned)) {
		if strings.HasPrefix(line, "FROM") {
			fmt.Println(line[:40] + "...")
		}
	}
	// Output:
	// gate: <nil>
	// golang:1.26 -> docker.io/library/golang:1.26 (catalog.yaml:6:5)
	// debian:12.8 -> docker.io/library/debian:12.9 (catalog.yaml:4:5)
	// FROM golang:1.26@sha256:45de870ced010ce1...
	// FROM debian:12.9@sha256:fa0be7cdee124ab4...
}

func ExampleLoad() {
	_, err := catalog.Load("catalog.yaml", []byte(`version: 1
owner: linux-team
bases:
  - repositry: docker.io/library/debian
    versions: ">=13 <12"
exceptions:
  - id: EX-1
    project: {repository: "*"}
    scope: {image: {repository: docker.io/library/nginx, tags: ["1.27"]}}
    reason: migration
    owner: cart-team
    approver: jane
`))
	fmt.Println(err)
	// Output:
	// catalog.yaml:4:5: a base has no repository
	// catalog.yaml:4:5: unknown key "repositry" in base; did you mean "repository"?
	// catalog.yaml:5:15: versions: ">=13 <12": no version can be in it
	// catalog.yaml:7:5: an exception has no end: until
	// catalog.yaml:8:27: "*": an exception can't be for all projects; name a repository, or a group of them as https://host/group/*
}

func ExampleCatalog_Explain() {
	cat, err := catalog.Load("catalog.yaml", []byte(exampleCatalog))
	if err != nil {
		fmt.Println(err)
		return
	}
	project := catalog.Project{Repository: "https://git.example/shop/cart"}
	plan, err := catalogtest.Plan(context.Background(), cat, catalogtest.Case{Project: project, Dockerfile: "FROM golang:1.26\n"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(plan.Findings[0])
	fmt.Print(cat.Explain(project, plan.Decisions[0]))
	// Output:
	// Dockerfile:1:6: error: base image "docker.io/library/golang:1.26" is listed as build-only, and is used here as runtime (DF1006)
	// Dockerfile:1:6: base image docker.io/library/golang:1.26 for linux/amd64: denied (DF1006: base is not for this use)
	//   1. base image golang:1.26 asks for docker.io/library/golang:1.26 [Dockerfile:1:6]
	//   2. that is sha256:45de870ced010ce1836eb54e5deb1309710f2611f6a7db5f207b16722e8b078a
	//   3. base image "docker.io/library/golang:1.26" is listed as build-only, and is used here as runtime [catalog.yaml:6:5]
	//   ask linux-team
	//   an exception would help:
	//
	//     exceptions:
	//       - id: # a new one
	//         project: {repository: "https://git.example/shop/cart"}
	//         scope: {image: {repository: docker.io/library/golang, tags: ["1.26"]}}
	//         reason: # why it is needed
	//         owner: # who needs it
	//         approver: # linux-team
	//         until: # a date
}
