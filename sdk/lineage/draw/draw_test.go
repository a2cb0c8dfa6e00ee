package draw_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/draw"
)

// world is a graph of n nodes as a fleet has them: few bases, some images in between, many on top.
func world(n int) lineage.Graph {
	var g lineage.Graph
	grades := lineage.Grades()
	for i := range n {
		name := fmt.Sprintf("registry.example/team-%d/service-%d:1.%d", i%7, i, i%5)
		if i == 0 {
			name = "docker.io/library/debian:12.8"
		}
		g.Nodes = append(g.Nodes, lineage.Node{Name: name, Meant: i == 0, Image: lineage.Image{Digest: fmt.Sprintf("sha256:%064d", i)}})
		if i == 0 {
			continue
		}
		below := max(0, (i-1)/6)
		role := lineage.RoleBase
		if i%9 == 8 {
			role = lineage.RoleStage
		}
		g.Links = append(g.Links, lineage.Link{Above: i, Below: below, Edge: lineage.Edge{Role: role, Grade: grades[i%len(grades)], Source: "its first 1 of 2 layers"}})
	}
	return g
}

// A drawing is XML, has a box and a label for each node and a line for each link, and no two boxes of one column meet.
func TestSVG(t *testing.T) {
	for _, n := range []int{0, 1, 5, 500} {
		var b strings.Builder
		if err := draw.SVG(&b, world(n)); err != nil {
			t.Fatal(err)
		}
		boxes, columns := 0, map[string][]float64{}
		for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			start, ok := token.(xml.StartElement)
			if !ok || start.Name.Local != "rect" || len(start.Attr) < 8 {
				continue
			}
			boxes++
			var y float64
			if _, err := fmt.Sscan(start.Attr[1].Value, &y); err != nil {
				t.Fatal(err)
			}
			columns[start.Attr[0].Value] = append(columns[start.Attr[0].Value], y)
		}
		if lines := strings.Count(b.String(), "<path d=\"M") - 6; boxes != n || lines != max(0, n-1) {
			t.Errorf("%d nodes: %d boxes and %d lines", n, boxes, lines)
		}
		for x, rows := range columns {
			for i, a := range rows {
				for _, b := range rows[:i] {
					if a-b < 23.8 && b-a < 23.8 {
						t.Errorf("%d nodes: boxes at x=%s meet: y=%f and %f", n, x, a, b)
					}
				}
			}
		}
		if dir := os.Getenv("LINEAGE_DRAW"); dir != "" { // to look at
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("graph%d.svg", n)), []byte(b.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What a registry calls an image is text, whatever it looks like.
func TestHostileNames(t *testing.T) {
	g := lineage.Graph{
		Nodes: []lineage.Node{{Name: "</text><script>alert(1)</script>\x00\x1b[2J"}, {Name: "a\"]; evil[\"x\n-->"}},
		Links: []lineage.Link{{Above: 0, Below: 1, Edge: lineage.Edge{Role: lineage.RoleBase, Source: "\"|<b>"}}, {Above: 1, Below: 0}, {Above: 0, Below: 0}},
	}
	for name, write := range map[string]func(io.Writer, lineage.Graph) error{"svg": draw.SVG, "dot": draw.DOT, "mermaid": draw.Mermaid} {
		var b strings.Builder
		if err := write(&b, g); err != nil {
			t.Fatal(err)
		}
		if name != "dot" && strings.Contains(b.String(), "<script") || strings.ContainsAny(b.String(), "\x00\x1b") {
			t.Errorf("%s: %s", name, b.String())
		}
		for line := range strings.Lines(b.String()) {
			if strings.HasPrefix(strings.TrimSpace(line), "-->") || strings.Contains(line, `x" ]; evil`) {
				t.Errorf("%s: a name ends its label: %s", name, line)
			}
		}
	}
}
