package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// TargetsError says that a file describes several images where one was asked for.
type TargetsError struct {
	File    string
	Targets []string
}

func (e *TargetsError) Error() string {
	return fmt.Sprintf("%s describes several images: %s; name one of them as target", e.File, few(e.Targets, 20))
}

// single returns the only definition.
func single(all []*definition.Definition, err error) (*definition.Definition, error) {
	if err != nil {
		return nil, err
	}
	if len(all) == 1 {
		return all[0], nil
	}
	several := &TargetsError{File: all[0].Build.Place.File}
	for _, d := range all {
		several.Targets = append(several.Targets, d.Build.Target)
	}
	return nil, several
}

// named is the path of the file to read, as asked for or the first that is there.
func (o Options) named(base fs.FS, dir string) (string, error) {
	if path.IsAbs(o.Dockerfile) {
		return o.Dockerfile, nil
	}
	const usual = "Dockerfile"
	names := []string{usual}
	if o.Dockerfile != "" {
		names = []string{o.Dockerfile}
	} else {
		for _, c := range o.Compilers {
			names = append(names, c.Names()...)
		}
	}
	in := func(name string) string { return strings.TrimPrefix(dir+"/"+name, "./") }
	if len(names) > 1 {
		for _, name := range names {
			switch _, err := fs.Lstat(base, path.Clean(in(name))); {
			case err == nil:
				return in(name), nil
			case !errors.Is(err, fs.ErrNotExist):
				return "", err
			}
		}
	}
	return in(names[0]), nil
}

// compiler returns who takes a file, nil for a Dockerfile.
func (o Options) compiler(name string, content []byte) definition.Compiler {
	for _, c := range o.Compilers {
		if c.Matches(name, content) {
			return c
		}
	}
	return nil
}

// compile makes a definition of each target.
func compile(ctx context.Context, base fs.FS, origin definition.Source, c definition.Compiler, p definition.Project, opts Options) ([]*definition.Definition, error) {
	targets, err := c.Compile(ctx, p)
	if err != nil {
		return nil, err
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("%s describes no image", p.Name)
	}
	var all []*definition.Definition
	for _, t := range targets {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d, err := compiled(ctx, base, origin, t, opts)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

func compiled(ctx context.Context, base fs.FS, origin definition.Source, t definition.Target, opts Options) (*definition.Definition, error) {
	d := &definition.Definition{Source: origin, Build: t.Build, Files: base}
	d.Build.Target, d.Build.Place = t.Name, t.Place
	at := func(err error) error {
		return &definition.SyntaxError{Place: t.Place, Err: fmt.Errorf("target %s: %w", t.Name, err)}
	}
	for name := range t.Build.Args {
		if strings.HasPrefix(name, "BUILDKIT_") || name == "SOURCE_DATE_EPOCH" {
			place := cmp.Or(t.Build.Places["arg:"+name], t.Place)
			return nil, &definition.SyntaxError{Place: place, Err: fmt.Errorf("the argument %s is reserved: it steers the builder", name)}
		}
	}
	dir, err := resolveDir(base, t.Context)
	if err != nil {
		return nil, at(fmt.Errorf("context: %w", err))
	}
	d.Source.Directory = dir
	var name string
	content := t.Text
	if content == nil {
		if name, content, err = readDockerfile(base, dir, t.Dockerfile, opts.MaxDockerfile); err != nil {
			return nil, at(err)
		}
	} else {
		d.Map, name = t.Map, t.Dockerfile+"#"+t.Name
	}
	d.Source.Dockerfile = path.Clean(t.Dockerfile)
	file, err := definition.ParseLimited(name, content, opts.MaxDockerfile)
	if err != nil {
		d.File = &definition.File{Name: name, Src: content}
		return nil, writtenError(d, err)
	}
	d.File = file
	if err := addContext(ctx, base, d, opts); err != nil {
		return nil, at(err)
	}
	for key, value := range t.Build.Contexts {
		local, ok := strings.CutPrefix(value, "local:")
		if !ok {
			continue
		}
		named := &definition.Definition{Source: d.Source}
		if named.Source.Directory, err = resolveDir(base, local); err != nil {
			return nil, at(fmt.Errorf("context %s: %w", key, err))
		}
		named.Source.Dockerfile = path.Join(named.Source.Directory, "Dockerfile") // for its .dockerignore
		if err := addContext(ctx, base, named, opts); err != nil {
			return nil, at(fmt.Errorf("context %s: %w", key, err))
		}
		if d.Contexts == nil {
			d.Contexts = map[string]fs.FS{}
		}
		d.Contexts[key] = named.Context
	}
	return d, nil
}

// writtenError puts an error about a compiled text where the text was written.
func writtenError(d *definition.Definition, err error) error {
	syntax, ok := errors.AsType[*definition.SyntaxError](err)
	if !ok {
		return err
	}
	place := syntax.Place
	if place.Start == (finding.Position{}) {
		place = d.Build.Place
	}
	return &definition.SyntaxError{Place: d.Place(place), Err: syntax.Err}
}
