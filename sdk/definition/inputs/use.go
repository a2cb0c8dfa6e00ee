package inputs

import (
	"strconv"
	"strings"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// scratch is no image, unless a stage has that name.
const scratch = "scratch"

// use is one place of a definition that names an image. Whether BuildKit reads it is BuildKit's to say.
type use struct {
	role  catalog.Role
	stage *definition.Stage
	word  definition.Word
	key   imageKey
	from  []finding.Related
}

// stages knows how the stages of a file hang together, for one platform and one set of arguments.
type stages struct {
	scope    *scope
	all      []*definition.Stage
	platform string
	base     map[*definition.Stage]*definition.Stage   // the stage that another stands on
	needs    map[*definition.Stage][]*definition.Stage // what else it reads from
	uses     []use
}

func newStages(s *scope, platform string) *stages {
	g := &stages{
		scope: s, all: s.file.Stages, platform: platform,
		base: map[*definition.Stage]*definition.Stage{}, needs: map[*definition.Stage][]*definition.Stage{},
	}
	for _, st := range g.all {
		g.from(st)
	}
	for _, st := range g.all {
		for _, in := range st.Instructions {
			g.instruction(st, in, false)
		}
		if base := g.base[st]; base != nil {
			for _, in := range base.Instructions {
				if in.Trigger != nil {
					g.instruction(st, in.Trigger, true)
				}
			}
		}
	}
	return g
}

// from looks at what a stage stands on: an earlier stage by its exact name, or an image.
func (g *stages) from(st *definition.Stage) {
	name, ok := g.scope.expand(st.Base)
	if !ok {
		return
	}
	for _, earlier := range g.all[:st.Index] {
		if earlier.Name != "" && earlier.Name == name {
			g.base[st] = earlier // the last of that name
		}
	}
	if g.base[st] != nil || name == scratch {
		return
	}
	platform := g.platform
	if !st.Platform.IsZero() {
		value, _ := g.scope.expand(st.Platform)
		if p, err := platforms.Parse(value); err == nil {
			platform = formatPlatform(p)
		}
	}
	related := append(g.scope.related(st.Base, nil), g.scope.related(st.Platform, nil)...)
	g.add(catalog.RoleBase, st, st.Base, name, platform, related)
}

// instruction looks at what an instruction reads from; trigger says that it is another stage's ONBUILD.
func (g *stages) instruction(st *definition.Stage, in *definition.Instruction, trigger bool) {
	read := func(role catalog.Role, w definition.Word, byNumber bool) {
		name := w.Text
		if name == "" {
			name = scratch // a mount without from=; BuildKit looks for a stage of that name even then
		}
		source := g.named(name, byNumber)
		switch {
		case source != nil:
			g.needs[st] = append(g.needs[st], source)
		case name == scratch:
		case trigger:
			g.add(catalog.RoleOnBuild, st, w, name, g.platform, nil)
		default:
			g.add(role, st, w, name, g.platform, nil)
		}
	}
	switch in.Name {
	case "copy":
		if f, ok := in.Flag("from"); ok && f.Value.Text != "" {
			read(catalog.RoleCopy, f.Value, true)
		}
	case "run":
		for _, f := range in.Flags {
			if f.Name == "mount" {
				read(catalog.RoleMount, mountFrom(f), false)
			}
		}
	}
}

// mountFrom is the value of from= in a --mount; of several the last counts.
func mountFrom(f definition.Flag) (from definition.Word) {
	for _, field := range f.Fields() {
		if field.Name == "from" {
			from = field.Value
		}
	}
	return from
}

// named returns the stage that a from= means: by name, in any case, or, in COPY only, by number.
func (g *stages) named(name string, byNumber bool) *definition.Stage {
	if i, err := strconv.Atoi(name); err == nil && byNumber {
		if i >= 0 && i < len(g.all) {
			return g.all[i]
		}
		return nil
	}
	var found *definition.Stage
	for _, st := range g.all {
		if st.Name != "" && st.Name == strings.ToLower(name) {
			found = st // the last of that name
		}
	}
	return found
}

func (g *stages) add(role catalog.Role, st *definition.Stage, w definition.Word, name, platform string, from []finding.Related) {
	ref, err := fullReference(name)
	if err != nil {
		return // BuildKit refuses it too
	}
	g.uses = append(g.uses, use{role: role, stage: st, word: w, key: imageKey{ref, platform}, from: from})
}

// fullReference spells registry, "library/" and the tag out, as BuildKit does before it asks for an image.
func fullReference(name string) (string, error) {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return "", err
	}
	return reference.TagNameOnly(named).String(), nil
}

// target is the stage to build: by name, in any case, or the last. It is nil if there is none of that name.
func (g *stages) target(name string) *definition.Stage {
	if name == "" {
		return g.all[len(g.all)-1]
	}
	return g.named(name, false)
}

// reach returns the stages that building one needs, itself among them.
func (g *stages) reach(st *definition.Stage) map[*definition.Stage]bool {
	reached := map[*definition.Stage]bool{}
	var visit func(*definition.Stage)
	visit = func(st *definition.Stage) {
		if st == nil || reached[st] {
			return
		}
		reached[st] = true
		visit(g.base[st])
		for _, n := range g.needs[st] {
			visit(n)
		}
	}
	visit(st)
	return reached
}

// chain is a stage, the stage it stands on, and so forth.
func (g *stages) chain(st *definition.Stage) []*definition.Stage {
	var chain []*definition.Stage
	for ; st != nil; st = g.base[st] {
		chain = append(chain, st)
	}
	return chain
}

// stageName is how an input names its stage: by name, or by number where it has none.
func stageName(st *definition.Stage) string {
	if st == nil {
		return ""
	}
	if st.Name != "" {
		return st.Name
	}
	return strconv.Itoa(st.Index)
}
