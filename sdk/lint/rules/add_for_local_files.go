package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var addForLocalFiles = lint.Rule{
	ID: "DF6002", Name: "add-for-local-files", Title: "ADD where COPY does the same",
	Group: lint.Instructions, Severity: finding.Warning, Suppressible: true, Fixes: true,
	Aliases: []string{"hadolint:DL3020"},
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("add") {
			if len(in.Args) < 2 {
				continue
			}
			plain := true
			for _, src := range in.Args[:len(in.Args)-1] {
				plain = plain && isPlainSource(src.Text)
			}
			for _, f := range in.Flags {
				plain = plain && f.Name != "checksum" && f.Name != "keep-git-dir" && f.Name != "unpack"
			}
			if plain {
				copyKeyword := "COPY"
				if in.Keyword.Text == "add" {
					copyKeyword = "copy"
				}
				pass.Report(in.Keyword, "ADD fetches URLs and unpacks archives; COPY says that local files are copied as they are").
					Fix("use COPY", lint.Replace(in.Keyword, copyKeyword))
			}
		}
	},
}

// isPlainSource says whether ADD copies a source as it is: no URL, no archive, nothing that could become one.
func isPlainSource(src string) bool {
	src = strings.ToLower(strings.Trim(src, `"'`))
	if strings.Contains(src, "://") || strings.HasPrefix(src, "git@") || strings.ContainsAny(src, "$*?[") || strings.HasPrefix(src, "<<") {
		return false
	}
	for _, suffix := range []string{".tar", ".gz", ".tgz", ".bz2", ".tbz", ".tbz2", ".xz", ".txz", ".zst", ".tzst", ".z", ".lzma", ".lz4", ".img", ".rootfs"} {
		if strings.HasSuffix(src, suffix) {
			return false
		}
	}
	return true
}
