package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var signatureCheckOff = lint.Rule{
	ID: "DF2005", Name: "signature-check-off", Title: "package manager told not to check signatures",
	Group: lint.SupplyChain, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for c := range pass.Commands(unsignedTools...) {
			for _, a := range c.Args {
				if skipsSignature(c.Name, a.Text) {
					pass.Report(a.Word(), "%s tells the package manager to take packages that nobody signed; install the repository's key instead", a.Text)
					break
				}
			}
		}
		for _, x := range pass.Texts() {
			if isUntrustedRepository(x.Text) {
				pass.Report(x.Word(), "a package repository is set up without signature checks; install its key instead")
			}
		}
	},
}

// unsignedTools are the commands of unsignedFlags.
var unsignedTools = []string{"apt-get", "apt", "aptitude", "apk", "yum", "dnf", "dnf5", "microdnf", "tdnf", "zypper", "rpm", "debootstrap"}

// unsignedFlags are options that switch signature checks off, by command. They are compared in lower case.
var unsignedFlags = map[string]string{
	"apt-get":     "--allow-unauthenticated --force-yes --allow-insecure-repositories --no-check-gpg --allow-downgrade-to-insecure-repositories",
	"apt":         "--allow-unauthenticated --force-yes --allow-insecure-repositories --no-check-gpg",
	"aptitude":    "--allow-untrusted",
	"apk":         "--allow-untrusted",
	"yum":         "--nogpgcheck --setopt=gpgcheck=0 --setopt=*.gpgcheck=0",
	"dnf":         "--nogpgcheck --no-gpgchecks --setopt=gpgcheck=0 --setopt=*.gpgcheck=0",
	"dnf5":        "--nogpgcheck --no-gpgchecks --setopt=gpgcheck=0",
	"microdnf":    "--nogpgcheck --setopt=gpgcheck=0",
	"tdnf":        "--nogpgcheck",
	"zypper":      "--no-gpg-checks --allow-unsigned-rpm --gpg-auto-import-keys",
	"rpm":         "--nosignature --nogpg --nodigest",
	"debootstrap": "--no-check-gpg",
}

func skipsSignature(command, arg string) bool {
	if len(arg) < 4 {
		return false
	}
	arg = strings.ToLower(arg)
	for f := range strings.FieldsSeq(unsignedFlags[command]) {
		if arg == f {
			return true
		}
	}
	if command != "apt-get" && command != "apt" {
		return false
	}
	name, value, _ := strings.Cut(arg, "=")
	on := value == "1" || value == "true" || value == "yes"
	return on && (strings.HasSuffix(name, "::allowunauthenticated") || strings.HasSuffix(name, "::allowinsecurerepositories"))
}

// isUntrustedRepository says whether a text switches signature checks off for a repository, in the words of apt's or
// yum's files.
func isUntrustedRepository(text string) bool {
	if strings.IndexByte(text, '=') < 0 && strings.IndexByte(text, ':') < 0 {
		return false // most texts, at the price of a glance
	}
	for _, words := range []string{"trusted=yes", "gpgcheck=0", "gpgcheck = 0", "Trusted: yes"} {
		if i := strings.Index(text, words); i >= 0 && !strings.HasSuffix(text[:i], "repo_") && !strings.HasSuffix(text[:i], "--setopt=") {
			return true
		}
	}
	return false
}
