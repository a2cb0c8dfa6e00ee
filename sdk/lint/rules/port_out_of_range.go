package rules

import (
	"errors"
	"strconv"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var portOutOfRange = lint.Rule{
	ID: "DF6006", Name: "port-out-of-range", Title: "EXPOSE of a port that does not exist",
	Group: lint.Instructions, Severity: finding.Error,
	Aliases: []string{"hadolint:DL3011"},
	Run: func(pass *lint.Pass) {
		for _, p := range exposed(pass) {
			for n := range strings.SplitSeq(p.container, "-") {
				v, err := strconv.ParseUint(n, 10, 64)
				if err == nil && (v < 1 || v > 65535) || errors.Is(err, strconv.ErrRange) {
					pass.Report(p.word, "port %s does not exist; ports are 1 to 65535", n)
					break
				}
			}
		}
	},
}
