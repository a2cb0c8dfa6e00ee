package main

import (
	"fmt"
	"strings"
)

// assertion is one that every image tester can make: a file has a text, or a command prints it.
type assertion struct {
	command bool
	path    string
	text    string
}

// assertions are n of which some are about commands.
func assertions(n, commands int) []assertion {
	list := make([]assertion, n)
	for i := range list {
		list[i] = assertion{command: i < commands, path: fmt.Sprintf("/data/%d", i), text: fmt.Sprintf("value %d.", i)}
	}
	return list
}

func commands(list []assertion) (n int) {
	for _, a := range list {
		if a.command {
			n++
		}
	}
	return n
}

func holds(n int) string { return fmt.Sprintf("%d assertions hold", n) }

// The ways to run a command in a feature.
const (
	inOneInstance = "    Then the command \"/bin/cat %s\" exits with 0 in the instance and prints \"%s\"\n"
	inItsOwn      = "  Scenario: Command\n    Then the command \"/bin/cat %s\" exits with 0 and prints \"%s\"\n"
)

// feature writes the assertions for Plimsoll.
func feature(list []assertion, command string) string {
	var files, programs strings.Builder
	for _, a := range list {
		if a.command {
			fmt.Fprintf(&programs, command, a.path, a.text)
		} else {
			fmt.Fprintf(&files, "    Then the file %q contains %q\n", a.path, a.text)
		}
	}
	text := "Feature: Image\n  Scenario: Files\n" + files.String()
	if programs.Len() == 0 {
		return text
	}
	if command == inOneInstance {
		text += "  Scenario: Commands\n    When an instance is started\n"
	}
	return text + programs.String()
}

// structureTest writes them for container-structure-test.
func structureTest(list []assertion) string {
	var b strings.Builder
	b.WriteString("schemaVersion: 2.0.0\n")
	section := func(title string, command bool, entry string) {
		first := true
		for _, a := range list {
			if a.command != command {
				continue
			}
			if first {
				b.WriteString(title + ":\n")
			}
			first = false
			fmt.Fprintf(&b, entry, a.path, a.text)
		}
	}
	section("commandTests", true, "- {name: c, command: /bin/cat, args: [%s], exitCode: 0, expectedOutput: [\"%s\"]}\n")
	section("fileContentTests", false, "- {name: f, path: %s, expectedContents: [\"%s\"]}\n")
	return b.String()
}

// gossFile writes them for goss.
func gossFile(list []assertion) string {
	var files, programs strings.Builder
	for _, a := range list {
		if a.command {
			fmt.Fprintf(&programs, "  /bin/cat %s: {exit-status: 0, stdout: [\"%s\"]}\n", a.path, a.text)
		} else {
			fmt.Fprintf(&files, "  %s: {exists: true, contents: [\"%s\"]}\n", a.path, a.text)
		}
	}
	text := "file:\n" + files.String()
	if programs.Len() > 0 {
		text += "command:\n" + programs.String()
	}
	return text
}
