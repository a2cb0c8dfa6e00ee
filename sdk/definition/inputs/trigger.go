package inputs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
)

// trigger is an ONBUILD instruction that an image brings into the builds that stand on it.
type trigger struct {
	expression string
	// images are the names after from=, of a COPY or of a RUN's mounts.
	images []string
	// probes stand for the sources of an ADD.
	probes []*probe
}

// readTriggers reads the triggers in an image's config, and returns the config with probes in place of ADD. It decodes
// what BuildKit decodes: Go takes "onbuild" for "OnBuild", and so do we.
func readTriggers(config []byte, prefix string) (seen []byte, triggers []trigger, err error) {
	var image dockerspec.DockerOCIImage
	if err := json.Unmarshal(config, &image); err != nil {
		return nil, nil, fmt.Errorf("image config: %w", err)
	}
	if len(image.Config.OnBuild) == 0 {
		return config, nil, nil
	}
	var replaced []string
	for i, expression := range image.Config.OnBuild {
		t, instead, err := readTrigger(expression, fmt.Sprintf("%s%d.", prefix, i))
		if err != nil {
			return nil, nil, fmt.Errorf("its trigger ONBUILD %s: %w", expression, err)
		}
		triggers = append(triggers, t)
		replaced = append(replaced, instead...)
	}
	image.Config.OnBuild = replaced
	seen, err = json.Marshal(image)
	return seen, triggers, err
}

// readTrigger reads one trigger and returns the instructions to run instead of it.
func readTrigger(expression, prefix string) (t trigger, instead []string, err error) {
	t.expression = expression
	ast, err := parser.Parse(strings.NewReader(expression))
	if err != nil {
		return t, nil, err
	}
	if len(ast.AST.Children) != 1 {
		return t, nil, errors.New("it should be a single instruction")
	}
	command, err := instructions.ParseCommand(ast.AST.Children[0])
	if err != nil {
		return t, nil, err
	}
	switch c := command.(type) {
	case *instructions.CopyCommand:
		t.images = append(t.images, c.From)
	case *instructions.RunCommand:
		for _, mount := range instructions.GetMounts(c) {
			t.images = append(t.images, mount.From)
		}
	case *instructions.AddCommand:
		t.probes = newProbes(words(c.SourcePaths), definition.Word{Text: c.Checksum}, prefix)
		for _, p := range t.probes {
			two, err := p.lines()
			if err != nil {
				return t, nil, err
			}
			instead = append(instead, two...)
		}
		if len(t.probes) > 0 {
			return t, instead, nil
		}
	}
	return t, []string{expression}, nil
}

func words(texts []string) []definition.Word {
	var words []definition.Word
	for _, text := range texts {
		words = append(words, definition.Word{Text: text})
	}
	return words
}
