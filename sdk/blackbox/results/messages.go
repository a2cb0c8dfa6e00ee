package results

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"runtime"
	"strconv"
	"time"

	gherkin "github.com/cucumber/gherkin/go/v26"
	messages "github.com/cucumber/messages/go/v21"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
)

// Messages writes a verdict as Cucumber Messages (https://github.com/cucumber/messages), one JSON object a line, as
// Cucumber's own formatters read them. With several platforms there is a test case for each of them.
func Messages(w io.Writer, v *blackbox.Verdict) error {
	m := &messageWriter{json: json.NewEncoder(w), definitions: map[string]string{}, pickles: map[string]*messages.Pickle{}}
	m.meta(v)
	for _, f := range v.Features {
		m.feature(f)
	}
	for _, p := range v.Problems {
		m.send(&messages.Envelope{ParseError: &messages.ParseError{Message: p.String(), Source: &messages.SourceReference{
			Uri: p.Place.File, Location: &messages.Location{Line: int64(p.Place.Start.Line), Column: int64(p.Place.Start.Column)},
		}}})
	}
	m.send(&messages.Envelope{TestRunStarted: &messages.TestRunStarted{Timestamp: timestamp(v.Started)}})
	for _, p := range v.Platforms {
		for _, s := range p.Scenarios {
			m.scenario(p, s)
		}
	}
	m.send(&messages.Envelope{TestRunFinished: &messages.TestRunFinished{
		Success: v.Result() == blackbox.ResultPassed, Timestamp: timestamp(v.Started.Add(v.Duration)),
	}})
	return m.err
}

type messageWriter struct {
	json        *json.Encoder
	err         error
	ids         int
	definitions map[string]string           // ids of step definitions by expression
	pickles     map[string]*messages.Pickle // by place
}

func (m *messageWriter) send(e *messages.Envelope) {
	if m.err == nil {
		m.err = m.json.Encode(e)
	}
}

func (m *messageWriter) id() string {
	m.ids++
	return strconv.Itoa(m.ids)
}

func (m *messageWriter) meta(v *blackbox.Verdict) {
	product := func(name, version string) *messages.Product { return &messages.Product{Name: name, Version: version} }
	m.send(&messages.Envelope{Meta: &messages.Meta{
		ProtocolVersion: "21.0.1", Implementation: product(v.Tool, v.Version),
		Runtime: product("go", runtime.Version()), Os: product(runtime.GOOS, ""), Cpu: product(runtime.GOARCH, ""),
	}})
}

// feature sends the source of a feature and what it parses to. Ids are made here: nothing else refers to them.
func (m *messageWriter) feature(f blackbox.FeatureFile) {
	m.send(&messages.Envelope{Source: &messages.Source{Uri: f.Path, Data: string(f.Content), MediaType: messages.SourceMediaType_TEXT_X_CUCUMBER_GHERKIN_PLAIN}})
	content := bytes.TrimPrefix(f.Content, []byte("\ufeff"))
	document, err := gherkin.ParseGherkinDocument(bytes.NewReader(content), m.id)
	if err != nil || document.Feature == nil {
		return // one of the verdict's problems
	}
	document.Uri = f.Path
	m.send(&messages.Envelope{GherkinDocument: document})
	lines := linesOf(document.Feature)
	for _, p := range gherkin.Pickles(*document, f.Path, m.id) {
		m.send(&messages.Envelope{Pickle: p})
		m.pickles[place(f.Path, lines[p.AstNodeIds[len(p.AstNodeIds)-1]])] = p
	}
}

func place(file string, line int64) string {
	return path.Clean(file) + ":" + strconv.FormatInt(line, 10)
}

// linesOf returns the lines of scenarios and of rows of examples by id.
func linesOf(f *messages.Feature) map[string]int64 {
	lines := map[string]int64{}
	scenario := func(s *messages.Scenario) {
		if s == nil {
			return
		}
		lines[s.Id] = s.Location.Line
		for _, e := range s.Examples {
			for _, row := range e.TableBody {
				lines[row.Id] = row.Location.Line
			}
		}
	}
	for _, child := range f.Children {
		scenario(child.Scenario)
		if child.Rule != nil {
			for _, inner := range child.Rule.Children {
				scenario(inner.Scenario)
			}
		}
	}
	return lines
}

func (m *messageWriter) definition(expression string) []string {
	if expression == "" {
		return []string{}
	}
	if m.definitions[expression] == "" {
		m.definitions[expression] = m.id()
		m.send(&messages.Envelope{StepDefinition: &messages.StepDefinition{
			Id: m.definitions[expression], SourceReference: &messages.SourceReference{Uri: "STEPS.md"},
			Pattern: &messages.StepDefinitionPattern{Source: expression, Type: messages.StepDefinitionPatternType_CUCUMBER_EXPRESSION},
		}})
	}
	return []string{m.definitions[expression]}
}

func (m *messageWriter) scenario(p blackbox.PlatformResult, s blackbox.ScenarioResult) {
	pickle := m.pickles[place(s.Place.File, int64(s.Place.Start.Line))]
	if pickle == nil || len(pickle.Steps) != len(s.Steps) {
		if m.err == nil {
			m.err = fmt.Errorf("the verdict has the scenario %s, its features do not", s.Place)
		}
		return
	}
	test := &messages.TestCase{Id: m.id(), PickleId: pickle.Id}
	for i, step := range s.Steps {
		test.TestSteps = append(test.TestSteps, &messages.TestStep{
			Id: m.id(), PickleStepId: pickle.Steps[i].Id, StepDefinitionIds: m.definition(step.Expression),
			StepMatchArgumentsLists: []*messages.StepMatchArgumentsList{},
		})
	}
	m.send(&messages.Envelope{TestCase: test})
	run := m.id()
	at := s.Started
	m.send(&messages.Envelope{TestCaseStarted: &messages.TestCaseStarted{Id: run, TestCaseId: test.Id, Timestamp: timestamp(at)}})
	for i, step := range s.Steps {
		id := test.TestSteps[i].Id
		m.send(&messages.Envelope{TestStepStarted: &messages.TestStepStarted{TestCaseStartedId: run, TestStepId: id, Timestamp: timestamp(at)}})
		if i == 0 {
			m.attach(run, id, blackbox.Attachment{Name: "platform", MediaType: "text/plain", Body: []byte(p.Platform + " " + p.Digest.String())})
		}
		for _, a := range step.Attachments {
			m.attach(run, id, a)
		}
		at = at.Add(step.Duration)
		d := messages.GoDurationToDuration(step.Duration)
		m.send(&messages.Envelope{TestStepFinished: &messages.TestStepFinished{
			TestCaseStartedId: run, TestStepId: id, Timestamp: timestamp(at),
			TestStepResult: &messages.TestStepResult{Duration: &d, Status: messageStatus(step.Status), Message: step.Error},
		}})
	}
	m.send(&messages.Envelope{TestCaseFinished: &messages.TestCaseFinished{TestCaseStartedId: run, Timestamp: timestamp(s.Started.Add(s.Duration))}})
}

func (m *messageWriter) attach(run, step string, a blackbox.Attachment) {
	m.send(&messages.Envelope{Attachment: &messages.Attachment{
		Body: text(string(a.Body)), ContentEncoding: messages.AttachmentContentEncoding_IDENTITY,
		FileName: a.Name, MediaType: a.MediaType, TestCaseStartedId: run, TestStepId: step,
	}})
}

func messageStatus(s blackbox.Status) messages.TestStepResultStatus {
	switch s {
	case blackbox.Passed:
		return messages.TestStepResultStatus_PASSED
	case blackbox.Skipped:
		return messages.TestStepResultStatus_SKIPPED
	case blackbox.Undefined:
		return messages.TestStepResultStatus_UNDEFINED
	case blackbox.Ambiguous:
		return messages.TestStepResultStatus_AMBIGUOUS
	case blackbox.Pending, blackbox.Untested:
		return messages.TestStepResultStatus_PENDING
	default:
		return messages.TestStepResultStatus_FAILED
	}
}

func timestamp(t time.Time) *messages.Timestamp {
	s := messages.GoTimeToTimestamp(t)
	return &s
}
