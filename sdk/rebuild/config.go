package rebuild

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// object is a JSON object whose values are kept as they are written.
type object = map[string]json.RawMessage

// mergeConfig merges the part of a configuration that says how to run the image, three ways: what only one side changed
// is taken from that side, what both changed in the same way too; what both changed differently is a conflict. Objects
// (labels, volumes, ports) are merged by key and the environment by variable. Fields are merged as text, so those that this
// program does not know are merged and kept as well.
func mergeConfig(oldBase, img, newBase []byte) (merged json.RawMessage, conflicts []Reason, err error) {
	var sides [3]object
	for i, side := range []struct {
		what string
		raw  []byte
	}{{"the old base", oldBase}, {"the image", img}, {"the new base", newBase}} {
		if sides[i], err = runConfig(side.raw); err != nil {
			return nil, nil, fmt.Errorf("configuration of %s: %w", side.what, err)
		}
	}
	// Triggers were run when the image was built; its own are for who builds on it.
	delete(sides[0], "OnBuild")
	delete(sides[2], "OnBuild")
	m := &merger{}
	out := m.objects("config", sides[0], sides[1], sides[2], true)
	merged, err = json.Marshal(out)
	return merged, m.conflicts, err
}

// runConfig returns the object "config" of an image's configuration; an absent one is empty.
func runConfig(raw []byte) (object, error) {
	var whole struct {
		Config object `json:"config"`
	}
	if err := json.Unmarshal(raw, &whole); err != nil {
		return nil, err
	}
	if whole.Config == nil {
		whole.Config = object{}
	}
	return whole.Config, nil
}

type merger struct{ conflicts []Reason }

// objects merges key by key. Nested objects are merged in the same way one level down.
func (m *merger) objects(path string, from, img, to object, nested bool) object {
	out := object{}
	keys := slices.Concat(slices.Collect(maps.Keys(from)), slices.Collect(maps.Keys(img)), slices.Collect(maps.Keys(to)))
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		at := path + "." + key
		var value json.RawMessage
		switch {
		case nested && key == "Env":
			value = m.environment(at, from[key], img[key], to[key])
		case nested && isObject(from[key]) && isObject(img[key]) && isObject(to[key]):
			value = encode(m.objects(at, decode[object](from[key]), decode[object](img[key]), decode[object](to[key]), false))
		default:
			value = m.value(at, from[key], img[key], to[key])
		}
		if value != nil {
			out[key] = value
		}
	}
	return out
}

// value merges what is not looked into. Nil means that it is not there.
func (m *merger) value(at string, from, img, to json.RawMessage) json.RawMessage {
	switch {
	case same(from, to) || same(img, to):
		return img
	case same(from, img):
		return to
	}
	m.conflicts = append(m.conflicts, Reason{Code: ConfigConflict, Path: at, Text: fmt.Sprintf(
		"is %s in the image, and the new base changed it from %s to %s", show(img), show(from), show(to),
	)})
	return img
}

// environment merges variable by variable. The order is the image's, with what the new base adds in front, as a build
// on the new base has it.
func (m *merger) environment(at string, from, img, to json.RawMessage) json.RawMessage {
	fromVars, imgVars, toVars := variables(from), variables(img), variables(to)
	merged := m.objects(at, fromVars.values, imgVars.values, toVars.values, false)
	var out []string
	for _, name := range append(toVars.order, imgVars.order...) {
		if value, ok := merged[name]; ok {
			out = append(out, name+"="+decode[string](value))
			delete(merged, name)
		}
	}
	if out == nil {
		return nil
	}
	return encode(out)
}

type env struct {
	order  []string
	values object
}

func variables(raw json.RawMessage) env {
	e := env{values: object{}}
	for _, entry := range decode[[]string](raw) {
		name, value, _ := strings.Cut(entry, "=")
		if _, twice := e.values[name]; !twice {
			e.order = append(e.order, name)
		}
		e.values[name] = encode(value)
	}
	return e
}

// isObject says whether a value is an object or is not there.
func isObject(raw json.RawMessage) bool {
	return absent(raw) || bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{"))
}

// absent says whether a field is not there or says nothing. Builders differ in whether they write what is empty.
func absent(raw json.RawMessage) bool {
	switch string(bytes.TrimSpace(raw)) {
	case "", "null", `""`, "[]", "{}", "false":
		return true
	}
	return false
}

// same compares values as JSON: neither spaces nor the order of keys count.
func same(a, b json.RawMessage) bool {
	if absent(a) || absent(b) {
		return absent(a) && absent(b)
	}
	return bytes.Equal(canonical(a), canonical(b))
}

func canonical(raw json.RawMessage) []byte {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return raw
	}
	return encode(value)
}

func show(raw json.RawMessage) string {
	if absent(raw) {
		return "not set"
	}
	return shorten(string(raw), 100)
}

// decode reads a value that was part of valid JSON; one of another kind gives the zero value.
func decode[T any](raw json.RawMessage) T {
	var value T
	_ = json.Unmarshal(raw, &value)
	return value
}

// encode writes a value that cannot fail to be written.
func encode(value any) json.RawMessage {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // strings, numbers and raw JSON that was read before
	}
	return bytes.TrimSpace(b.Bytes())
}

// mergeHistory is the new base's history and after it the image's own steps. An image without history stays without; so
// does one on a base without, since half a history says the wrong thing about every layer.
func mergeHistory(img, from, to *v1.ConfigFile) []v1.History {
	steps, err := ownSteps(img, from)
	if err != nil || (len(to.History) == 0 && len(to.RootFS.DiffIDs) > 0) {
		return nil
	}
	return slices.Concat(to.History, steps)
}
