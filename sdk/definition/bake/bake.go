// Package bake compiles the files of `docker buildx bake`, docker-bake.hcl and docker-bake.json, with buildx's own
// library: targets, groups, inheritance, matrices, variables and functions mean what they mean there.
//
//	defs, err := source.LoadAll(ctx, repository, ref, source.Options{Compilers: []definition.Compiler{bake.Compiler{}}})
//
// What a build would take from the machine it runs on is different: nothing is. A variable has its default or the value
// given by [Compiler], never that of the environment; functions that ask the machine (homedir, timestamp) and random
// ones are refused; secrets and SSH keys are names, and where their values come from is not looked at; paths that lead
// out of the repository, remote contexts and remote Dockerfiles are errors. Outputs, caches, tags and entitlements are
// not the developer's to choose and are not looked at. An override file (docker-bake.override.hcl) is an error. A context that is another target ("target:base") is refused:
// make it a stage of one Dockerfile.
package bake

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/docker/buildx/bake"
	"github.com/docker/buildx/bake/hclparser"
	"github.com/hashicorp/hcl/v2"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Compiler compiles bake files. The zero value does.
type Compiler struct {
	// Variables replace the defaults of the file's variables. A name that the file does not have is an error.
	Variables map[string]string
}

// MaxTargets limits the targets of one file, which a matrix can multiply.
const MaxTargets = 500

// Names returns the file names of bake.
func (Compiler) Names() []string { return []string{"docker-bake.hcl", "docker-bake.json"} }

// Matches says whether a file is one: all .hcl files are, and JSON files with a target or group.
func (Compiler) Matches(name string, content []byte) bool {
	switch path.Ext(name) {
	case ".hcl":
		return true
	case ".json":
		return bytes.Contains(content, []byte(`"target"`)) || bytes.Contains(content, []byte(`"group"`))
	}
	return false
}

// Compile implements [definition.Compiler]. Relative paths start from the project's directory, as those of bake start
// from where it is called.
func (c Compiler) Compile(_ context.Context, p definition.Project) (targets []definition.Target, err error) {
	defer func() {
		if r := recover(); r != nil { // an expression that buildx or HCL did not think of
			targets, err = nil, fileError(p.Name, "it can't be evaluated: %v", r)
		}
	}()
	if err := alone(p); err != nil {
		return nil, err
	}
	f, err := parse(p)
	if err != nil {
		return nil, err
	}
	if err := f.evaluate(c.Variables); err != nil {
		return nil, err
	}
	names, err := f.names(p.Targets)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		t, err := f.target(name, p)
		if err != nil {
			return nil, err
		}
		targets = append(targets, *t)
	}
	return targets, nil
}

// alone refuses a file beside which there is one that bake would read over it: what is built is then not what stands here.
func alone(p definition.Project) error {
	dir, base := path.Split(p.Name)
	if !slices.Contains(Compiler{}.Names(), base) {
		return nil // a file that was named is read by itself
	}
	for _, ext := range []string{".hcl", ".json"} {
		name := dir + "docker-bake.override" + ext
		if _, err := fs.Lstat(p.Files, name); err == nil {
			return fileError(name, "override files are not supported: say it in %s, or name the file to build from", p.Name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fileError(name, "%w", err)
		}
	}
	return nil
}

// file is a bake file.
type file struct {
	name   string
	src    []byte
	syntax *hcl.File
	blocks map[string]*hcl.Block // of the targets, by label
	config bake.Config
	origin map[string]string // label of a target's block, by name
}

func fileError(name, format string, args ...any) error {
	return &definition.SyntaxError{Place: finding.Place{File: name}, Err: fmt.Errorf(format, args...)}
}

func (f *file) errorAt(r hcl.Range, format string, args ...any) error {
	return &definition.SyntaxError{Place: f.place(r), Err: fmt.Errorf(format, args...)}
}

// place turns a range of HCL, whose columns count characters, into ours.
func (f *file) place(r hcl.Range) finding.Place {
	return finding.Place{File: f.name, Start: f.position(r.Start), End: f.position(r.End)}
}

func (f *file) position(p hcl.Pos) finding.Position {
	offset := min(p.Byte, len(f.src))
	return finding.Position{Line: p.Line, Column: offset - (bytes.LastIndexByte(f.src[:offset], '\n') + 1) + 1, Offset: offset}
}

// evaluate computes all expressions of the file.
func (f *file) evaluate(variables map[string]string) error {
	declared := map[string]bool{}
	meta, diags := hclparser.Parse(hclparser.MergeFiles([]*hcl.File{f.syntax}), hclparser.Opt{
		LookupVar: func(name string) (string, bool) {
			declared[name] = true
			value, ok := variables[name]
			return value, ok
		},
		ValidateLabel: validLabel,
	}, &f.config)
	if diags.HasErrors() {
		return f.diagnostics(diags)
	}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if !declared[name] {
			return fileError(f.name, "there is no variable %q to give a value", name)
		}
	}
	for old, names := range meta.Renamed["target"] {
		for _, name := range names {
			f.origin[name] = old
		}
		if len(names) > 1 || names[0] != old {
			f.config.Groups = append(f.config.Groups, &bake.Group{Name: old, Targets: names})
		}
	}
	if n := len(f.config.Targets); n > MaxTargets {
		return fileError(f.name, "it describes %d targets; %d are allowed", n, MaxTargets)
	}
	seen := map[string]bool{}
	for _, t := range f.config.Targets {
		if seen[t.Name] {
			return f.errorAt(f.block(t.Name), "target %q is described twice", t.Name)
		}
		seen[t.Name] = true
	}
	return nil
}

// block is where a target is described.
func (f *file) block(name string) hcl.Range {
	if b := f.blocks[cmp.Or(f.origin[name], name)]; b != nil {
		return b.DefRange
	}
	return hcl.Range{Filename: f.name}
}

func validLabel(name string) error {
	valid := strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == "" && name != ""
	if !valid {
		return fmt.Errorf("%q is no name: letters, digits, \"_\" and \"-\"", name)
	}
	return nil
}

// names are the targets asked for: those of the group or target "default" when none is, and else all.
func (f *file) names(wanted []string) ([]string, error) {
	all := map[string]bool{}
	var order []string
	for _, t := range f.config.Targets {
		all[t.Name] = true
		order = append(order, t.Name)
	}
	groups := map[string]bool{}
	for _, g := range f.config.Groups {
		groups[g.Name] = true
	}
	if len(wanted) == 0 {
		if !groups["default"] && !all["default"] {
			return order, nil
		}
		wanted = []string{"default"}
	}
	chosen := map[string]bool{}
	for _, pattern := range wanted {
		found := false
		for _, name := range slices.Concat(slices.Sorted(maps.Keys(groups)), order) {
			if ok, err := path.Match(pattern, name); err != nil || !ok {
				continue
			}
			members, _ := f.config.ResolveGroup(name)
			for _, m := range members {
				if !all[m] {
					return nil, fileError(f.name, "group %q has the target %q, which is not described", name, m)
				}
				chosen[m], found = true, true
			}
		}
		if !found {
			return nil, fileError(f.name, "there is no target or group %q; there is %s", pattern,
				strings.Join(slices.Concat(slices.Sorted(maps.Keys(groups)), order), ", "))
		}
	}
	return slices.DeleteFunc(order, func(name string) bool { return !chosen[name] }), nil
}
