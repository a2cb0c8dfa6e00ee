package draw_test

import (
	"log"
	"os"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/draw"
)

// Forges draw Mermaid in Markdown.
func Example() {
	graph := lineage.Graph{
		Nodes: []lineage.Node{{Name: "debian:12", Meant: true}, {Name: "team/app:1"}},
		Links: []lineage.Link{{Above: 1, Below: 0, Edge: lineage.Edge{Role: lineage.RoleBase, Grade: lineage.GradeSigned}}},
	}
	if err := draw.Mermaid(os.Stdout, graph); err != nil {
		log.Fatal(err)
	}
	// Output:
	// flowchart LR
	//     n0["debian:12"]
	//     n1["team/app:1"]
	//     n0 -->|signed provenance| n1
	//     style n0 stroke:#cf222e,stroke-width:2px
}
