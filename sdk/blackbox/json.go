package blackbox

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/theory/jsonpath"
)

// jsonAt returns the values of a JSON text at a JSONPath (RFC 9535). Numbers stay as they are written.
func jsonAt(data []byte, at string) ([]any, error) {
	path, err := jsonpath.Parse(at)
	if err != nil {
		return nil, fmt.Errorf("JSONPath %q: %w", at, err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, fmt.Errorf("expected JSON, found %s: %w", quote(string(data)), err)
	}
	return path.Select(value), nil
}

// jsonText prints a value for comparing: text as it is, everything else as JSON.
func jsonText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// jsonEqual expects exactly one value at the path, and that it is the wanted one.
func jsonEqual(what string, data []byte, at, want string) error {
	found, err := jsonAt(data, at)
	if err != nil {
		return err
	}
	if len(found) != 1 {
		return &Mismatch{What: what, Expected: quote(want), Found: fmt.Sprintf("%d values", len(found))}
	}
	return equal(what, want, jsonText(found[0]))
}
