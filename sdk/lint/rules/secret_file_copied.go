package rules

import (
	"path"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var secretFileCopied = lint.Rule{
	ID: "DF3004", Name: "secret-file-copied", Title: "COPY of a file that holds secrets",
	Group: lint.Secrets, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("copy", "add") {
			for i, src := range in.Args {
				if i < len(in.Args)-1 && isSecretFile(src.Text) {
					pass.Report(src, "%s usually holds a secret, and stays in the layer even when a later step deletes it; use RUN --mount=type=secret", src.Text)
				}
			}
		}
	},
}

// secretFiles are names of files and folders that hold secrets.
var secretFiles = map[string]bool{
	".env": true, ".npmrc": true, ".pypirc": true, ".netrc": true, "_netrc": true, ".git-credentials": true, ".htpasswd": true,
	"id_rsa": true, "id_dsa": true, "id_ecdsa": true, "id_ed25519": true, ".ssh": true, ".aws": true, ".gnupg": true, ".kube": true,
	".dockercfg": true, ".dockerconfigjson": true, "kubeconfig": true, ".vault-token": true, ".pgpass": true, ".my.cnf": true,
	"credentials.json": true, "service-account.json": true, "service_account.json": true, "serviceaccount.json": true,
	"terraform.tfstate": true, "secrets.yml": true, "secrets.yaml": true, "secrets.json": true, ".yarnrc.token": true,
	"auth.json": true, "master.key": true,
}

// secretSuffixes end the names of key files. Certificates have others, or tell that they are no key.
var secretSuffixes = []string{".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk", ".tfstate", "-key.pem", "_key.pem", ".key.pem", "privkey.pem"}

// isSecretFile says whether a path names a file that usually holds a secret.
func isSecretFile(p string) bool {
	p = strings.ToLower(strings.TrimRight(strings.Trim(p, `"'`), "/"))
	base := path.Base(p)
	if secretFiles[base] || strings.HasSuffix(p, ".docker/config.json") || strings.HasSuffix(p, ".aws/credentials") {
		return true
	}
	if kind, ok := strings.CutPrefix(base, ".env."); ok {
		return kind != "example" && kind != "sample" && kind != "template" && kind != "dist" && kind != "defaults"
	}
	if strings.Contains(base, "pub") || strings.Contains(base, "gpg") {
		return false
	}
	for _, s := range secretSuffixes {
		if strings.HasSuffix(base, s) {
			return true
		}
	}
	return false
}
