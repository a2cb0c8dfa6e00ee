package lineage

import (
	"crypto/sha256"
	"encoding/hex"
)

// emptyLayer is the diff ID of a layer without files: a tar of two zero blocks. BuildKit and others write it for steps
// that change nothing.
const emptyLayer = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

// Chains returns the ChainID of each prefix of an image's layers, by their diff IDs from the bottom up, as the OCI image
// specification has it (config.md, "Layer ChainID"): two images with the same ChainID have the same files. A prefix of
// nothing but empty layers has "": it would be at the bottom of images that have nothing to do with each other.
func Chains(diffIDs []string) []string {
	chains := make([]string, len(diffIDs))
	chain, content := "", false
	for i, diffID := range diffIDs {
		if i == 0 {
			chain = diffID
		} else {
			sum := sha256.Sum256([]byte(chain + " " + diffID))
			chain = "sha256:" + hex.EncodeToString(sum[:])
		}
		if content = content || diffID != emptyLayer; content {
			chains[i] = chain
		}
	}
	return chains
}

// SetLayers sets Chain, Below and Layers from the image's diff IDs.
func (i *Image) SetLayers(diffIDs []string) {
	i.Layers, i.Chain, i.Below = len(diffIDs), "", nil
	chains := Chains(diffIDs)
	for n, chain := range chains {
		switch {
		case chain == "":
		case n == len(chains)-1:
			i.Chain = chain
		default:
			i.Below = append(i.Below, chain)
		}
	}
}
