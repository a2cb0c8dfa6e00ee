package inputs_test

import (
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/inputs"
)

// FuzzList gives any Dockerfile, argument and trigger of a base. Whatever BuildKit asked for is listed, nothing is
// dialled (there is no network in the resolver), and every place is in the file and has what it says.
func FuzzList(f *testing.F) {
	for _, dockerfile := range []string{
		"FROM debian:12\n",
		"# syntax=docker/dockerfile:1\nARG A=x\nFROM ${A}:1 AS b\nADD https://e.example/$A /\nFROM --platform=$BUILDPLATFORM c\nCOPY --from=b / /\nRUN --mount=from=e,target=/x true\n",
		"# escape=`\nFR`\nOM a\nRUN <<EOF\nFROM b\nEOF\nADD <<X https://e/`\nx /\nFROM c\nX\n",
		"FROM a AS scratch\nONBUILD ADD --checksum=$S git@h:x /\nONBUILD COPY --from=b / /\nFROM scratch\nENV S=1 T=\"$S\"\nADD [\"$T\", \"/\"]\n",
	} {
		f.Add(dockerfile, "value", "COPY --from=x / /")
		f.Add(dockerfile, "evil.example/x", "ADD $A https://h/x /y")
	}
	f.Fuzz(func(t *testing.T, dockerfile, arg, trigger string) {
		file, err := definition.Parse("Dockerfile", []byte(dockerfile))
		if err != nil {
			t.Skip()
		}
		w := &world{triggers: map[string][]string{"docker.io/library/a:latest": {trigger}}}
		got, err := inputs.List(t.Context(), &definition.Definition{File: file}, inputs.Options{
			Resolver: w, Args: map[string]string{"A": arg}, Platforms: []string{"linux/amd64", "linux/arm64"}, AllStages: true,
		})
		if err != nil {
			return
		}
		listed := map[string]bool{}
		for _, in := range got {
			listed[in.Ref+" "+in.Platform] = true
			checkInput(t, file, in)
		}
		for _, asked := range w.asked {
			ref, platform, _ := strings.Cut(asked, " ")
			if name, digest, ok := strings.Cut(ref, "@"); ok && !listed[asked] && strings.HasPrefix(digest, "sha256:") {
				ref = name // pinned by an earlier platform's answer
			}
			if !listed[ref+" "+platform] {
				t.Errorf("%s was asked for and is not listed: %q", asked, lines(got))
			}
		}
	})
}

func checkInput(t *testing.T, file *definition.File, in catalog.Input) {
	t.Helper()
	p := in.Place
	if p.File != "Dockerfile" || p.Start.Offset > p.End.Offset || p.End.Offset > len(file.Src) {
		t.Errorf("%s: place out of the file", line(in))
	}
	if in.Ref == "" || in.Written == "" || in.Platform == "" {
		t.Errorf("half an input: %+v", in)
	}
	if p.Start.Line > 0 && in.Role != catalog.RoleOnBuild && !strings.ContainsAny(in.Written, " \\`\"") {
		if source := string(file.Src[p.Start.Offset:p.End.Offset]); source != in.Written && !strings.ContainsAny(source, "\\`\"\n") {
			t.Errorf("%s: %q is written there, not %q", line(in), source, in.Written)
		}
	}
}
