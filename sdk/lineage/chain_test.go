package lineage_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

const emptyLayer = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

func TestChains(t *testing.T) {
	a, b := digest("a"), digest("b")
	if diff := cmp.Diff([]string{a, digest(a + " " + b)}, lineage.Chains([]string{a, b})); diff != "" {
		t.Errorf("ChainID(L0|...|Ln) is the digest of ChainID(L0|...|Ln-1), a space and DiffID(Ln) (-want +got)\n%s", diff)
	}
	// Nothing but empty layers at the bottom would make relatives of strangers.
	empty := digest(emptyLayer + " " + emptyLayer)
	if diff := cmp.Diff([]string{"", "", digest(empty + " " + a)}, lineage.Chains([]string{emptyLayer, emptyLayer, a})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var img lineage.Image
	img.SetLayers([]string{emptyLayer, a, b})
	if img.Layers != 3 || len(img.Below) != 1 || img.Chain == "" {
		t.Errorf("%+v, want 3 layers, one chain below", img)
	}
	img.SetLayers([]string{emptyLayer})
	if img.Layers != 1 || img.Chain != "" || img.Below != nil {
		t.Errorf("%+v, want no chain", img)
	}
}
