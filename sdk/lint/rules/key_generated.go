package rules

import (
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var keyGenerated = lint.Rule{
	ID: "DF3009", Name: "key-generated", Title: "private key made while the image is built",
	Group: lint.Secrets, Severity: finding.Warning, Suppressible: true,
	Run: func(pass *lint.Pass) {
		ships := shipped.Of(pass)
		for c := range pass.Commands("ssh-keygen", "openssl", "keytool", "gpg", "certtool", "wg", "mkcert", "make-ssl-cert") {
			if ships[c.Script.Instruction.Stage] && generatesKey(c) {
				pass.Report(c.NameWord(), "every container of this image has the same private key, and everybody who pulls it; make the key when the container starts, or mount it")
			}
		}
	},
}

func generatesKey(c *lint.Command) bool {
	first := ""
	if len(c.Args) > 0 {
		first = c.Args[0].Text
	}
	switch c.Name {
	case "ssh-keygen":
		return !c.Has("-l", "-y", "-e", "-i", "-R", "-F", "-H", "-B", "-D", "-Y")
	case "openssl":
		return slices.Contains([]string{"genrsa", "gendsa", "genpkey"}, first) || first == "req" && c.Has("-newkey", "-keyout") || first == "ecparam" && c.Has("-genkey")
	case "keytool":
		return c.Has("-genkey", "-genkeypair")
	case "gpg":
		return c.Has("--gen-key", "--generate-key", "--full-generate-key", "--quick-generate-key", "--quick-gen-key")
	case "certtool":
		return c.Has("--generate-privkey")
	case "wg":
		return first == "genkey"
	}
	return true
}
