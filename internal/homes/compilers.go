package homes

import (
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/bake"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/compose"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/template"
)

// Compilers take all higher-level definitions that there are. The catalog has the templates; nil means none.
func Compilers(cat *catalog.Catalog) []definition.Compiler {
	var templates template.Compiler
	if cat != nil {
		templates.Templates = cat.Templates()
	}
	return []definition.Compiler{templates, bake.Compiler{}, compose.Compiler{}}
}
