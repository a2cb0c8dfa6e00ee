package dagger

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// text is the Dockerfile for the engine, which has no switches of a build for what the request asks of all its RUN steps:
// each is told not to use the network, and to be run anew by a secret that nobody has.
func (r *request) text() ([]byte, error) {
	var edits []finding.Edit
	for _, in := range r.file.Instructions {
		if in.Name != "run" {
			continue
		}
		flags, err := r.flags(in)
		if err != nil {
			return nil, err
		}
		if flags != "" {
			edits = append(edits, r.file.Replace(in.Keyword, in.Keyword.Text+flags))
		}
	}
	return definition.Apply(r.file.Src, edits)
}

// flags are those that a RUN needs beside its own.
func (r *request) flags(in *definition.Instruction) (string, error) {
	var flags strings.Builder
	network, named := in.Flag("network")
	asked := network.Value.Text
	switch {
	case named && asked != "none" && asked != "default":
		return "", &build.Error{Place: r.place(in), Err: fmt.Errorf("RUN --network=%s: a definition may ask for less network than the build has, never for more (network.%s is not allowed)", asked, asked)}
	case named && asked == "default" && r.Network == build.NetworkNone:
		return "", &build.Error{Place: r.place(in), Err: errors.New("RUN --network=default: this build has no network; leave the flag out")}
	case !named && r.Network == build.NetworkNone:
		flags.WriteString(" --network=none")
	}
	if r.NoCache {
		flags.WriteString(" --mount=type=secret,required=false,id=plimsoll-" + strings.ToLower(rand.Text()))
	}
	return flags.String(), nil
}

// keyword is the first word of an instruction, in lower case.
func keyword(instruction string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(instruction), " ")
	return strings.ToLower(word)
}
