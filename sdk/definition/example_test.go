package definition_test

import (
	"fmt"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Parse finds the words that matter and where they stand, however they are written.
func ExampleParse() {
	f, err := definition.Parse("Dockerfile", []byte("FROM golang:1.26 AS build\n"+
		"RUN --mount=type=bind,from=tools,target=/t \\\n"+
		"    make\n"+
		"FR\\\n"+
		"OM scratch\n"+
		"COPY --from=build /app /\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, in := range f.Instructions {
		for _, flag := range in.Flags {
			for _, field := range flag.Fields() {
				if field.Name == "from" {
					fmt.Println(f.Place(field.Value), in.Name, field.Value.Text)
				}
			}
			if flag.Name == "from" {
				fmt.Println(f.Place(flag.Value), in.Name, flag.Value.Text)
			}
		}
	}
	for _, s := range f.Stages {
		fmt.Println(f.Place(s.Base), s.From.Keyword.Text, s.Base.Text)
	}

	_, err = definition.Parse("Dockerfile", []byte("FROM alpine\nCOPY --form=build /app /\n"))
	fmt.Println(err)
	// Output:
	// Dockerfile:2:28 run tools
	// Dockerfile:6:13 copy build
	// Dockerfile:1:6 FROM golang:1.26
	// Dockerfile:5:4 FROM scratch
	// Dockerfile:2:6: unknown flag: --form (did you mean from?)
}

// Apply changes only what it must, and Diff prints the change as git takes it.
func ExampleApply() {
	f, err := definition.Parse("Dockerfile", []byte("FROM alpine:3.20 \t# odd, but an argument\n"))
	fmt.Println(f == nil, err)

	f, err = definition.Parse("Dockerfile", []byte("from   alpine:3.20 \t\r\nRUN true"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fixed, err := definition.Apply(f.Src, []finding.Edit{f.Replace(f.Stages[0].Base, "alpine:3.21")})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q\n", fixed)
	// Output:
	// true Dockerfile:1:1: FROM requires either one or three arguments
	// "from   alpine:3.21 \t\r\nRUN true"
}
