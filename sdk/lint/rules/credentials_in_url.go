package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var credentialsInURL = lint.Rule{
	ID: "DF3005", Name: "credentials-in-url", Title: "URL with a password or token",
	Group: lint.Secrets, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		const message = "the URL carries a password or token, which stays in the image's history; use RUN --mount=type=secret"
		for c := range pass.Commands() {
			for _, a := range c.Args {
				if hasCredentials(a.Text, hasSecretMount(c.Script.Instruction)) {
					pass.Report(a.Word(), message)
				}
			}
		}
		for in := range pass.Instructions("add", "env", "arg", "label", "cmd", "entrypoint") {
			for _, w := range in.Args {
				if hasCredentials(w.Text, false) {
					pass.Report(w, message)
				}
			}
		}
	},
}

// hasCredentials says whether a text has a URL with a password in it. With mounted, a variable there may come from a
// secret mount.
func hasCredentials(text string, mounted bool) bool {
	for {
		_, rest, ok := strings.Cut(text, "://")
		if !ok {
			return false
		}
		text = rest
		if end := strings.IndexAny(rest, "/ \t\n\"'?#"); end >= 0 && !strings.Contains(rest[:end], "${") && !strings.Contains(rest[:end], "$(") {
			rest = rest[:end]
		}
		at := strings.LastIndexByte(rest, '@')
		if at < 0 {
			continue
		}
		userinfo := rest[:at]
		user, password, hasPassword := strings.Cut(userinfo, ":")
		secret := hasPassword && password != "" || isSecretName(strings.Trim(user, "${}"))
		fromMount := strings.Contains(userinfo, "$") && mounted || strings.Contains(userinfo, "/run/secrets")
		if secret && !fromMount && !strings.ContainsAny(userinfo, "<> ") {
			return true
		}
	}
}

// hasSecretMount says whether a RUN has a secret mounted.
func hasSecretMount(in *definition.Instruction) bool { return len(secretMounts(in)) > 0 }

// secretMounts returns the paths at which a RUN has secrets.
func secretMounts(in *definition.Instruction) []string {
	var paths []string
	for _, f := range in.Flags {
		if f.Name != "mount" {
			continue
		}
		kind, id, target := "", "", ""
		for _, field := range f.Fields() {
			switch field.Name {
			case "type":
				kind = field.Value.Text
			case "id":
				id = field.Value.Text
			case "target", "dst", "destination":
				target = field.Value.Text
			}
		}
		if kind != "secret" {
			continue
		}
		if target == "" {
			target = "/run/secrets/" + id
		}
		paths = append(paths, target)
	}
	return paths
}
