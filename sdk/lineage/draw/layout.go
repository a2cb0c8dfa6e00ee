package draw

import (
	"cmp"
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// layout places nodes in columns, bases left of what stands on them, and in each column near those that they are joined
// with: the layered drawing of Sugiyama, Tagawa and Toda (1981), with the order of a column by the mean of its neighbours.
type layout struct {
	column []int     // of each node
	row    []float64 // of each node, 1 apart at least
	order  [][]int   // the nodes of each column, from the top
	below  [][]int   // what each node stands on
	above  [][]int
}

// sweeps is how often the columns are put in order; more changes little.
const sweeps = 8

func newLayout(g lineage.Graph) *layout {
	n := len(g.Nodes)
	l := &layout{column: make([]int, n), row: make([]float64, n), below: make([][]int, n), above: make([][]int, n)}
	for _, link := range g.Links {
		l.below[link.Above] = append(l.below[link.Above], link.Below)
		l.above[link.Below] = append(l.above[link.Below], link.Above)
	}
	l.columns()
	for _, i := range l.families() {
		c := l.column[i]
		for len(l.order) <= c {
			l.order = append(l.order, nil)
		}
		l.order[c] = append(l.order[c], i)
	}
	for _, nodes := range l.order {
		l.stack(nodes)
	}
	for range sweeps {
		for c := range l.order {
			l.arrange(c, l.below)
		}
		for c := range slices.Backward(l.order) {
			l.arrange(c, l.above)
		}
	}
	l.fromTop()
	return l
}

// families lists the nodes so that what stands on one comes right after it: a good order to begin with.
func (l *layout) families() []int {
	var list []int
	seen := make([]bool, len(l.column))
	var visit func(i int)
	visit = func(i int) {
		if seen[i] {
			return
		}
		seen[i] = true
		list = append(list, i)
		for _, a := range l.above[i] {
			visit(a)
		}
	}
	for i := range l.column {
		if len(l.below[i]) == 0 {
			visit(i)
		}
	}
	for i := range l.column { // circles have no bottom
		visit(i)
	}
	return list
}

// columns puts each node one column right of the last that it stands on. A circle, which only a forger makes, is cut where
// it is met again.
func (l *layout) columns() {
	const entered, left = 1, 2
	state := make([]int, len(l.column))
	var visit func(i int) int
	visit = func(i int) int {
		switch state[i] {
		case entered:
			return -1
		case left:
			return l.column[i]
		}
		state[i] = entered
		for _, b := range l.below[i] {
			l.column[i] = max(l.column[i], visit(b)+1)
		}
		state[i] = left
		return l.column[i]
	}
	for i := range l.column {
		visit(i)
	}
}

// stack places nodes one below the other.
func (l *layout) stack(nodes []int) {
	for at, i := range nodes {
		l.row[i] = float64(at)
	}
}

// arrange moves the nodes of a column towards their neighbours on one side, keeping them apart.
func (l *layout) arrange(c int, side [][]int) {
	wish := map[int]float64{}
	for _, i := range l.order[c] {
		wish[i] = l.row[i]
		if len(side[i]) > 0 {
			sum := 0.0
			for _, other := range side[i] {
				sum += l.row[other]
			}
			wish[i] = sum / float64(len(side[i]))
		}
	}
	slices.SortStableFunc(l.order[c], func(a, b int) int { return cmp.Compare(wish[a], wish[b]) })
	// Those that want the same place are a block, which stands around the mean of what its nodes want.
	type block struct {
		sum   float64 // of the places that its nodes want the first of them to have
		nodes int
	}
	var blocks []block
	for _, i := range l.order[c] {
		b := block{wish[i], 1}
		for len(blocks) > 0 {
			last := blocks[len(blocks)-1]
			if last.sum/float64(last.nodes)+float64(last.nodes) <= b.sum/float64(b.nodes) {
				break
			}
			b.sum += last.sum - float64(b.nodes*last.nodes)
			b.nodes += last.nodes
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	at := 0
	for _, b := range blocks {
		first := b.sum / float64(b.nodes)
		for k := range b.nodes {
			l.row[l.order[c][at]] = first + float64(k)
			at++
		}
	}
}

// fromTop moves everything so that the first row is 0.
func (l *layout) fromTop() {
	if len(l.row) == 0 {
		return
	}
	top := slices.Min(l.row)
	for i := range l.row {
		l.row[i] -= top
	}
}
