package results

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
)

// The objects of Cucumber's JSON report, which many tools read: https://github.com/cucumber/json-formatter.
type (
	cukeFeature struct {
		URI      string        `json:"uri"`
		ID       string        `json:"id"`
		Keyword  string        `json:"keyword"`
		Name     string        `json:"name"`
		Line     int           `json:"line"`
		Elements []cukeElement `json:"elements"`
	}
	cukeElement struct {
		ID      string     `json:"id"`
		Keyword string     `json:"keyword"`
		Name    string     `json:"name"`
		Line    int        `json:"line"`
		Type    string     `json:"type"`
		Start   string     `json:"start_timestamp"`
		Tags    []cukeTag  `json:"tags,omitempty"`
		Steps   []cukeStep `json:"steps"`
	}
	cukeTag struct {
		Name string `json:"name"`
	}
	cukeStep struct {
		Keyword    string          `json:"keyword"`
		Name       string          `json:"name"`
		Line       int             `json:"line"`
		Match      cukeMatch       `json:"match"`
		Result     cukeResult      `json:"result"`
		DocString  *cukeDocString  `json:"doc_string,omitempty"`
		Rows       []cukeRow       `json:"rows,omitempty"`
		Embeddings []cukeEmbedding `json:"embeddings,omitempty"`
	}
	cukeMatch struct {
		Location string `json:"location"`
	}
	cukeResult struct {
		Status   string `json:"status"`
		Duration int64  `json:"duration"` // nanoseconds
		Error    string `json:"error_message,omitempty"`
	}
	cukeDocString struct {
		Value string `json:"value"`
	}
	cukeRow struct {
		Cells []string `json:"cells"`
	}
	cukeEmbedding struct {
		Name     string `json:"name"`
		MimeType string `json:"mime_type"`
		Data     []byte `json:"data"` // base64
	}
)

// CucumberJSON writes a verdict as Cucumber's JSON report. The platform is part of a scenario's name and tags when
// several were tested. Features that could not be run are elements with one failed step.
func CucumberJSON(w io.Writer, v *blackbox.Verdict) error {
	features := []cukeFeature{}
	for _, p := range v.Platforms {
		for _, scenarios := range byFeature(p) {
			f := cukeFeature{URI: scenarios[0].Place.File, ID: slug(scenarios[0].Feature), Keyword: "Feature", Name: text(scenarios[0].Feature), Line: 1}
			for _, s := range scenarios {
				e := element(f.ID, s)
				if len(v.Platforms) > 1 {
					e.Name += " (" + p.Platform + ")"
					e.Tags = append(e.Tags, cukeTag{"@" + p.Platform})
				}
				f.Elements = append(f.Elements, e)
			}
			features = append(features, f)
		}
	}
	for _, p := range v.Problems {
		step := cukeStep{Keyword: "* ", Name: "the feature can be run", Line: p.Place.Start.Line, Result: cukeResult{Status: "failed", Error: text(p.String())}}
		features = append(features, cukeFeature{
			URI: p.Place.File, ID: slug(p.Place.File), Keyword: "Feature", Name: p.Place.File, Line: 1,
			Elements: []cukeElement{{ID: slug(p.Place.String()), Keyword: "Scenario", Type: "scenario", Name: text(p.Message), Line: p.Place.Start.Line, Steps: []cukeStep{step}}},
		})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(features)
}

func element(feature string, s blackbox.ScenarioResult) cukeElement {
	e := cukeElement{
		ID: fmt.Sprintf("%s;%s;%d", feature, slug(s.Name), s.Place.Start.Line), Keyword: "Scenario", Name: text(s.Name), Line: s.Place.Start.Line,
		Type: "scenario", Start: s.Started.UTC().Format("2006-01-02T15:04:05.000Z"), Steps: []cukeStep{},
	}
	for _, tag := range s.Tags {
		e.Tags = append(e.Tags, cukeTag{tag})
	}
	for _, step := range s.Steps {
		c := cukeStep{
			Keyword: step.Keyword + " ", Name: text(step.Text), Line: step.Place.Start.Line, Match: cukeMatch{step.Place.String()},
			Result: cukeResult{Status: cukeStatus(step.Status), Duration: step.Duration.Nanoseconds(), Error: text(step.Error)},
		}
		if step.DocString != "" {
			c.DocString = &cukeDocString{step.DocString}
		}
		for _, row := range step.Table {
			c.Rows = append(c.Rows, cukeRow{row})
		}
		for _, a := range step.Attachments {
			c.Embeddings = append(c.Embeddings, cukeEmbedding{a.Name, a.MediaType, a.Body})
		}
		e.Steps = append(e.Steps, c)
	}
	return e
}

// cukeStatus is the status in Cucumber's words. "skipped" would read like "fine" for what could not be tested.
func cukeStatus(s blackbox.Status) string {
	if s == blackbox.Untested {
		return "pending"
	}
	return string(s)
}

func slug(s string) string {
	return strings.ToLower(strings.Join(strings.FieldsFunc(text(s), func(r rune) bool { return r == ' ' || r == ';' }), "-"))
}
