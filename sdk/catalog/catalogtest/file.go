package catalogtest

import (
	"errors"
	"fmt"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// fileCase is a [Case] in a file.
type fileCase struct {
	Name       string            `yaml:"name"`
	Dockerfile string            `yaml:"dockerfile"`
	Project    fileProject       `yaml:"project"`
	Args       []string          `yaml:"args"`
	BuildArgs  map[string]string `yaml:"buildArgs"`
	Platforms  []string          `yaml:"platforms"`
	Target     string            `yaml:"target"`
	At         time.Time         `yaml:"at"`
	Registry   map[string]file   `yaml:"registry"`
	Want       []string          `yaml:"want"`
	Findings   []string          `yaml:"findings"`
}

type fileProject struct {
	Repository string            `yaml:"repository"`
	Directory  string            `yaml:"directory"`
	Labels     map[string]string `yaml:"labels"`
}

type file struct {
	Digest    string            `yaml:"digest"`
	Manifests map[string]string `yaml:"manifests"`
	Created   time.Time         `yaml:"created"`
	Packages  []string          `yaml:"packages"`
	Keys      []string          `yaml:"keys"`
	OnBuild   []string          `yaml:"onBuild"`
}

// Load reads cases from a YAML file, for those who keep a catalog and write no Go: a list of mappings with the fields of
// [Case] in lower case, project with repository, directory and labels, and registry with the images by reference:
//
//   - name: debian is moved
//     dockerfile: FROM debian:12.8
//     registry: {"docker.io/library/debian:12.9": {}}
//     want: [move debian:12.8 to docker.io/library/debian:12.9]
//
// Unknown keys, cases without a name, cases that want nothing and files without cases are errors.
func Load(name string, src []byte) ([]Case, error) {
	var list []fileCase
	var nodes []yaml.Node // for their lines
	if err := errors.Join(yaml.Load(src, &list, yaml.WithKnownFields()), yaml.Load(src, &nodes)); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: no case in it", name)
	}
	cases := make([]Case, 0, len(list))
	for i, c := range list {
		if c.Name == "" || c.Want == nil && c.Findings == nil {
			return nil, fmt.Errorf("%s:%d: case %d has no name, or neither want nor findings", name, nodes[i].Line, i+1)
		}
		at := finding.Position{Line: nodes[i].Line, Column: nodes[i].Column}
		out := Case{
			Name: c.Name, Dockerfile: c.Dockerfile, Args: c.Args, BuildArgs: c.BuildArgs, Platforms: c.Platforms, Target: c.Target,
			At: c.At, Want: c.Want, Findings: c.Findings, Place: finding.Place{File: name, Start: at, End: at},
			Project: catalog.Project{Repository: c.Project.Repository, Directory: c.Project.Directory, Labels: c.Project.Labels},
		}
		if c.Registry != nil {
			out.Registry = &Registry{Images: map[string]Image{}}
			for ref, image := range c.Registry {
				out.Registry.Images[ref] = Image(image)
			}
		}
		cases = append(cases, out)
	}
	return cases, nil
}
