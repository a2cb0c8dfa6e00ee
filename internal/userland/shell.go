package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// shell is sh: `sh [-eux] -c SCRIPT [NAME ARG...]`, `sh [-eux] FILE [ARG...]` or a script on standard input.
func shell(ctx context.Context, args []string) error {
	var params []string
	inline := false
	for len(args) > 0 && strings.HasPrefix(args[0], "-") && args[0] != "-" && args[0] != "--" {
		flags := strings.TrimPrefix(args[0], "-")
		inline = inline || strings.Contains(flags, "c")
		if flags = strings.ReplaceAll(flags, "c", ""); flags == "o" && len(args) > 1 {
			params = append(params, "-o", args[1])
			args = args[1:]
		} else if flags != "" {
			params = append(params, "-"+flags)
		}
		args = args[1:]
	}
	name, source := "sh", io.Reader(os.Stdin)
	switch {
	case inline && len(args) == 0:
		return errors.New("-c wants a script")
	case inline:
		source = strings.NewReader(args[0])
		if args = args[1:]; len(args) > 0 {
			args = args[1:] // $0
		}
	case len(args) > 0 && args[0] != "-":
		f, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		name, source, args = args[0], f, args[1:]
	}
	return interpret(ctx, name, source, append(append(params, "--"), args...))
}

func interpret(ctx context.Context, name string, source io.Reader, params []string) error {
	script, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(source, name)
	if err != nil {
		// A POSIX shell is what images promise; scripts written for bash get a second chance.
		if s, ok := source.(io.Seeker); ok {
			if _, serr := s.Seek(0, io.SeekStart); serr == nil {
				script, err = syntax.NewParser().Parse(source, name)
			}
		}
		if err != nil {
			return err
		}
	}
	runner, err := interp.New(interp.StdIO(os.Stdin, os.Stdout, os.Stderr), interp.Params(params...))
	if err != nil {
		return err
	}
	return runner.Run(ctx, script)
}

// builtin runs one of the shell's own commands as a program.
func builtin(name string) command {
	return func(ctx context.Context, args []string) error {
		words := []string{name}
		for _, a := range args {
			quoted, err := syntax.Quote(a, syntax.LangPOSIX)
			if err != nil {
				return err
			}
			words = append(words, quoted)
		}
		return interpret(ctx, name, strings.NewReader(strings.Join(words, " ")), nil)
	}
}
