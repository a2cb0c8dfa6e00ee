package blackbox

import "regexp"

// secretName is what names of variables that hold secrets look like.
var secretName = regexp.MustCompile(`(?i)(^|[_-])(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIALS?)$`)

// secret is one form of secret that a text may have.
type secret struct {
	name    string
	pattern *regexp.Regexp
}

// secrets are forms that are hardly ever anything else. Their patterns come from what issuers of tokens document.
var secrets = []secret{
	{"a private key", regexp.MustCompile(`-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----\s*\S`)},
	{"an AWS access key", regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`)},
	{"a GitHub token", regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})`)},
	{"a GitLab token", regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{20,}`)},
	{"a Slack token", regexp.MustCompile(`\bxox[abeoprs]-[A-Za-z0-9-]{20,}`)},
	{"a Google API key", regexp.MustCompile(`\bAIza[0-9A-Za-z_-]{35}\b`)},
	{"an npm token", regexp.MustCompile(`\bnpm_[A-Za-z0-9]{36}\b`)},
	{"a PyPI token", regexp.MustCompile(`\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}`)},
	{"a Stripe key", regexp.MustCompile(`\b[rs]k_live_[0-9A-Za-z]{24,}`)},
}

// assignment is a secret that an instruction gives a value: "--build-arg API_KEY=abc", "ENV PASSWORD abc".
var assignment = regexp.MustCompile(`(?i)\b([A-Z0-9_]*(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY))[= ]["']?[^\s"'$]{3,}`)

// findSecret names the secret in a line of an image's history, or returns "". It never returns the secret itself.
func findSecret(line string) string {
	for _, s := range secrets {
		if s.pattern.MatchString(line) {
			return s.name
		}
	}
	if m := assignment.FindStringSubmatch(line); m != nil {
		return "a value for " + m[1]
	}
	return ""
}
