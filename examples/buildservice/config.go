package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"go.yaml.in/yaml/v4"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/callers"
)

// schema says what a configuration may have; it is checked before anything else.
//
//go:embed schema.json
var schema string

// config is the configuration file. Its fields are described in schema.json.
type config struct {
	Listen, Metrics, State, Database string
	DatabaseFile                     string `yaml:"databaseFile"`
	Catalog                          string
	CatalogKey                       string `yaml:"catalogKey"`
	CatalogName                      string `yaml:"catalogName"`
	Builder, Sandbox                 string
	Workers                          int
	Registry                         struct {
		DockerConfig string `yaml:"dockerConfig"`
	}
	Limits struct {
		Running, Team, Queued, Attempts int
		Teams                           map[string]int
		Timeout, Drain                  duration
		Body                            int64
		Concurrent, Followers           int
		Rate                            float64
	}
	Tracing  struct{ Endpoint string }
	Evidence struct {
		Key            string
		PassphraseFile string `yaml:"passphraseFile"`
		Builder        string
	}
	Audit struct {
		Directory, Name string
		Checkpoints     struct {
			Repository string
			Every      duration
		}
	}
	Callers struct {
		Issuers []struct {
			Name, URL, Audience string
			Leeway              duration
		}
		Tokens map[string]string
	}
	Operators []grant
	Projects  []project
}

type grant struct {
	Issuer string
	Claims map[string]string
	Token  string
	Rights []callers.Right
}

type project struct {
	Name, Team, Repository, Publish, Cache string
	Directories, Tags, Args, Platforms     []string
	MaxPriority                            int `yaml:"maxPriority"`
	Labels                                 map[string]string
	Network                                bool
	Secrets                                map[string]string
	Git                                    struct {
		User         string
		PasswordFile string `yaml:"passwordFile"`
	}
	Grants []grant
}

// duration is written as Go does: 90s, 1h30m.
type duration time.Duration

// UnmarshalYAML implements [yaml.Unmarshaler]; the schema has checked the form.
func (d *duration) UnmarshalYAML(node *yaml.Node) error {
	parsed, err := time.ParseDuration(node.Value)
	*d = duration(parsed)
	return err
}

// configError is a configuration that is wrong, with the places of all problems.
type configError struct{ problems []string }

// Error lists the problems, one a line.
func (e *configError) Error() string { return strings.Join(e.problems, "\n") }

// loadConfig reads and checks a configuration file.
func loadConfig(name string) (*config, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return parseConfig(name, text)
}

func parseConfig(name string, text []byte) (*config, error) {
	var root yaml.Node
	if err := yaml.Load(text, &root); err != nil {
		if broken, ok := errors.AsType[*yaml.LoadError](err); ok && broken.Mark.Line > 0 {
			return nil, &configError{[]string{fmt.Sprintf("%s:%d:%d: not YAML: %s", name, broken.Mark.Line, broken.Mark.Column, broken.Message)}}
		}
		return nil, &configError{[]string{fmt.Sprintf("%s: %v", name, err)}}
	}
	if problems := validate(name, root.Content[0]); len(problems) > 0 {
		return nil, &configError{problems}
	}
	var cfg config
	if err := root.Content[0].Decode(&cfg); err != nil {
		return nil, &configError{[]string{fmt.Sprintf("%s: %v", name, err)}}
	}
	return &cfg, nil
}

// validate compares a file with the schema and says where it differs.
func validate(name string, root *yaml.Node) []string {
	var value any
	if err := root.Decode(&value); err != nil {
		return []string{fmt.Sprintf("%s: %v", name, err)}
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		return []string{err.Error()}
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", document); err != nil {
		return []string{err.Error()}
	}
	compiled, err := compiler.Compile("schema.json")
	if err != nil {
		return []string{err.Error()}
	}
	var wrong *jsonschema.ValidationError
	if err := compiled.Validate(value); err == nil {
		return nil
	} else if !errors.As(err, &wrong) {
		return []string{fmt.Sprintf("%s: %v", name, err)}
	}
	var problems []string
	var walk func(e *jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		for _, cause := range e.Causes {
			walk(cause)
		}
		if len(e.Causes) == 0 {
			problems = append(problems, describe(name, root, e)...)
		}
	}
	walk(wrong)
	slices.Sort(problems)
	return slices.Compact(problems)
}

// describe puts the place before what the schema has to say.
func describe(name string, root *yaml.Node, e *jsonschema.ValidationError) []string {
	at := strings.Join(e.InstanceLocation, ".")
	if unknown, ok := e.ErrorKind.(*kind.AdditionalProperties); ok {
		var all []string
		for _, key := range unknown.Properties {
			node := find(root, append(slices.Clone(e.InstanceLocation), key), true)
			all = append(all, fmt.Sprintf("%s:%d:%d: unknown key %q", name, node.Line, node.Column, key))
		}
		return all
	}
	node := find(root, e.InstanceLocation, false)
	text := e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
	if at != "" {
		text = at + ": " + text
	}
	return []string{fmt.Sprintf("%s:%d:%d: %s", name, node.Line, node.Column, text)}
}

// find returns the node at a path, or its key; the nearest one above when there is none.
func find(node *yaml.Node, path []string, key bool) *yaml.Node {
	for i, step := range path {
		next := node
		switch node.Kind {
		case yaml.MappingNode:
			for n := 0; n+1 < len(node.Content); n += 2 {
				if node.Content[n].Value == step {
					next = node.Content[n+1]
					if key && i == len(path)-1 {
						next = node.Content[n]
					}
				}
			}
		case yaml.SequenceNode:
			if n, err := strconv.Atoi(step); err == nil && n < len(node.Content) {
				next = node.Content[n]
			}
		default:
		}
		node = next
	}
	return node
}
