package lineage_test

import (
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/lineagetest"
)

func TestMemory(t *testing.T) {
	lineagetest.Run(t, func(*testing.T) lineage.Store { return lineage.NewMemory() })
}
