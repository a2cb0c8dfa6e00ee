package blackbox

import (
	"bytes"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing/fstest"

	gherkin "github.com/cucumber/gherkin/go/v26"
	messages "github.com/cucumber/messages/go/v21"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// features is what was read: the files that can be run, and what is wrong with the others.
type features struct {
	all      []FeatureFile
	runnable fstest.MapFS // a snapshot, so that what is run is what was judged
	paths    []string     // of the runnable ones, with ":line" where it was asked for
	problems []finding.Finding
}

// lineSuffix is how a path names one scenario.
var lineSuffix = regexp.MustCompile(`:(\d+)$`)

// readFeatures reads the files under the paths. A file that is wrong becomes a problem; an error means that a path
// can't be read at all.
func readFeatures(fsys fs.FS, paths []string) (*features, error) {
	if len(paths) == 0 {
		paths = []string{"."}
	}
	f := &features{runnable: fstest.MapFS{}}
	for _, p := range paths {
		name := lineSuffix.ReplaceAllString(p, "")
		files, err := featureFiles(fsys, name)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if err := f.read(fsys, file, strings.TrimPrefix(p, name)); err != nil {
				return nil, err
			}
		}
	}
	if len(f.all) == 0 {
		return nil, fmt.Errorf("there is no .feature file in %s", list(paths))
	}
	return f, nil
}

func featureFiles(fsys fs.FS, name string) ([]string, error) {
	var files []string
	err := fs.WalkDir(fsys, name, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && (strings.HasSuffix(path, ".feature") || path == name) {
			files = append(files, path)
		}
		return err
	})
	return files, err
}

func (f *features) read(fsys fs.FS, path, line string) error {
	if slices.ContainsFunc(f.all, func(have FeatureFile) bool { return have.Path == path }) {
		if f.runnable[path] != nil {
			f.paths = append(f.paths, path+line)
		}
		return nil
	}
	content, err := fs.ReadFile(fsys, path)
	if err != nil {
		return err
	}
	digest, _, err := v1.SHA256(bytes.NewReader(content))
	if err != nil {
		return err
	}
	f.all = append(f.all, FeatureFile{Path: path, Digest: digest, Content: content})
	text := bytes.TrimPrefix(content, []byte("\ufeff"))
	problems := check(path, text)
	if len(problems) > 0 {
		f.problems = append(f.problems, problems...)
		return nil
	}
	f.runnable[path] = &fstest.MapFile{Data: text}
	f.paths = append(f.paths, path+line)
	return nil
}

func problem(rule, path string, line, column int64, format string, args ...any) finding.Finding {
	return finding.Finding{
		Rule: rule, Severity: finding.Error, Message: fmt.Sprintf(format, args...),
		Place: finding.Place{File: path, Start: finding.Position{Line: int(line), Column: int(column)}},
	}
}

// syntaxPlace is how the parser begins each of its messages.
var syntaxPlace = regexp.MustCompile(`^\((\d+):(\d+)\): (.*)$`)

// check parses a feature and returns what keeps it from being run.
func check(path string, content []byte) []finding.Finding {
	document, err := gherkin.ParseGherkinDocument(bytes.NewReader(content), (&messages.Incrementing{}).NewId)
	if err != nil {
		return syntaxProblems(path, err)
	}
	if document.Feature == nil {
		return []finding.Finding{problem(ruleNoScenario, path, 1, 1, "the file has no feature: begin it with \"Feature:\" and a title")}
	}
	c := &checker{path: path, lines: strings.Split(string(content), "\n"), dialect: dialectOf(document.Feature.Language)}
	c.feature(document.Feature)
	if c.scenarios == 0 && len(c.problems) == 0 {
		at := document.Feature.Location
		c.add(ruleNoScenario, at, "feature %q has no scenario", document.Feature.Name)
	}
	return c.problems
}

func syntaxProblems(path string, err error) []finding.Finding {
	var problems []finding.Finding
	for line := range strings.Lines(err.Error()) {
		if m := syntaxPlace.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			at, _ := strconv.ParseInt(m[1], 10, 64) // digits, by the pattern
			column, _ := strconv.ParseInt(m[2], 10, 64)
			problems = append(problems, problem(ruleSyntax, path, at, max(column, 1), "%s", plainSyntax(m[3])))
			if strings.Contains(m[3], "#FeatureLine") {
				break // without a feature every other line is wrong, too
			}
		}
	}
	if len(problems) == 0 {
		problems = append(problems, problem(ruleSyntax, path, 1, 1, "%s", err))
	}
	return problems
}

// plainSyntax says in words what the parser says in the names of its tokens.
func plainSyntax(msg string) string {
	expected, got, ok := strings.Cut(msg, ", got ")
	if !ok || !strings.HasPrefix(expected, "expected: ") {
		return msg
	}
	got = strings.TrimSpace(strings.Trim(got, "'"))
	if strings.Contains(expected, "#FeatureLine") {
		return fmt.Sprintf("%q stands where the feature begins: expected \"Feature:\" and a title", got)
	}
	return fmt.Sprintf("%q is no line of a feature here: expected a step (Given, When, Then, And, But), a table row, \"Scenario:\", \"Examples:\" or a tag", got)
}
