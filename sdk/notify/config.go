package notify

import (
	"bytes"
	_ "embed" // the schema
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Config is who is told of what, and where: Ops' configuration, format version 1. The YAML names are fixed; [Schema] is
// the JSON Schema.
type Config struct {
	// Version of the format: 1.
	Version int `yaml:"version"`
	// Channels by name.
	Channels map[string]ChannelConfig `yaml:"channels"`
	// Teams by name. An event goes to every team that one of its projects selects.
	Teams map[string]Team `yaml:"teams"`
	// Ops names the channels that hear of events that no team is for, and of messages that were given up.
	Ops []string `yaml:"ops"`
	// Everything names the channels that get every event, such as an event bus.
	Everything []string `yaml:"everything"`
	// Templates replace how a kind of event is told to people; see [Renderer].
	Templates map[Kind]Template `yaml:"templates"`
}

// ChannelConfig is one address. Exactly one of URL and Secret is set.
type ChannelConfig struct {
	// URL is https:// (or http:// to this host) for CloudEvents, else a shoutrrr address such as smtp://.
	URL string `yaml:"url"`
	// Secret names a secret that is the URL: most addresses of chats let anybody write there.
	Secret string `yaml:"secret"`
	// Digest collects events for so long and sends them as one message, a duration such as 1h. Default: 0, at once.
	Digest Duration `yaml:"digest"`
	// Timeout is for one attempt. Default: 15s.
	Timeout Duration `yaml:"timeout"`
	// Headers are sent along by CloudEvents channels, by name. HeaderSecrets has the names of secrets instead of values.
	Headers       map[string]string `yaml:"headers"`
	HeaderSecrets map[string]string `yaml:"headerSecrets"`
}

// Team is a group of people.
type Team struct {
	Projects []Selector `yaml:"projects"`
	// Channels are told, by name; Kinds limits of what. Default: all kinds.
	Channels []string `yaml:"channels"`
	Kinds    []Kind   `yaml:"kinds"`
}

// Selector matches projects. All of its fields that are set must match.
type Selector struct {
	// Repository and Directory are patterns: * is anything but a slash, ** anything.
	Repository string            `yaml:"repository"`
	Directory  string            `yaml:"directory"`
	Labels     map[string]string `yaml:"labels"`
}

// Template tells a kind of event in other words. Both are Go templates over an [Event]; an empty one leaves the default.
type Template struct {
	Subject string `yaml:"subject"`
	Text    string `yaml:"text"`
}

// Duration is a time.Duration that is written as "90s" or "1h".
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration does, and no negative ones.
func (d *Duration) UnmarshalText(text []byte) error {
	value, err := time.ParseDuration(string(text))
	if err != nil || value < 0 {
		return fmt.Errorf("%q is not a duration such as 90s or 1h", text)
	}
	*d = Duration(value)
	return nil
}

// maxConfig is the size of a configuration, in bytes.
const maxConfig = 1 << 20

// LoadConfig reads a configuration; name is what messages call it. All problems are reported at once, joined, each with
// the file's name and where it can be the line.
func LoadConfig(name string, src []byte) (*Config, error) {
	c := &Config{}
	if len(src) > maxConfig {
		return nil, fmt.Errorf("%s: more than %d bytes; is this a configuration of notifications?", name, maxConfig)
	}
	if len(bytes.TrimSpace(src)) == 0 {
		return nil, fmt.Errorf("%s: the file is empty; a configuration begins with \"version: 1\"", name)
	}
	if err := yaml.Load(src, c, yaml.WithKnownFields(), yaml.WithUniqueKeys()); err != nil {
		return nil, decodeError(name, err)
	}
	var errs []error
	for _, problem := range c.problems() {
		errs = append(errs, fmt.Errorf("%s: %s", name, problem))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

func decodeError(name string, err error) error {
	several, ok := errors.AsType[*yaml.LoadErrors](err)
	if !ok {
		return fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	var errs []error
	for _, e := range several.Errors {
		errs = append(errs, fmt.Errorf("%s:%d: %s", name, e.Mark.Line, e.Message))
	}
	return errors.Join(errs...)
}

// problems are what the form alone does not show.
func (c *Config) problems() []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if c.Version != 1 {
		say("version is %d; this program knows version 1", c.Version)
	}
	used := map[string]bool{}
	known := func(where string, names []string) {
		for _, n := range names {
			used[n] = true
			if _, ok := c.Channels[n]; !ok {
				say("%s: no channel is called %q; there are %s", where, n, list(slices.Sorted(maps.Keys(c.Channels))))
			}
		}
	}
	known("ops", c.Ops)
	known("everything", c.Everything)
	if len(c.Ops) == 0 {
		say("ops: name a channel for what concerns no team, and for messages that could not be delivered")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Teams)) {
		team := c.Teams[name]
		known("team "+name, team.Channels)
		if len(team.Channels) == 0 {
			say("team %s: it has no channels", name)
		}
		if len(team.Projects) == 0 {
			say("team %s: it has no projects, so it is never told anything", name)
		}
		for i, s := range team.Projects {
			if s.Repository == "" && s.Directory == "" && len(s.Labels) == 0 {
				say("team %s: project %d selects everything; that is what \"everything\" is for", name, i+1)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Channels)) {
		for _, problem := range c.Channels[name].problems() {
			say("channel %s: %s", name, problem)
		}
		if !used[name] {
			say("channel %s: nothing uses it", name)
		}
	}
	if _, err := NewRenderer(c.Templates); err != nil {
		say("%v", err)
	}
	return out
}

func (c ChannelConfig) problems() []string {
	var out []string
	switch {
	case (c.URL == "") == (c.Secret == ""):
		out = append(out, "it needs either a url or the name of a secret that is one")
	case c.URL != "":
		if err := CheckAddress(c.URL); err != nil {
			out = append(out, err.Error())
		}
	}
	if c.Timeout > Duration(10*time.Minute) {
		out = append(out, "a timeout of more than 10m is none")
	}
	return out
}

// CheckAddress says what is wrong with a channel's URL, without printing it.
func CheckAddress(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return errors.New("its url can't be read as one")
	case u.Scheme == "":
		return errors.New("its url has no scheme; it is https, or one of shoutrrr's such as slack")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return fmt.Errorf("%s: plain http would show events and secrets on the way; use https", Redact(address))
	}
	return nil
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

//go:embed schema.json
var schema string

// Schema is the JSON Schema (draft 2020-12) of the configuration, for editors and for checks without this package.
func Schema() string { return schema }
