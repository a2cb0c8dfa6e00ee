package rules

import (
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var stageShadowsImage = lint.Rule{
	ID: "DF1107", Name: "stage-shadows-image", Title: "stage with the name of a well-known image",
	Group: lint.Bases, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for _, stage := range pass.File.Stages {
			known := slices.Contains(wellKnownImages, stage.Name) ||
				slices.ContainsFunc(pass.Images(), func(n string) bool { return strings.EqualFold(n, stage.Name) })
			if stage.Name != "" && known && !isOfficial(stage.Base.Text, stage.Name) {
				pass.Report(stage.Alias, "after this, %q means the stage and no longer the image; give the stage a name of its own", stage.Alias.Text)
			}
		}
	},
}

// isOfficial says whether a reference is Docker Hub's own image of that name: then the stage's name does not mislead.
func isOfficial(ref, name string) bool {
	repository, _, _ := splitRef(ref)
	return strings.TrimPrefix(strings.TrimPrefix(repository, "docker.io/"), "library/") == name
}

// wellKnownImages are names that readers take for an image. The catalog adds its own, see lint.Config.
var wellKnownImages = []string{
	"almalinux", "alpine", "amazoncorretto", "amazonlinux", "archlinux", "bash", "buildpack-deps", "busybox", "caddy", "centos",
	"chainguard", "composer", "debian", "distroless", "docker", "dotnet", "eclipse-temurin", "elixir", "erlang", "fedora", "golang",
	"gradle", "haproxy", "httpd", "ibmjava", "jetty", "kibana", "mariadb", "maven", "memcached", "mongo", "mysql", "nginx", "node",
	"openjdk", "opensuse", "oraclelinux", "perl", "photon", "php", "postgres", "python", "rabbitmq", "redis", "rockylinux", "ruby",
	"rust", "sapmachine", "swift", "tomcat", "traefik", "ubi", "ubi-minimal", "ubuntu", "wolfi-base",
}
