// Package dagger tests the snippets beside it as far as that is possible without the CI systems.
package dagger

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// function matches a function of the module that a snippet calls, and the one that it calls on the answer.
var function = regexp.MustCompile(`\b(lint|build|request-build) --\w`)

func TestSnippets(t *testing.T) {
	for _, name := range []string{"github-actions.yml", "gitlab-ci.yml", "Jenkinsfile"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".yml") {
			var document map[string]any
			if err := yaml.Load(text, &document); err != nil || len(document) == 0 {
				t.Errorf("%s: %v", name, err)
			}
		}
		if calls := function.FindAllString(string(text), -1); len(calls) < 2 {
			t.Errorf("%s calls %q, want findings and an image", name, calls)
		}
		if !strings.Contains(string(text), "github.com/plimsoll-dev/plimsoll") {
			t.Errorf("%s does not name the module", name)
		}
	}
}
