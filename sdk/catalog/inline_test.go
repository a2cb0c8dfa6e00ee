package catalog_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

func TestInline(t *testing.T) {
	const head = "version: 1\nowner: o\n"
	for _, tt := range []struct {
		name string
		yaml string
		want string
	}{
		{"no id", head + "inline: {allow: [DF5002, curl]}\n", `c.yaml:3:26: inline: "curl" is not the id of a rule, such as DF5002`},
		{"both", head + "inline: {allow: [DF5002], forbid: [DF5002]}\n", "c.yaml:3:18: inline: DF5002 is both allowed and forbidden"},
		{"negative", head + "inline: {maxDays: -1}\n", "maxDays is -1; it can't be negative"},
		{"unknown key", head + "inline: {withoutReason: true}\n", `unknown key "withoutReason"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := catalog.Load("c.yaml", []byte(tt.yaml)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	if got := load(t, head).Inline(); got != nil {
		t.Errorf("said nothing, and is %+v", got)
	}
	got := load(t, head+"inline: {allow: [DF5002, DF5003], forbid: [DF2001], maxDays: 90, hadolint: true}\n").Inline()
	want := &catalog.InlineRule{Allow: []string{"DF5002", "DF5003"}, Forbid: []string{"DF2001"}, MaxDays: 90, Hadolint: true}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(catalog.InlineRule{}, "Place")); diff != "" {
		t.Error(diff)
	}
}

// TestInlineOfParts: an included part can forbid what the whole allows, and allow nothing that the whole does not.
func TestInlineOfParts(t *testing.T) {
	const git = "https://git.example/ops/base.git"
	loader := catalog.Loader{Fetch: elsewhere(map[string]fs.FS{
		git + "@" + commit[:12]: tree(map[string]string{"d.yaml": "inline: {allow: [DF5003, DF5004], forbid: [DF5002], maxDays: 30, buildkit: true}\n"}),
	})}
	cat, err := loader.LoadContext(t.Context(), tree(map[string]string{
		"c.yaml": "include: [{git: '" + git + "', commit: " + commit + "}]\ninline: {allow: [DF5002, DF5003], forbid: [DF2001], hadolint: true}\n",
	}), "c.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := &catalog.InlineRule{Allow: []string{"DF5003"}, Forbid: []string{"DF2001", "DF5002"}, MaxDays: 30}
	if diff := cmp.Diff(want, cat.Inline(), cmpopts.IgnoreFields(catalog.InlineRule{}, "Place")); diff != "" {
		t.Error(diff)
	}
}
