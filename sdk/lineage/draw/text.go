// Package draw shows a lineage graph to people: as DOT for Graphviz, as Mermaid for Markdown, and as a drawn SVG that
// needs neither.
//
//	graph, err := lineage.GraphOf(ctx, store, of, lineage.Options{}, 500)
//	err = draw.SVG(w, graph)
//
// Bases are on the left, what stands on them to the right. A solid line is of the runtime, a dashed one of the build, and
// its colour says how good the evidence is.
package draw

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// colour says how good evidence is, from green to grey.
func colour(g lineage.Grade) string {
	switch {
	case g >= lineage.GradeSigned:
		return "#1a7f37"
	case g >= lineage.GradeBuild:
		return "#0969da"
	case g >= lineage.GradeUnsigned:
		return "#8250df"
	case g >= lineage.GradeAnnotation:
		return "#bc4c00"
	}
	return "#818b98"
}

func style(r lineage.Role) string {
	if r.Runtime() {
		return "solid"
	}
	return "dashed"
}

// label is the name of a node with its platform.
func label(n lineage.Node) string {
	if n.Image.Platform == "" || n.Image.Platform == "linux/amd64" {
		return n.Name
	}
	return n.Name + " (" + n.Image.Platform + ")"
}

// DOT writes the graph for Graphviz (https://graphviz.org/doc/info/lang.html).
func DOT(w io.Writer, g lineage.Graph) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, "digraph lineage {\n\trankdir=LR;\n\tnode [shape=box, style=rounded, fontname=\"sans-serif\"];\n")
	for i, n := range g.Nodes {
		extra := ""
		if n.Meant {
			extra = ", penwidth=2, color=\"#cf222e\""
		}
		fmt.Fprintf(b, "\tn%d [label=%s%s];\n", i, quoted(label(n)), extra)
	}
	for _, l := range g.Links {
		fmt.Fprintf(b, "\tn%d -> n%d [style=%s, color=%q, tooltip=%s];\n", l.Below, l.Above, style(l.Edge.Role), colour(l.Edge.Grade), quoted(said(l.Edge)))
	}
	if g.More > 0 {
		fmt.Fprintf(b, "\tmore [label=\"and %d more\", shape=plaintext];\n", g.More)
	}
	fmt.Fprint(b, "}\n")
	return b.Flush()
}

func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", " ").Replace(visible(s)) + `"`
}

// said is an edge's evidence in one line.
func said(e lineage.Edge) string {
	s := string(e.Role) + ", " + e.Grade.String()
	if e.Source != "" {
		s += ": " + e.Source
	}
	return s
}

// Mermaid writes the graph as a flowchart (https://mermaid.js.org/syntax/flowchart.html), which forges draw in Markdown. A
// forge may refuse one of more than a few hundred links.
func Mermaid(w io.Writer, g lineage.Graph) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, "flowchart LR\n")
	for i, n := range g.Nodes {
		fmt.Fprintf(b, "    n%d[\"%s\"]\n", i, entities(label(n)))
	}
	for _, l := range g.Links {
		arrow := "-->"
		if style(l.Edge.Role) == "dashed" {
			arrow = "-.->"
		}
		fmt.Fprintf(b, "    n%d %s|%s| n%d\n", l.Below, arrow, entities(l.Edge.Grade.String()), l.Above)
	}
	for i, n := range g.Nodes {
		if n.Meant {
			fmt.Fprintf(b, "    style n%d stroke:#cf222e,stroke-width:2px\n", i)
		}
	}
	if g.More > 0 {
		fmt.Fprintf(b, "    more[\"and %d more\"]\n", g.More)
	}
	return b.Flush()
}

// entities makes a text of a registry's harmless in a quoted label: whatever has a meaning becomes its number.
func entities(s string) string {
	var b strings.Builder
	for _, r := range visible(s) {
		if strings.ContainsRune("\"<>&#;`\\|[]{}()", r) {
			fmt.Fprintf(&b, "#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// visible has no control characters: they are neither XML nor anything to look at.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffe || r == 0xffff {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
