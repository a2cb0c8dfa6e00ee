package rules

import (
	"bytes"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var secretValue = lint.Rule{
	ID: "DF3002", Name: "secret-value", Title: "text with the form of a known secret",
	Group: lint.Secrets, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		present := secretPrefixes.in(pass.File.Src)
		for i, form := range secretForms {
			if present&(1<<i) == 0 || !bytes.Contains(pass.File.Src, []byte(form.prefix)) {
				continue
			}
			for in := range pass.Instructions() {
				for _, w := range wordsOf(in) {
					reportSecrets(pass, w, form)
				}
			}
			for _, c := range pass.File.Comments {
				if _, ok := form.find(c.Text); ok {
					pass.Report(definition.Word{Text: c.Text, Start: c.Start, End: c.End}, "this looks like %s; revoke it, everybody who sees the file has it", form.what)
				}
			}
		}
	},
}

// secretForm is how secrets of one kind look: a prefix and then so many of the letters.
type secretForm struct {
	what, prefix string
	least        int
	letters      string
}

const (
	upperDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	alnum       = upperDigits + "abcdefghijklmnopqrstuvwxyz"
	base64url   = alnum + "-_"
)

var secretForms = []secretForm{
	{"an AWS access key", "AKIA", 16, upperDigits},
	{"an AWS session key", "ASIA", 16, upperDigits},
	{"a GitHub token", "ghp_", 36, alnum},
	{"a GitHub token", "gho_", 36, alnum},
	{"a GitHub token", "ghs_", 36, alnum},
	{"a GitHub token", "ghu_", 36, alnum},
	{"a GitHub token", "github_pat_", 60, alnum + "_"},
	{"a GitLab token", "glpat-", 20, base64url},
	{"a Slack token", "xoxb-", 20, alnum + "-"},
	{"a Slack token", "xoxp-", 20, alnum + "-"},
	{"a Slack webhook", "hooks.slack.com/services/T", 30, alnum + "/"},
	{"a Stripe key", "sk_live_", 20, alnum},
	{"a Stripe key", "rk_live_", 20, alnum},
	{"a Google API key", "AIza", 35, base64url},
	{"an npm token", "npm_", 36, alnum},
	{"a PyPI token", "pypi-AgE", 50, base64url},
	{"a Docker Hub token", "dckr_pat_", 27, base64url},
	{"a DigitalOcean token", "dop_v1_", 64, "0123456789abcdef"},
	{"a Shopify token", "shpat_", 32, "0123456789abcdefABCDEF"},
	{"an age identity", "AGE-SECRET-KEY-1", 50, upperDigits},
	{"a private key", "-----BEGIN PRIVATE KEY-----", 0, ""},
	{"a private key", "-----BEGIN RSA PRIVATE KEY-----", 0, ""},
	{"a private key", "-----BEGIN EC PRIVATE KEY-----", 0, ""},
	{"a private key", "-----BEGIN OPENSSH PRIVATE KEY-----", 0, ""},
	{"a private key", "-----BEGIN PGP PRIVATE KEY BLOCK-----", 0, ""},
}

// prefixes says, in one walk over a file, which of some texts it may have: for each of their first four places, and each
// byte, one bit for each text that has the byte there.
type prefixes [4][256]uint32

var secretPrefixes = func() (p prefixes) {
	for i, form := range secretForms {
		for at := range p {
			p[at][form.prefix[at]] |= 1 << i
		}
	}
	return p
}()

// in returns the bits of all texts whose first bytes are in src.
func (p *prefixes) in(src []byte) uint32 {
	var found uint32
	for i := 3; i < len(src); i++ {
		if bits := p[0][src[i-3]] & p[1][src[i-2]]; bits != 0 {
			found |= bits & p[2][src[i-1]] & p[3][src[i]]
		}
	}
	return found
}

// find returns where a secret of the form begins. Those in documentation end in EXAMPLE and are none.
func (f secretForm) find(text string) (int, bool) {
	for from := 0; ; {
		i := strings.Index(text[from:], f.prefix)
		if i < 0 {
			return 0, false
		}
		i += from
		from = i + len(f.prefix)
		rest := text[from:]
		body := rest[:len(rest)-len(strings.TrimLeft(rest, f.letters))]
		inside := i > 0 && strings.IndexByte(alnum, text[i-1]) >= 0 && f.least > 0
		if len(body) >= f.least && !inside && !strings.HasSuffix(body, "EXAMPLE") {
			return i, true
		}
	}
}

// wordsOf returns all words of an instruction, heredocs among them.
func wordsOf(in *definition.Instruction) []definition.Word {
	var words []definition.Word
	for _, f := range in.Flags {
		words = append(words, f.Word)
	}
	if in.Trigger == nil { // those of a trigger are its own
		words = append(words, in.Args...)
		for _, h := range in.Heredocs {
			words = append(words, h.Body)
		}
	}
	return words
}

func reportSecrets(pass *lint.Pass, w definition.Word, form secretForm) {
	if i, ok := form.find(w.Text); ok {
		pass.Report(w.Slice(i, i+len(form.prefix)), "this looks like %s; revoke it, everybody who sees the file or the image has it", form.what).
			Help("give it to the steps that need it with RUN --mount=type=secret")
	}
}
