// Package check says what no builder can be asked for.
package check

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
)

// maxSecret is the size of a secret that BuildKit takes, in bytes (its session/secrets/secretsprovider).
const maxSecret = 500 * 1024

// Request refuses what would fail later or would steer the builder. Req.Name is set.
func Request(req build.Request) error {
	if len(req.Dockerfile) == 0 {
		return fmt.Errorf("%s: the request has no Dockerfile", req.Name)
	}
	if req.Context == nil {
		return errors.New("the request has no build context")
	}
	if _, frontend, at, ok := parser.DetectSyntax(req.Dockerfile); ok {
		return fmt.Errorf("%s:%d: the syntax line asks for the frontend %s: the builder uses its own, remove the line", req.Name, at[0].Start.Line, frontend)
	}
	for name := range req.Args {
		switch {
		case name == "" || strings.ContainsAny(name, "= \n"):
			return fmt.Errorf("build argument %q: not a name", name)
		case strings.HasPrefix(name, "BUILDKIT_"):
			return fmt.Errorf("build argument %s: names that begin with BUILDKIT_ steer the builder and are reserved", name)
		case name == "SOURCE_DATE_EPOCH":
			return fmt.Errorf("build argument %s: is set from the request's Created", name)
		}
	}
	for id, value := range req.Secrets {
		if len(value) > maxSecret {
			return fmt.Errorf("secret %s: %d bytes long, the limit is %d", id, len(value), maxSecret)
		}
	}
	for name, c := range req.Contexts {
		if name == "" || (c.Dir == nil) == (c.Image == "") {
			return fmt.Errorf("named context %q: it is a directory or an image", name)
		}
	}
	switch req.Network {
	case build.NetworkNone, build.NetworkHost:
		return nil
	default:
		return fmt.Errorf("network %q is neither %q nor %q", req.Network, build.NetworkNone, build.NetworkHost)
	}
}
