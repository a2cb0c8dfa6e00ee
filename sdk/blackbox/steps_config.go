package blackbox

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// configStep is a step that looks at the configuration of the image only.
func configStep(expression, doc, example string, test func(c v1.Config, a Args) error) Step {
	return Step{
		Group: "Image configuration", Kind: KindImage, Expression: expression, Doc: doc, Example: example,
		Func: func(_ context.Context, s *Scenario, a Args) error { return test(s.image.Config.Config, a) },
	}
}

func configSteps() []Step {
	return []Step{
		configStep("the image runs as the user {string}", "Compares the user of the configuration as it is written.",
			`Then the image runs as the user "65532:65532"`,
			func(c v1.Config, a Args) error { return equal("the user of the image", a.String(0), c.User) }),
		configStep("the image runs as a user other than root", "Passes when the configuration names a user, and it is not root or 0.",
			"Then the image runs as a user other than root",
			func(c v1.Config, _ Args) error {
				return expect(!isRoot(c.User), "the user of the image", "a user other than root", or(c.User, "no user, which means root"))
			}),
		configStep("the image runs as a user with a number", "Passes when the user is given as a number. Kubernetes can't tell for a name that it is not root.",
			"Then the image runs as a user with a number",
			func(c v1.Config, _ Args) error {
				name, _, _ := strings.Cut(c.User, ":")
				_, err := strconv.Atoi(name)
				return expect(err == nil, "the user of the image", "a number", quote(c.User))
			}),
		configStep("the entrypoint of the image is {string}", "Compares the entrypoint with the words, which are split as a shell would.",
			`Then the entrypoint of the image is "/app/service"`,
			func(c v1.Config, a Args) error {
				return sameWords("the entrypoint of the image", a.String(0), c.Entrypoint)
			}),
		configStep("the image has an entrypoint", "Passes when the configuration has an entrypoint.",
			"Then the image has an entrypoint",
			func(c v1.Config, _ Args) error {
				return expect(len(c.Entrypoint) > 0, "the entrypoint of the image", "any", "none")
			}),
		configStep("the image has no entrypoint", "Passes when the configuration has no entrypoint.",
			"Given the image \"${empty}\"\nThen the image has no entrypoint",
			func(c v1.Config, _ Args) error {
				return expect(len(c.Entrypoint) == 0, "the entrypoint of the image", "none", list(c.Entrypoint))
			}),
		configStep("the image has no command", "Passes when the configuration has no command, or default arguments of its entrypoint.",
			"Given the image \"${empty}\"\nThen the image has no command",
			func(c v1.Config, _ Args) error {
				return expect(len(c.Cmd) == 0, "the command of the image", "none", list(c.Cmd))
			}),
		configStep("the command of the image is {string}", "Compares the command with the words, which are split as a shell would.",
			`Then the command of the image is "serve"`,
			func(c v1.Config, a Args) error { return sameWords("the command of the image", a.String(0), c.Cmd) }),
		configStep("the image starts without a shell", "Passes when entrypoint and command do not begin with a shell: signals reach the program itself.",
			"Then the image starts without a shell",
			func(c v1.Config, _ Args) error {
				start := slices.Concat(c.Entrypoint, c.Cmd)
				shell := len(start) > 0 && slices.Contains(shells, path.Base(start[0]))
				return expect(!shell, "what the image starts", "a program", "the shell "+strings.Join(start, " "))
			}),
		configStep("the image starts nothing by itself", "Passes when the image has neither an entrypoint nor a command, as a base image may.",
			"Given the image \"${empty}\"\nThen the image starts nothing by itself",
			func(c v1.Config, _ Args) error {
				start := slices.Concat(c.Entrypoint, c.Cmd)
				return expect(len(start) == 0, "what the image starts", "nothing", strings.Join(start, " "))
			}),
		configStep("the working directory of the image is {string}", "Compares the working directory.",
			`Then the working directory of the image is "/app"`,
			func(c v1.Config, a Args) error {
				return equal("the working directory of the image", a.String(0), or(c.WorkingDir, "/"))
			}),
		configStep("the image sets the variable {string} to {string}", "Compares a variable of the image's environment.",
			`Then the image sets the variable "LANG" to "C.UTF-8"`,
			func(c v1.Config, a Args) error {
				value, set := variable(c.Env, a.String(0))
				return expect(set && value == a.String(1), "the variable "+a.String(0), quote(a.String(1)), foundIf(set, quote(value)))
			}),
		configStep("the image sets the variable {string}", "Passes when the image's environment has the variable, even if it is empty.",
			`Then the image sets the variable "PATH"`,
			func(c v1.Config, a Args) error {
				_, set := variable(c.Env, a.String(0))
				return expect(set, "the variables of the image", a.String(0), list(names(c.Env)))
			}),
		configStep("the image does not set the variable {string}", "Passes when the image's environment does not have the variable.",
			`Then the image does not set the variable "DEBUG"`,
			func(c v1.Config, a Args) error {
				value, set := variable(c.Env, a.String(0))
				return expect(!set, "the variable "+a.String(0), "not set", quote(value))
			}),
		configStep("the variable {string} of the image contains {string}", "Passes when a variable of the image's environment has the text in it.",
			`Then the variable "PATH" of the image contains "/app"`,
			func(c v1.Config, a Args) error {
				value, _ := variable(c.Env, a.String(0))
				return contains("the variable "+a.String(0), value, a.String(1))
			}),
		configStep("the variable {string} of the image matches {string}", "Passes when the regular expression (RE2) matches in a variable of the image's environment.",
			`Then the variable "LANG" of the image matches 'UTF-?8$'`,
			func(c v1.Config, a Args) error {
				value, set := variable(c.Env, a.String(0))
				if !set {
					return &Mismatch{What: "the variables of the image", Expected: a.String(0), Found: list(names(c.Env))}
				}
				return matches("the variable "+a.String(0), value, a.String(1))
			}),
		configStep("no variable of the image looks like a secret", "Passes when no name in the image's environment looks like that of a password, token or key with a value.",
			"Then no variable of the image looks like a secret",
			func(c v1.Config, _ Args) error {
				var secrets []string
				for _, name := range names(c.Env) {
					if value, _ := variable(c.Env, name); value != "" && secretName.MatchString(name) {
						secrets = append(secrets, name)
					}
				}
				return expect(len(secrets) == 0, "the variables of the image", "none that looks like a secret", list(secrets))
			}),
		configStep("the image exposes the port {int}", "Passes when the configuration exposes the TCP port.",
			"Then the image exposes the port 8080",
			func(c v1.Config, a Args) error {
				return hasKey(c.ExposedPorts, "the exposed ports of the image", strconv.Itoa(a.Int(0))+"/tcp")
			}),
		configStep("the image exposes the UDP port {int}", "Passes when the configuration exposes the UDP port.",
			"Then the image exposes the UDP port 5353",
			func(c v1.Config, a Args) error {
				return hasKey(c.ExposedPorts, "the exposed ports of the image", strconv.Itoa(a.Int(0))+"/udp")
			}),
		configStep("the image does not expose the port {int}", "Passes when the configuration exposes the port neither for TCP nor for UDP.",
			"Then the image does not expose the port 22",
			func(c v1.Config, a Args) error {
				port := strconv.Itoa(a.Int(0))
				for key := range c.ExposedPorts {
					if number, _, _ := strings.Cut(key, "/"); number == port {
						return &Mismatch{What: "the exposed ports of the image", Expected: "no " + port, Found: key}
					}
				}
				return nil
			}),
		configStep("the image exposes no port below {int}", "Passes when all exposed ports are at least that number. Below 1024 needs a privilege on many systems.",
			"Then the image exposes no port below 1024",
			func(c v1.Config, a Args) error {
				var low []string
				for key := range c.ExposedPorts {
					number, _, _ := strings.Cut(key, "/")
					if n, err := strconv.Atoi(number); err == nil && n < a.Int(0) {
						low = append(low, key)
					}
				}
				slices.Sort(low)
				return expect(len(low) == 0, "the exposed ports of the image", fmt.Sprintf("none below %d", a.Int(0)), list(low))
			}),
		configStep("the image has the volume {string}", "Passes when the configuration declares the volume.",
			`Then the image has the volume "/data"`,
			func(c v1.Config, a Args) error { return hasKey(c.Volumes, "the volumes of the image", a.String(0)) }),
		configStep("the image does not have the volume {string}", "Passes when the configuration does not declare the volume.",
			`Then the image does not have the volume "/var/run/docker.sock"`,
			func(c v1.Config, a Args) error {
				_, has := c.Volumes[a.String(0)]
				return expect(!has, "the volumes of the image", "no "+a.String(0), list(sortedKeys(c.Volumes)))
			}),
		configStep("the stop signal of the image is {signal}", "Compares the stop signal; an image that names none has SIGTERM.",
			"Then the stop signal of the image is SIGTERM",
			func(c v1.Config, a Args) error {
				return equal("the stop signal of the image", a.String(0), or(c.StopSignal, "SIGTERM"))
			}),
		configStep("the image has a health check", "Passes when the configuration has a health check that is not switched off.",
			"Then the image has a health check",
			func(c v1.Config, _ Args) error {
				return expect(hasHealthcheck(c), "the health check of the image", "one", "none")
			}),
		configStep("the image has no health check", "Passes when the configuration has no health check.",
			"Given the image \"${empty}\"\nThen the image has no health check",
			func(c v1.Config, _ Args) error {
				return expect(!hasHealthcheck(c), "the health check of the image", "none", "one")
			}),
		configStep("the image leaves no instructions to images built from it", "Passes when the configuration has no ONBUILD instructions.",
			"Then the image leaves no instructions to images built from it",
			func(c v1.Config, _ Args) error {
				return expect(len(c.OnBuild) == 0, "the ONBUILD instructions of the image", "none", list(c.OnBuild))
			}),
	}
}

func hasHealthcheck(c v1.Config) bool {
	return c.Healthcheck != nil && len(c.Healthcheck.Test) > 0 && c.Healthcheck.Test[0] != "NONE"
}

// isRoot says whether a user of a configuration means root.
func isRoot(user string) bool {
	name, _, _ := strings.Cut(user, ":")
	n, err := strconv.Atoi(name)
	return name == "" || name == "root" || err == nil && n == 0
}

func sameWords(what, line string, found []string) error {
	want, err := words(line)
	if err != nil {
		return err
	}
	return expect(slices.Equal(want, found), what, list(want), list(found))
}

func variable(env []string, name string) (string, bool) {
	for _, entry := range env {
		if n, value, _ := strings.Cut(entry, "="); n == name {
			return value, true
		}
	}
	return "", false
}

func names(env []string) []string {
	var all []string
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		all = append(all, name)
	}
	return all
}

func hasKey(m map[string]struct{}, what, key string) error {
	_, has := m[key]
	return expect(has, what, key, list(sortedKeys(m)))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// or returns the first string that is not empty.
func or(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func foundIf(there bool, found string) string {
	if !there {
		return "nothing of that name"
	}
	return found
}
