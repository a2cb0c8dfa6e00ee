package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMistakesHaveTheirPlaces(t *testing.T) {
	text := `version: 1
state: state
catalog: catalog.yaml
listn: 127.0.0.1:8080
workers: many
limits:
  timeout: an hour
callers:
  tokens:
    pay-ci: plimsoll_secret
projects:
  - name: pay
    repository: https://git.example/team/pay.git
    publish: registry.example/pay
    grants:
      - rights: [build]
        issuer: github
  - name: two
    grants: []
`
	_, err := parseConfig("service.yaml", []byte(text))
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, want := range []string{
		`service.yaml:4:1: unknown key "listn"`,
		`service.yaml:5:10: workers: got string, want integer`,
		`service.yaml:7:12: limits.timeout: `,
		`service.yaml:10:13: callers.tokens.pay-ci: `,
		`service.yaml:16:9: projects.0.grants.0: missing property 'claims'`,
		`service.yaml:18:5: projects.1: missing properties 'repository', 'publish'`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q:\n%v", want, err)
		}
	}
	if _, err := parseConfig("service.yaml", []byte("version: 1\n\tstate: x\n")); err == nil || !strings.HasPrefix(err.Error(), "service.yaml:2:") {
		t.Errorf("no YAML: %v", err)
	}
}

func TestTheExampleIsAConfiguration(t *testing.T) {
	text, err := os.ReadFile("buildservice.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := parseConfig("buildservice.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Projects[0].Git.PasswordFile, cfg.DatabaseFile = "", ""
	opts, err := cfg.options()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range opts.Projects {
		names = append(names, p.Name)
	}
	if diff := cmp.Diff([]string{"pay", "shop"}, names); diff != "" {
		t.Errorf("projects (-want +got):\n%s", diff)
	}
}
