package rules

import (
	"strconv"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// image is a reference to an image from a registry, after FROM, COPY --from= or RUN --mount=from=.
type image struct {
	// word is the reference as written.
	word definition.Word
	// ref is what it says with the defaults of the ARGs; "" when they do not tell.
	ref string
	// args are the ARGs that ref depends on.
	args []definition.Word
}

// images are all references to images; stages and scratch are none.
var images = lint.Share(func(pass *lint.Pass) []image {
	var all []image
	for in := range pass.Instructions("from", "copy", "run", "add") {
		for _, w := range sources(in) {
			if isImage(pass, in, w) {
				all = append(all, newImage(pass, w))
			}
		}
	}
	return all
})

// sources returns the words of an instruction that name an image or a stage.
func sources(in *definition.Instruction) []definition.Word {
	var words []definition.Word
	switch in.Name {
	case "from":
		if in.Stage != nil && in.Stage.From == in {
			words = append(words, in.Stage.Base)
		}
	case "copy", "add":
		if f, ok := in.Flag("from"); ok {
			words = append(words, f.Value)
		}
	case "run":
		for _, f := range in.Flags {
			if f.Name != "mount" {
				continue
			}
			for _, field := range f.Fields() {
				if field.Name == "from" && field.Value.Text != "" {
					words = append(words, field.Value)
				}
			}
		}
	}
	return words
}

// isImage says whether a word of an instruction names an image, rather than a stage or scratch.
func isImage(pass *lint.Pass, in *definition.Instruction, w definition.Word) bool {
	if w.Text == "" || w.Text == "scratch" || pass.StageNamed(w.Text, in.Stage) != nil {
		return false
	}
	if in.Name == "copy" {
		_, err := strconv.Atoi(w.Text)
		return err != nil // else the number of a stage, which a mount does not know
	}
	return true
}

func newImage(pass *lint.Pass, w definition.Word) image {
	img := image{word: w, ref: w.Text}
	if strings.Contains(w.Text, "$") {
		img.ref, img.args = expand(pass, w.Text, globalArgs.Of(pass))
	}
	return img
}

// argument is an ARG before the first FROM.
type argument struct {
	word  definition.Word
	value string
	known bool // it has a default
}

// globalArgs are those of a file, by name.
var globalArgs = lint.Share(func(pass *lint.Pass) map[string]argument {
	args := map[string]argument{}
	for _, in := range pass.File.Instructions {
		if in.Stage != nil {
			break
		}
		for _, p := range in.Pairs() {
			a := argument{word: p.Name}
			if p.Separator == "=" {
				a.value, _ = expand(pass, p.Value.Text, args)
				a.known = true
			}
			args[p.Name.Text] = a
		}
	}
	return args
})

// withDefaults returns what a text means at an instruction, with the defaults of the ARGs and values of the ENVs before
// it in the stage; the text itself when they do not tell.
func withDefaults(pass *lint.Pass, at *definition.Instruction, text string) string {
	if !strings.Contains(text, "$") {
		return text
	}
	global, args := globalArgs.Of(pass), map[string]argument{}
	for _, in := range at.Stage.Instructions {
		if in == at {
			break
		}
		for _, p := range in.Pairs() {
			a := argument{word: p.Name}
			if p.Separator != "" {
				a.value, _ = expand(pass, p.Value.Text, args)
				a.known = true
			} else if g, ok := global[p.Name.Text]; ok {
				a = g
			}
			args[p.Name.Text] = a
		}
	}
	if value, _ := expand(pass, text, args); value != "" {
		return value
	}
	return text
}

// platformArgs are set by BuildKit in every build.
var platformArgs = map[string]string{
	"BUILDPLATFORM": "linux/amd64", "BUILDOS": "linux", "BUILDARCH": "amd64", "BUILDVARIANT": "",
	"TARGETPLATFORM": "linux/amd64", "TARGETOS": "linux", "TARGETARCH": "amd64", "TARGETVARIANT": "",
	"TARGETSTAGE": "stage",
}

// expand returns what a word means with the defaults of the arguments, "" when one has none, and the arguments it uses.
func expand(pass *lint.Pass, text string, args map[string]argument) (string, []definition.Word) {
	if isPlain(text, pass.File.Escape) {
		return text, nil
	}
	env := argEnv{args: args}
	result, err := lexer.Of(pass).ProcessWordWithMatches(text, &env)
	if err != nil || len(result.Unmatched) > 0 {
		return "", env.used
	}
	return result.Result, env.used
}

// argEnv looks variables up for BuildKit's lexer.
type argEnv struct {
	args map[string]argument
	used []definition.Word
}

// Get returns the value of a variable.
func (e *argEnv) Get(name string) (string, bool) {
	if a, ok := e.args[name]; ok {
		e.used = append(e.used, a.word)
		return a.value, a.known
	}
	v, ok := platformArgs[name]
	return v, ok
}

// Keys returns no names: the lexer does not need them.
func (e *argEnv) Keys() []string { return nil }

// splitRef takes a reference apart. It does not judge whether it is a valid one.
func splitRef(ref string) (name, tag, digest string) {
	name, digest, _ = strings.Cut(ref, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name, tag = name[:i], name[i+1:]
	}
	return name, tag, digest
}

// report reports a finding about an image, and names the ARGs that it depends on.
func (img image) report(pass *lint.Pass, format string, args ...any) {
	r := pass.Report(img.word, format, args...)
	for _, a := range img.args {
		r.Related(a, "the default is taken from here")
	}
}
