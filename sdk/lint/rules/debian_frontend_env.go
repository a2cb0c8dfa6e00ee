package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var debianFrontendEnv = lint.Rule{
	ID: "DF5025", Name: "debian-frontend-env", Title: "DEBIAN_FRONTEND set for the running container",
	Group: lint.Packages, Severity: finding.Info, Suppressible: true, Fixes: true,
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("env") {
			pairs := in.Pairs()
			for _, p := range pairs {
				if p.Name.Text != "DEBIAN_FRONTEND" {
					continue
				}
				r := pass.Report(p.Name, "ENV keeps DEBIAN_FRONTEND for the running container and every image on top; use ARG, which holds for the build")
				if len(pairs) == 1 && p.Separator == "=" {
					keyword := "ARG"
					if in.Keyword.Text == "env" {
						keyword = "arg"
					}
					r.Fix("use ARG", lint.Replace(in.Keyword, keyword))
				}
			}
		}
	},
}
