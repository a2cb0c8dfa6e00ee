package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rego"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
)

// linting is what the options of lint say.
type linting struct {
	fix, accept                  bool
	baseline, config, regoFolder string
}

func (l *linting) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&l.fix, "fix", false, "apply fixes to the files of the work tree, uncommitted changes and all")
	f.StringVar(&l.baseline, "baseline", "", "file of findings that were there before; those that are gone are taken out of it")
	f.BoolVar(&l.accept, "accept", false, "write the baseline anew, with all findings that there are now")
	f.StringVar(&l.config, "config", "", "file with the configuration of the rules, JSON as lint.Config has it")
	f.StringVar(&l.regoFolder, "rego", "", "directory of Rego policies, as conftest has them for Dockerfiles")
}

func (l *linting) run(cmd *cobra.Command, out *output, src *source, rep *reporting, now time.Time) error {
	switch {
	case l.accept && l.baseline == "":
		return errors.New("--accept needs --baseline FILE, the file to write")
	case l.fix && (src.ref != "" || strings.Contains(src.repo, "://")):
		return errors.New("--fix changes the files of a work tree: it takes a directory as --repo, and no --commit")
	}
	all := rules.All()
	if l.regoFolder != "" {
		custom, err := rego.Load(cmd.Context(), os.DirFS(l.regoFolder), rego.Options{})
		if err != nil {
			return err
		}
		all = append(all, custom...)
	}
	cfg, err := l.read(now)
	if err != nil {
		return err
	}
	cat, err := src.templates(cmd.Context())
	if err != nil {
		return err
	}
	cfg = pipeline.Govern(cfg, all, cat)
	src.load.AllowDirty = src.load.AllowDirty || l.fix
	defs, err := src.definitions(cmd.Context(), cat)
	if err != nil {
		return err
	}
	if l.fix {
		if defs, err = fixAll(cmd, src.repo, defs, all, cfg); err != nil {
			return err
		}
	}
	found, err := judge(defs, all, cfg)
	if err != nil {
		return err
	}
	if l.baseline != "" {
		if err := l.ratchet(cmd, defs, all, cfg); err != nil {
			return err
		}
		if l.accept { // what was accepted passes
			if found, err = judge(defs, all, cfg); err != nil {
				return err
			}
		}
	}
	return rep.write(cmd, out, defs[0], found)
}

// read reads configuration and baseline.
func (l *linting) read(now time.Time) (lint.Config, error) {
	cfg := lint.Config{}
	if l.config != "" {
		file, err := os.Open(l.config)
		if err != nil {
			return cfg, err
		}
		defer file.Close()
		decoder := json.NewDecoder(file)
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&cfg); err != nil {
			return cfg, fmt.Errorf("%s: %w", l.config, err)
		}
	}
	cfg.At = now
	if l.baseline == "" {
		return cfg, nil
	}
	file, err := os.Open(l.baseline)
	switch {
	case errors.Is(err, fs.ErrNotExist) && l.accept:
		cfg.Baseline = &lint.Baseline{}
		return cfg, nil
	case errors.Is(err, fs.ErrNotExist):
		return cfg, fmt.Errorf("%w: --accept begins one", err)
	case err != nil:
		return cfg, err
	}
	defer file.Close()
	if cfg.Baseline, err = lint.ReadBaseline(file); err != nil {
		return cfg, fmt.Errorf("%s: %w", l.baseline, err)
	}
	return cfg, nil
}

// ratchet takes out of the baseline what is gone, or accepts all that there is, and writes it if it changed.
func (l *linting) ratchet(cmd *cobra.Command, defs []*definition.Definition, all []lint.Rule, cfg lint.Config) error {
	gone := 0
	for _, def := range distinct(defs) {
		found, err := lint.Run(def.File, all, cfg)
		if err != nil {
			return err
		}
		if l.accept {
			cfg.Baseline.Accept(def.File, found)
			continue
		}
		for _, known := range cfg.Baseline.Shrink(def.File, found) {
			gone += known.Count
		}
	}
	if !l.accept && gone == 0 {
		return nil
	}
	var text strings.Builder
	if err := cfg.Baseline.Write(&text); err != nil {
		return err
	}
	if err := replaceFile(filepath.Dir(l.baseline), filepath.Base(l.baseline), []byte(text.String())); err != nil {
		return err
	}
	if gone > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d known findings are gone and taken out\n", l.baseline, gone)
	}
	return nil
}

// fixAll fixes the Dockerfiles in the work tree and returns the definitions as they are then. What was compiled is left
// alone: its fixes are reported.
func fixAll(cmd *cobra.Command, repo string, defs []*definition.Definition, all []lint.Rule, cfg lint.Config) ([]*definition.Definition, error) {
	fixed := map[string]*definition.File{}
	for _, def := range distinct(defs) {
		if len(def.Map) > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: it is not a Dockerfile of its own; its fixes are shown, not applied\n", def.File.Name)
			continue
		}
		file, _, err := lint.Fix(def.File, all, cfg)
		if err != nil {
			return nil, err
		}
		fixed[def.File.Name] = file
		if string(file.Src) == string(def.File.Src) {
			continue
		}
		if err := replaceFile(repo, filepath.FromSlash(def.File.Name), file.Src); err != nil {
			return nil, err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: fixed\n", def.File.Name)
	}
	out := make([]*definition.Definition, len(defs))
	for i, def := range defs {
		changed := *def
		if file := fixed[def.File.Name]; file != nil {
			changed.File = file
		}
		out[i] = &changed
	}
	return out, nil
}

// replaceFile writes a file below a directory, whole or not at all, with the mode that it had.
func replaceFile(dir, name string, content []byte) (err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	mode := fs.FileMode(0o644)
	if info, err := root.Stat(name); err == nil {
		mode = info.Mode().Perm()
	}
	temp := name + ".plimsoll-new"
	file, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = root.Rename(temp, name)
	}
	if err != nil {
		err = errors.Join(err, root.Remove(temp))
	}
	return err
}
