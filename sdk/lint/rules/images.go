package rules

import (
	"iter"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/shell"

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

// images yields all references to images; stages and scratch are none.
func images(pass *lint.Pass) iter.Seq[image] {
	return func(yield func(image) bool) {
		args := globalArgs(pass.File)
		for in := range pass.Instructions("from", "copy", "run", "add") {
			for _, w := range sources(in) {
				if img, ok := newImage(pass, in, w, args); ok && !yield(img) {
					return
				}
			}
		}
	}
}

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

func newImage(pass *lint.Pass, in *definition.Instruction, w definition.Word, args map[string]argument) (image, bool) {
	if w.Text == "" || w.Text == "scratch" || pass.StageNamed(w.Text, in.Stage) != nil {
		return image{}, false
	}
	if _, err := strconv.Atoi(w.Text); err == nil && in.Name == "copy" {
		return image{}, false // the number of a stage, which a mount does not know
	}
	img := image{word: w, ref: w.Text}
	if strings.Contains(w.Text, "$") {
		img.ref, img.args = expand(w.Text, args, pass.File.Escape)
	}
	return img, true
}

// argument is an ARG before the first FROM.
type argument struct {
	word  definition.Word
	value string
	known bool // it has a default
}

func globalArgs(f *definition.File) map[string]argument {
	args := map[string]argument{}
	for _, in := range f.Instructions {
		if in.Stage != nil {
			break
		}
		for _, p := range in.Pairs() {
			a := argument{word: p.Name}
			if p.Separator == "=" {
				a.value, _ = expand(p.Value.Text, args, f.Escape)
				a.known = true
			}
			args[p.Name.Text] = a
		}
	}
	return args
}

// withDefaults returns what a text means at an instruction, with the defaults of the ARGs and values of the ENVs before
// it in the stage; the text itself when they do not tell.
func withDefaults(pass *lint.Pass, at *definition.Instruction, text string) string {
	if !strings.Contains(text, "$") {
		return text
	}
	global, args := globalArgs(pass.File), map[string]argument{}
	for _, in := range at.Stage.Instructions {
		if in == at {
			break
		}
		for _, p := range in.Pairs() {
			a := argument{word: p.Name}
			if p.Separator != "" {
				a.value, _ = expand(p.Value.Text, args, pass.File.Escape)
				a.known = true
			} else if g, ok := global[p.Name.Text]; ok {
				a = g
			}
			args[p.Name.Text] = a
		}
	}
	if value, _ := expand(text, args, pass.File.Escape); value != "" {
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
func expand(text string, args map[string]argument, escape byte) (string, []definition.Word) {
	env := argEnv{args: args}
	lex := shell.NewLex(rune(escape))
	result, err := lex.ProcessWordWithMatches(text, &env)
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
