package compare_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/bench/compare"
)

func side(name string, kind compare.Kind, took time.Duration, done string) compare.Side {
	return compare.Side{Name: name, Kind: kind, Do: func(context.Context, int) (compare.Work, error) {
		return compare.Work{Took: took, Done: done}, nil
	}}
}

func caseOf(sides ...compare.Side) compare.Case {
	return compare.Case{Name: "case", Doc: "a job", Setup: func(context.Context, compare.Env, int) ([]compare.Side, func() error, error) {
		return sides, nil, nil
	}}
}

func measure(t *testing.T, c compare.Case) compare.Measured {
	t.Helper()
	all, err := compare.Measure(t.Context(), c, compare.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func TestRatioIsOursDividedByTheirs(t *testing.T) {
	m := measure(t, caseOf(side("ours", compare.Ours, time.Second, "10"), side("theirs", compare.Peer, 4*time.Second, "10")))
	if got := m.Rows[1].Ratio; got != 0.25 {
		t.Errorf("ratio %v, want 0.25", got)
	}
	if m.Rows[0].Ratio != 0 {
		t.Error("Plimsoll's side has a ratio to itself")
	}
}

func TestNoRatioWhereTheWorkDiffers(t *testing.T) {
	m := measure(t, caseOf(side("ours", compare.Ours, time.Second, "10"), side("theirs", compare.Peer, time.Second, "9")))
	if m.Rows[1].Ratio != 0 || len(m.Unequal) != 1 {
		t.Errorf("ratio %v, unequal %q", m.Rows[1].Ratio, m.Unequal)
	}
	var b bytes.Buffer
	if err := compare.Table(&b, []compare.Measured{m}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `ours did "10", theirs "9"`) {
		t.Errorf("the table does not say what differs:\n%s", b.String())
	}
}

func TestPeerThatFailsIsMissingAndOursStops(t *testing.T) {
	failing := func(kind compare.Kind) compare.Side {
		return compare.Side{Name: "failing", Kind: kind, Do: func(context.Context, int) (compare.Work, error) {
			return compare.Work{}, errors.New("no such thing")
		}}
	}
	m := measure(t, caseOf(side("ours", compare.Ours, time.Second, "10"), failing(compare.Peer)))
	if m.Rows[1].Missing != "no such thing" || m.Rows[1].Ratio != 0 {
		t.Errorf("row of a failing peer: %+v", m.Rows[1])
	}
	_, err := compare.Measure(t.Context(), caseOf(failing(compare.Ours)), compare.Options{Dir: t.TempDir()})
	if err == nil {
		t.Error("a failure of Plimsoll's own side was no error")
	}
}

func TestSidesTakeTurns(t *testing.T) {
	var order []string
	noting := func(name string, kind compare.Kind) compare.Side {
		return compare.Side{Name: name, Kind: kind, Do: func(context.Context, int) (compare.Work, error) {
			order = append(order, name)
			return compare.Work{Took: 1}, nil
		}}
	}
	measure(t, caseOf(noting("a", compare.Ours), noting("b", compare.Peer)))
	if got := strings.Join(order, ""); got != "abbaabbaab" {
		t.Errorf("order %s", got)
	}
}

func TestGrowthHasASlope(t *testing.T) {
	linear := compare.Case{
		Name: "case", Doc: "a job", Unit: "images", Sizes: []int{10, 100, 1000},
		Setup: func(_ context.Context, _ compare.Env, size int) ([]compare.Side, func() error, error) {
			return []compare.Side{side("ours", compare.Ours, time.Duration(size)*time.Millisecond, "")}, nil, nil
		},
	}
	all, err := compare.Measure(t.Context(), linear, compare.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	growth, ok := compare.GrowthOf(all)
	if !ok {
		t.Fatal("three sizes are no growth")
	}
	if slope, ok := growth.Slope("ours"); !ok || slope < 0.99 || slope > 1.01 {
		t.Errorf("slope %v of a job that grows linearly", slope)
	}
	var svg bytes.Buffer
	if err := growth.SVG(&svg); err != nil || !strings.Contains(svg.String(), "slope 1.00") {
		t.Errorf("%v, plot without slope: %d bytes", err, svg.Len())
	}
}
