package definition_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
)

// TestReplace replaces one word after the other in every seed file, parses the result and expects the new text in that
// word and no change in any other: the place of a word is what may be edited.
func TestReplace(t *testing.T) {
	src := strings.Join([]string{
		`FROM --platform="linux/amd64" alpine:3 AS build`,
		"FR\\", "OM \\", "# why", "bu\\", "ild",
		`COPY --"from=alpine" a b`,
		`COPY --from="bui"ld a b`,
		`COPY --from=bu\ild a b`,
		`COPY --from='build' a b`,
		`COPY --chown=a --from=build ["a", "\u00e9\"b", "c"]`,
		`RUN --mount=type=bind,from=build,target=/x --mount='type=bind,"from=build","target=/a,b"' \`,
		`  --mount="type=bind,from=build" true`,
		`ENV A=1 B=2`, `ENV OLD value`, `ARG X=y`, `ONBUILD COPY --from=build /x /y`,
	}, "\n")
	before := parseString(t, src)
	words := editable(before)
	for i, w := range words {
		t.Run(fmt.Sprintf("%s-%d:%d", w.Text, w.Start.Line, w.Start.Column), func(t *testing.T) {
			edited := src[:w.Start.Offset] + "zzz" + src[w.End.Offset:]
			var want, got []string
			for _, w := range words {
				want = append(want, w.Text)
			}
			want[i] = "zzz"
			for _, w := range editable(parseString(t, edited)) {
				got = append(got, w.Text)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("words (-want +got):\n%s\n%s", diff, edited)
			}
		})
	}
	if len(words) != 38 {
		t.Errorf("%d words were replaced, want 38", len(words))
	}
}

// editable lists the words that rules and substitutions rewrite.
func editable(f *definition.File) []definition.Word {
	var words []definition.Word
	var list func(in *definition.Instruction)
	list = func(in *definition.Instruction) {
		for _, flag := range in.Flags {
			fields := flag.Fields()
			if flag.Name != "mount" {
				words = append(words, flag.Value)
				continue
			}
			for _, field := range fields {
				if field.Name == "from" || field.Name == "target" {
					words = append(words, field.Value)
				}
			}
		}
		switch pairs := in.Pairs(); {
		case in.Trigger != nil:
			list(in.Trigger)
		case pairs != nil:
			for _, p := range pairs {
				words = append(words, p.Name, p.Value)
			}
		case in.Name == "from" && len(in.Args) == 3:
			words = append(words, in.Args[0], in.Args[2])
		default:
			words = append(words, in.Args...)
		}
	}
	for _, in := range f.Instructions {
		list(in)
	}
	return words
}

func TestFields(t *testing.T) {
	f := parseString(t, "FROM scratch\nRUN --mount='TYPE=bind,\"from=a\"\"b\",ro,\"\",target=' true")
	var got []string
	for _, field := range f.Instructions[1].Flags[0].Fields() {
		got = append(got, fmt.Sprintf("%s=%s %d-%d", field.Name, field.Value.Text, field.Word.Start.Column, field.Word.End.Column))
	}
	want := []string{"type=bind 14-23", `from=a"b 25-34`, "ro= 36-38", "= 40-40", "target= 42-49"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestSliceOfWord(t *testing.T) {
	f := parseString(t, "FROM alp\\\n  # comment\nine:3\n")
	base := f.Stages[0].Base
	if got, want := f.Place(base).String(), "Dockerfile:1:6"; got != want {
		t.Errorf("place is %s, want %s", got, want)
	}
	tag := base.Slice(7, 8)
	if got, want := fmt.Sprint(tag.Text, f.Place(tag), tag.End), "3Dockerfile:3:5 {3 6 27}"; got != want {
		t.Errorf("tag is %s, want %s", got, want)
	}
	if got, want := f.Place(base.Slice(8, 8)).String(), "Dockerfile:3:6"; got != want {
		t.Errorf("the end is %s, want %s", got, want)
	}
}

func parseString(t *testing.T, src string) *definition.File {
	t.Helper()
	f, err := definition.Parse("Dockerfile", []byte(src))
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	return f
}
