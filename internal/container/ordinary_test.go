//go:build linux

package container_test

import (
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

func TestAsOrdinaryUser(t *testing.T) { sandboxtest.AsOrdinaryUser(t, true) }
