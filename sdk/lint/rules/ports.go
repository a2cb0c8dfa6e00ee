package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// port is one operand of EXPOSE: [[ip:]host:]container[/protocol].
type port struct {
	word                      definition.Word
	host, container, protocol string
}

// exposed returns the ports of all EXPOSE instructions; those with variables are left out.
func exposed(pass *lint.Pass) []port {
	var ports []port
	for in := range pass.Instructions("expose") {
		for _, w := range in.Args {
			if strings.Contains(w.Text, "$") {
				continue
			}
			address, protocol, _ := strings.Cut(w.Text, "/")
			p := port{word: w, container: address, protocol: protocol}
			if i := strings.LastIndexByte(address, ':'); i >= 0 {
				p.host, p.container = address[:i], address[i+1:]
			}
			ports = append(ports, p)
		}
	}
	return ports
}
