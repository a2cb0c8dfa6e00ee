package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var verificationOffVariable = lint.Rule{
	ID: "DF2004", Name: "verification-off-variable", Title: "variable that switches verification off",
	Group: lint.SupplyChain, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("env", "arg") {
			for _, p := range in.Pairs() {
				if switchesOff(p.Name.Text, p.Value.Text) {
					pass.Report(p.Name, "%s=%s switches verification off for every command that reads it; trust the right CA or key instead", p.Name.Text, p.Value.Text)
				}
			}
		}
		for _, s := range pass.Scripts {
			for _, a := range s.Assigns {
				if switchesOff(a.Name, a.Value.Text) {
					pass.Report(a.Value.Word(), "%s=%s switches verification off; trust the right CA or key instead", a.Name, a.Value.Text)
				}
			}
		}
	},
}

// offValues are values, in lower case, with which variables switch verification off. "*" means any that is not empty.
var offValues = map[string]string{
	"NODE_TLS_REJECT_UNAUTHORIZED": "0 false", "NPM_CONFIG_STRICT_SSL": "false 0", "npm_config_strict_ssl": "false 0",
	"YARN_STRICT_SSL": "false 0", "YARN_ENABLE_STRICT_SSL": "false 0",
	"GIT_SSL_NO_VERIFY": "*", "PYTHONHTTPSVERIFY": "0", "PIP_TRUSTED_HOST": "*", "UV_INSECURE_HOST": "*",
	"CONDA_SSL_VERIFY": "false no 0", "BUNDLE_SSL_VERIFY_MODE": "0", "COMPOSER_DISABLE_TLS": "1 true",
	"GOSUMDB": "off", "GONOSUMCHECK": "1 true", "GONOSUMDB": "*", "GOINSECURE": "*", "GOFLAGS": "-insecure",
	"DOCKER_CONTENT_TRUST": "0", "COSIGN_INSECURE_IGNORE_TLOG": "*", "AWS_S3_NO_VERIFY_SSL": "1 true",
	"CURL_SSL_NO_VERIFY": "*", "WGET_NO_CHECK_CERTIFICATE": "*", "HELM_KUBEINSECURE_SKIP_TLS_VERIFY": "1 true",
}

func switchesOff(name, value string) bool {
	off, ok := offValues[name]
	value = strings.ToLower(strings.Trim(value, `"'`))
	if !ok || value == "" {
		return false
	}
	if off == "*" {
		return value != "0" && value != "false"
	}
	for v := range strings.FieldsSeq(off) {
		if v == value {
			return true
		}
	}
	return false
}
