package admission

import (
	"crypto/sha256"

	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
)

// maxLayers limits how many layers are looked at; runtimes stop at 128 or so.
const maxLayers = 4096

// chainIDs returns the ChainIDs of an image's layers, of the lowest alone first, as
// https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md#layer-chainid says.
func chainIDs(layers []string) ([]string, error) {
	if len(layers) > maxLayers {
		layers = layers[:maxLayers]
	}
	chains := make([]string, len(layers))
	for i, diff := range layers {
		if _, err := bundle.ParseKey(diff); err != nil {
			return nil, err
		}
		chains[i] = diff
		if i > 0 {
			sum := sha256.Sum256([]byte(chains[i-1] + " " + diff))
			chains[i] = bundle.Key(sum).String()
		}
	}
	return chains, nil
}
