package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
)

// steps checks what a program can show of a build: events while it runs, steps with lines afterwards.
func (s suite) steps(t *testing.T) {
	var events, log []string
	req := build.Request{
		Dockerfile: fmt.Appendf(nil, "FROM %s AS one\n\nRUN echo first; echo second # %s\nFROM one\nCOPY --from=one /bin/sh /sh\n", s.base.Ref, t.Name()),
		NoCache:    true,
		Progress: func(e build.Event) {
			if strings.Contains(e.Step, "RUN") {
				events = append(events, e.State)
				log = append(log, string(e.Log))
			}
		},
	}
	result := s.build(t, req)
	if diff := cmp.Diff("start,done", strings.Join(slices.DeleteFunc(events, func(e string) bool { return e == "log" }), ",")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("first\nsecond\n", strings.Join(log, "")); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"1 FROM", "3 RUN", "5 COPY"}, instructions(result.Steps)); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	req.NoCache = false
	for _, step := range s.build(t, req).Steps {
		if strings.Contains(step.Name, "RUN") && !step.Cached {
			t.Errorf("the second time, %s was not cached", step.Name)
		}
	}
}

// triggers checks that the lines are right behind what a base image brings along.
func (s suite) triggers(t *testing.T) {
	if s.lacks.Triggers {
		t.Skip("this home does not count them")
	}
	img, err := mutate.Config(pull(t, s.base), v1.Config{
		Env: []string{"PATH=/bin"}, OnBuild: []string{"RUN echo trigger > /t", "WORKDIR /w"},
	})
	if err != nil {
		t.Fatal(err)
	}
	base := Push(t, Registry(t)+"/base/triggers:1", img)
	result := s.build(t, build.Request{
		Dockerfile: fmt.Appendf(nil, "# comment\nFROM %s\nENV A=b\nRUN echo %s > /own\n", base.Ref, t.Name()),
		Sources:    []build.Source{base},
	})
	if diff := cmp.Diff([]string{"2 FROM", "2 ONBUILD", "2 ONBUILD", "4 RUN"}, instructions(result.Steps)); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

// instructions are line and keyword of the steps that have a line.
func instructions(steps []build.Step) []string {
	var all []string
	for _, s := range steps {
		if s.Line > 0 {
			_, instruction, _ := strings.Cut(s.Name, "] ")
			all = append(all, fmt.Sprintf("%d %s", s.Line, strings.Fields(instruction)[0]))
		}
	}
	return all
}
