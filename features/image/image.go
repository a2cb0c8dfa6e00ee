// Package image holds features that operators can require of every image, as they are:
//
//   - hardening: what the CIS Docker Benchmark (section 4), dockle and Docker Scout check about images
//   - hygiene: labels, leftovers, layers
//   - minimal: no shell, no tools, nothing to install with
//   - service: it answers, stops, restarts; with the parameters port, path, time and memory
//
// All but the last look at the image only and need no sandbox. All of them hold for distroless images.
package image

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing/fstest"
)

//go:embed *.feature
var features embed.FS

// Features returns the files: "hardening.feature" and so on.
func Features() fs.FS { return features }

// Names returns the names of the features, sorted: "hardening" and so on.
func Names() []string {
	files, _ := fs.Glob(features, "*.feature") // the pattern is valid, which is the only error there is
	for i, file := range files {
		files[i] = strings.TrimSuffix(file, ".feature")
	}
	return files
}

// Select returns the files of these names only.
func Select(names ...string) (fs.FS, error) {
	chosen := fstest.MapFS{}
	for _, name := range names {
		text, err := features.ReadFile(name + ".feature")
		if err != nil || !slices.Contains(Names(), name) {
			return nil, fmt.Errorf("no ready-made suite is called %q: there are %s", name, strings.Join(Names(), ", "))
		}
		chosen[name+".feature"] = &fstest.MapFile{Data: text, Mode: 0o444}
	}
	return chosen, nil
}
