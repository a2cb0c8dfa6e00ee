package rules

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// isDownload says whether a command writes what it fetches from the network to its output.
func isDownload(c *lint.Command) bool {
	switch c.Name {
	case "curl", "http", "https":
		return true
	case "wget":
		out, ok := c.Value("-O", "--output-document")
		return ok && out.Text == "-" || hasSuffixArg(c, "O-")
	}
	return false
}

// hasSuffixArg finds clusters such as -nvO- that end in a value of their own.
func hasSuffixArg(c *lint.Command, suffix string) bool {
	for _, a := range c.Args {
		if a.IsFlag() && !strings.HasPrefix(a.Text, "--") && strings.HasSuffix(a.Text, suffix) {
			return true
		}
	}
	return false
}

// savesDownload says whether a command fetches a file and keeps it: curl and wget with an output file, a redirection, or
// an unpacker after them in the pipeline.
func savesDownload(c *lint.Command) bool {
	switch c.Name {
	case "curl":
		if c.Has("-I", "--head") {
			return false
		}
		if out, ok := c.Value("-o", "--output"); ok {
			return out.Text != "-" && out.Text != "/dev/null"
		}
		return c.Has("-O", "--remote-name", "--remote-name-all", "-J") || redirected(c) || unpacked(c)
	case "wget":
		if out, ok := c.Value("-O", "--output-document"); ok && out.Text == "/dev/null" || c.Has("--spider") {
			return false
		}
		return !isDownload(c) || redirected(c) || unpacked(c)
	case "aria2c", "axel":
		return true
	}
	return false
}

// redirected says whether a command's output goes to a file.
func redirected(c *lint.Command) bool { return outputFile(c) != nil }

// outputFile is the word after > or >> of a command, nil when its output goes elsewhere.
func outputFile(c *lint.Command) *syntax.Word {
	if c.Stmt == nil {
		return nil
	}
	for _, r := range c.Stmt.Redirs {
		out := r.Op == syntax.RdrOut || r.Op == syntax.AppOut || r.Op == syntax.ClbOut || r.Op == syntax.RdrAll || r.Op == syntax.AppAll
		if out && (r.N == nil || r.N.Value == "1") && !strings.HasPrefix(r.Word.Lit(), "/dev/") {
			return r.Word
		}
	}
	return nil
}

// unpackers write what they read to the disk.
var unpackers = map[string]bool{
	"tar": true, "bsdtar": true, "gunzip": true, "gzip": true, "xz": true, "unxz": true, "bunzip2": true, "zcat": true, "xzcat": true,
	"cpio": true, "dpkg": true, "tee": true, "dd": true, "jar": true, "funzip": true, "zstd": true, "unzstd": true,
}

// unpacked says whether a command's output is piped into an unpacker.
func unpacked(c *lint.Command) bool {
	for _, p := range c.Script.Pipelines {
		after := false
		for _, stage := range p.Stages {
			for _, other := range stage {
				if after && unpackers[other.Name] {
					return true
				}
			}
			for _, other := range stage {
				after = after || other == c
			}
		}
	}
	return false
}

// verifies says whether a command checks a file against a checksum or a signature.
func verifies(c *lint.Command) bool {
	switch c.Name {
	case "sha1sum", "sha224sum", "sha256sum", "sha384sum", "sha512sum", "shasum", "b2sum", "b3sum", "md5sum", "gpgv", "cosign",
		"minisign", "slsa-verifier", "signify", "rhash", "sq":
		return true
	case "gpg", "gpg2":
		return c.Has("--verify", "--verify-files", "--verify-multifile")
	case "openssl":
		return c.Has("-verify", "-sha256", "-sha512") || len(c.Args) > 0 && strings.HasPrefix(c.Args[0].Text, "sha")
	case "gh":
		return len(c.Args) > 1 && c.Args[0].Text == "attestation"
	}
	return false
}

// verifications returns, for each stage, where the last instruction begins in which something is verified.
func verifications(pass *lint.Pass) map[*definition.Stage]int {
	last := map[*definition.Stage]int{}
	for c := range pass.Commands() {
		if in := c.Script.Instruction; verifies(c) {
			last[in.Stage] = max(last[in.Stage], in.Start.Offset)
		}
	}
	return last
}

// verifiedLater says whether something is verified in an instruction or after it.
func verifiedLater(in *definition.Instruction, last map[*definition.Stage]int) bool {
	at, ok := last[in.Stage]
	return ok && at >= in.Start.Offset
}

// isLocalURL says whether a URL stays on the machine.
func isLocalURL(url string) bool {
	_, rest, ok := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, ":")
	return strings.HasPrefix(url, "file:") || ok && (host == "localhost" || strings.HasPrefix(host, "127.") || host == "0.0.0.0" || host == "host.docker.internal")
}

// interpreters run what they read as a program.
var interpreters = map[string]bool{
	"sh": true, "bash": true, "ash": true, "dash": true, "zsh": true, "ksh": true, "mksh": true, "fish": true,
	"python": true, "python2": true, "python3": true, "perl": true, "ruby": true, "node": true, "php": true, "lua": true,
	"pwsh": true,
}

// readsProgram says whether an interpreter takes its program from its input: it has no script file and no -c or -e.
func readsProgram(c *lint.Command) bool {
	if c.Name == "." || c.Name == "source" {
		return len(c.Args) > 0 && (c.Args[0].Text == "/dev/stdin" || c.Args[0].Text == "/proc/self/fd/0")
	}
	if !interpreters[c.Name] {
		return false
	}
	for _, a := range c.Args {
		switch {
		case a.Text == "-" || a.Text == "-s" || a.Text == "/dev/stdin" || a.Text == "--":
			return true // sh -s -- arguments
		case a.Text == "-c" || a.Text == "-e" || a.Text == "-m" || a.Text == "-r":
			return false
		case !a.IsFlag():
			return false
		}
	}
	return true
}

// substituted returns the commands of c's script that stand in a substitution within c's own words or redirections:
// $(...) or <(...).
func substituted(c *lint.Command) []*lint.Command {
	if c.Call == nil {
		return nil
	}
	words := c.Call.Args
	for _, r := range c.Stmt.Redirs {
		words = append(slices.Clip(words), r.Word)
	}
	var inside []*lint.Command
	for _, w := range words {
		syntax.Walk(w, func(n syntax.Node) bool {
			switch n.(type) {
			case *syntax.CmdSubst, *syntax.ProcSubst:
				for _, other := range c.Script.Commands {
					if other.Call != nil && other.Call != c.Call && within(other.Call, n) {
						inside = append(inside, other)
					}
				}
				return false
			}
			return true
		})
	}
	return inside
}

func within(n, outer syntax.Node) bool {
	return !outer.Pos().After(n.Pos()) && !n.End().After(outer.End())
}
