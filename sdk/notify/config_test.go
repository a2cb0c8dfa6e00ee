package notify_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/plimsoll-dev/plimsoll/sdk/notify"
)

const config = `version: 1
ops: [ops]
everything: [bus]
channels:
  ops: {secret: ops-chat}
  pay: {secret: pay-chat, digest: 1h, timeout: 5s}
  web: {url: "smtp://mail.example/?from=a@example.com&to=web@example.com"}
  bus: {url: "https://events.example/plimsoll", headerSecrets: {Authorization: bus-token}}
teams:
  pay:
    channels: [pay]
    projects:
      - {repository: "https://git.example/pay/*"}
      - {repository: "https://git.example/mono", directory: "services/pay/**"}
  web:
    channels: [web]
    kinds: [dev.plimsoll.base.moved.v1]
    projects: [{labels: {team: web}}]
templates:
  dev.plimsoll.base.moved.v1: {subject: "[bases] {{.Title}}"}
`

func load(t *testing.T, text string) *notify.Config {
	t.Helper()
	cfg, err := notify.LoadConfig("notify.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestRoute(t *testing.T) {
	cfg := load(t, config)
	bus := notify.Destination{Channel: "bus"}
	for _, tt := range []struct {
		name  string
		event notify.Event
		want  []notify.Destination
	}{
		{"by repository", notify.Event{Project: notify.Project{Repository: "https://git.example/pay/api.git"}}, []notify.Destination{{Team: "pay", Channel: "pay"}, bus}},
		{"a star is no slash", notify.Event{Project: notify.Project{Repository: "https://git.example/pay/a/b"}}, []notify.Destination{{Channel: "ops"}, bus}},
		{"by directory", notify.Event{Project: notify.Project{Repository: "https://git.example/mono", Directory: "services/pay/a/b"}}, []notify.Destination{{Team: "pay", Channel: "pay"}, bus}},
		{"another directory", notify.Event{Project: notify.Project{Repository: "https://git.example/mono", Directory: "services/other"}}, []notify.Destination{{Channel: "ops"}, bus}},
		{"by label", notify.Event{Kind: notify.BaseMoved, Project: notify.Project{Labels: map[string]string{"team": "web"}}}, []notify.Destination{{Team: "web", Channel: "web"}, bus}},
		{"a kind that the team leaves out", notify.Event{Kind: notify.ChangeCreated, Project: notify.Project{Labels: map[string]string{"team": "web"}}}, []notify.Destination{bus}},
		{"teams that the event names", notify.Event{Teams: []string{"pay", "web"}, Kind: notify.BaseMoved}, []notify.Destination{{Team: "pay", Channel: "pay"}, {Team: "web", Channel: "web"}, bus}},
		{"nobody's", notify.Event{}, []notify.Destination{{Channel: "ops"}, bus}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, cfg.Route(tt.event)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLoadConfigRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", " \n", `notify.yaml: the file is empty`},
		{"no YAML", "version: [", `notify.yaml`},
		{"an unknown key", strings.Replace(config, "digest:", "digets:", 1), `notify.yaml:6: field digets not found`},
		{"a key twice", config + "ops: [bus]\n", `already defined`},
		{"another version", strings.Replace(config, "version: 1", "version: 2", 1), `version is 2; this program knows version 1`},
		{"no ops", strings.Replace(config, "ops: [ops]", "ops: []", 1), `ops: name a channel for what concerns no team`},
		{"an unknown channel", strings.Replace(config, "channels: [pay]", "channels: [pray]", 1), `team pay: no channel is called "pray"; there are bus, ops, pay, web`},
		{"an unused channel", strings.Replace(config, "channels: [pay]", "channels: [web]", 1), `channel pay: nothing uses it`},
		{"a bad duration", strings.Replace(config, "1h", "soon", 1), `"soon" is not a duration`},
		{"a negative duration", strings.Replace(config, "1h", "-1h", 1), `"-1h" is not a duration`},
		{"neither url nor secret", strings.Replace(config, "{secret: ops-chat}", "{}", 1), `channel ops: it needs either a url or the name of a secret`},
		{"plain http", strings.Replace(config, "https://events.example/plimsoll", "http://user:hunter22@events.example/plimsoll", 1), `http://events.example/REDACTED: plain http would show`},
		{"a team of everything", strings.Replace(config, "{labels: {team: web}}", "{}", 1), `team web: project 1 selects everything`},
		{"a broken template", strings.Replace(config, "{{.Title}}", "{{.Titel}}", 1), `templates.dev.plimsoll.base.moved.v1.subject`},
		{"a template that is none", strings.Replace(config, "{{.Title}}", "{{", 1), `templates.dev.plimsoll.base.moved.v1.subject`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := notify.LoadConfig("notify.yaml", []byte(tt.text))
			if cfg != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter22") {
				t.Errorf("a password is printed: %v", err)
			}
		})
	}
}

// What the schema takes the program takes, and what one refuses for its form the other does.
func TestSchema(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(notify.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("notify.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("notify.json")
	if err != nil {
		t.Fatal(err)
	}
	for text, valid := range map[string]bool{
		config: true,
		strings.Replace(config, "digest:", "digets:", 1):           false,
		strings.Replace(config, "1h", "soon", 1):                   false,
		strings.Replace(config, "{secret: ops-chat}", "{}", 1):     false,
		strings.Replace(config, "ops: [ops]", "ops: []", 1):        false,
		strings.Replace(config, "{labels: {team: web}}", "{}", 1):  false,
		strings.Replace(config, "version: 1", "version: 2", 1):     false,
		strings.Replace(config, "everything: [bus]", "all: []", 1): false,
	} {
		var value any
		if err := yaml.Load([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
		if err != nil {
			t.Fatal(err)
		}
		_, loadErr := notify.LoadConfig("notify.yaml", []byte(text))
		if err := s.Validate(instance); (err == nil) != valid || (loadErr == nil) != valid {
			t.Errorf("schema says %v, program says %v, want valid %v for\n%s", err, loadErr, valid, text)
		}
	}
}
