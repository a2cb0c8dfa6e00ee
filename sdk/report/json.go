package report

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"io"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// SchemaVersion is the version of the JSON format. A change that breaks a reader makes a new one; a new field does not.
const SchemaVersion = 1

const schemaURL = "https://raw.githubusercontent.com/plimsoll-dev/plimsoll/main/sdk/report/schema.json"

//go:embed schema.json
var schema string

// Schema returns the JSON Schema (draft 2020-12) of what [JSON] writes. The caller may change the copy.
func Schema() []byte { return []byte(schema) }

// JSON writes the report as one indented JSON object, as [Schema] describes it. Columns count bytes and offsets count
// from the start of the file, as in package finding.
type JSON struct{}

type document struct {
	Schema        string            `json:"$schema"`
	SchemaVersion int               `json:"schemaVersion"`
	Tool          Tool              `json:"tool"`
	Subject       string            `json:"subject,omitempty"`
	Directory     string            `json:"directory,omitempty"`
	Time          time.Time         `json:"time,omitzero"`
	Summary       counts            `json:"summary"`
	Rules         []Rule            `json:"rules,omitempty"`
	Findings      []finding.Finding `json:"findings"`
	Failure       *Failure          `json:"failure,omitempty"`
}

// Write implements [Format].
func (JSON) Write(w io.Writer, r Report) error {
	r, err := r.check()
	if err != nil {
		return err
	}
	d := document{
		Schema:        schemaURL,
		SchemaVersion: SchemaVersion,
		Tool:          r.Tool,
		Subject:       r.Subject,
		Directory:     r.Directory,
		Time:          r.Time.UTC(),
		Summary:       r.count(),
		Rules:         r.Rules,
		Findings:      r.Findings,
		Failure:       r.Failure,
	}
	if d.Findings == nil {
		d.Findings = []finding.Finding{} // readers may loop over it without asking
	}
	return writeJSON(w, d)
}

// writeJSON writes v at once, so that nothing is written of what can't be encoded.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // a report is read by people as well; "<" stays "<"
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
