package rules

import (
	"iter"
	"strconv"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// fileMode is a mode that a definition gives to files: an octal number or chmod's u+s,g=rx.
type fileMode struct {
	text string
	word func() definition.Word
}

// fileModes yields the modes in chmod, install -m, mkdir -m, and --chmod of COPY and ADD.
func fileModes(pass *lint.Pass) iter.Seq[fileMode] {
	return func(yield func(fileMode) bool) {
		for c := range pass.Commands("chmod", "install", "mkdir") {
			a, ok := c.Value("-m", "--mode")
			if c.Name == "chmod" {
				a, ok = chmodMode(c)
			}
			if ok && !yield(fileMode{a.Text, a.Word}) {
				return
			}
		}
		for in := range pass.Instructions("copy", "add") {
			if f, ok := in.Flag("chmod"); ok && !yield(fileMode{f.Value.Text, func() definition.Word { return f.Value }}) {
				return
			}
		}
	}
}

// chmodMode returns the first argument of chmod that is no option; modes such as -w look like one.
func chmodMode(c *lint.Command) (lint.Arg, bool) {
	for _, a := range c.Args {
		if a.Text == "-R" || a.Text == "-v" || a.Text == "-f" || a.Text == "-c" || a.Text == "-Rf" || a.Text == "-Rv" || strings.HasPrefix(a.Text, "--") {
			continue
		}
		return a, true
	}
	return lint.Arg{}, false
}

// octal returns the bits of an octal mode, and whether it is one.
func (m fileMode) octal() (uint64, bool) {
	bits, err := strconv.ParseUint(strings.Trim(m.text, `"'`), 8, 16)
	return bits, err == nil
}

// adds says whether a symbolic mode gives one of the permissions to one of who ("u", "g", "o"), by + or =.
func (m fileMode) adds(who, permissions string) bool {
	for clause := range strings.SplitSeq(m.text, ",") {
		i := strings.IndexAny(clause, "+=")
		if i < 0 || strings.Contains(clause[:i], "-") {
			continue
		}
		class := clause[:i]
		if strings.Contains(class, "a") {
			class = "ugo"
		}
		if class == "" && strings.Contains(permissions, "s") {
			class = "ug" // without who, + heeds the umask, which has no say over s
		}
		if strings.ContainsAny(class, who) && strings.ContainsAny(clause[i:], permissions) {
			return true
		}
	}
	return false
}
