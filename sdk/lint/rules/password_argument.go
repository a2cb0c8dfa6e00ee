package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var passwordArgument = lint.Rule{
	ID: "DF3006", Name: "password-argument", Title: "password or token on a command line in RUN",
	Group: lint.Secrets, Severity: finding.Warning, Suppressible: true,
	Run: func(pass *lint.Pass) {
		for c := range pass.Commands() {
			if a, ok := passwordOf(c); ok && (!strings.Contains(a.Text, "$") || !hasSecretMount(c.Script.Instruction)) {
				pass.Report(a.Word(), "%s gets a password or token that stays in the image's history; use RUN --mount=type=secret", c.Name)
			}
		}
		for _, s := range pass.Scripts {
			for _, a := range s.Assigns {
				if isSecretName(a.Name) && !strings.EqualFold(a.Name, "key") && a.Value.Literal && isPasswordValue(a.Value.Text) {
					pass.Report(a.Value.Word(), "the value of %s stays in the image's history; use RUN --mount=type=secret", a.Name)
				}
			}
		}
	},
}

// passwordOf returns the argument that holds a password.
func passwordOf(c *lint.Command) (lint.Arg, bool) {
	for i, a := range c.Args {
		if !strings.HasPrefix(a.Text, "--") {
			continue
		}
		name, value, joined := strings.Cut(a.Text, "=")
		if !isSecretFlag(name[2:]) {
			continue
		}
		if joined && isPasswordValue(value) {
			return a, true
		}
		if !joined && i+1 < len(c.Args) && !c.Args[i+1].IsFlag() && isPasswordValue(c.Args[i+1].Text) {
			return c.Args[i+1], true
		}
	}
	switch c.Name {
	case "curl", "http":
		if a, ok := c.Value("-u", "--user", "-U", "--proxy-user"); ok {
			_, password, _ := strings.Cut(a.Text, ":")
			return a, isPasswordValue(password)
		}
	case "sshpass":
		a, ok := c.Value("-p")
		return a, ok && isPasswordValue(a.Text)
	case "docker", "podman", "buildah", "skopeo", "crane", "oras", "helm":
		if len(c.Args) > 0 && c.Args[0].Text == "login" {
			a, ok := c.Value("-p")
			return a, ok && isPasswordValue(a.Text)
		}
	case "mysql", "mysqladmin", "mysqldump", "mariadb":
		for _, a := range c.Args {
			if rest, ok := strings.CutPrefix(a.Text, "-p"); ok && rest != "" {
				return a, true
			}
		}
	}
	return lint.Arg{}, false
}

// isSecretFlag says whether a long option takes a secret.
func isSecretFlag(name string) bool {
	secret := false
	for _, w := range nameWords(name) {
		switch w {
		case "password", "passwd", "token", "secret", "apikey", "passphrase", "pass":
			secret = true
		case "no", "disabled", "disable", "without", "ask", "prompt", "stdin", "empty", "file", "path", "fd", "hash", "type", "env", "name", "id", "auth", "url", "mode", "never", "expire":
			return false
		}
	}
	return secret
}

// isPasswordValue says whether a value can be a secret: it is not empty, no path and not "-".
func isPasswordValue(v string) bool {
	return v != "" && v != "-" && !strings.HasPrefix(v, "/") && !strings.HasPrefix(v, "$(cat /run/secrets/") && v != "false" && v != "true"
}
