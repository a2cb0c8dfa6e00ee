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
	"io/fs"
)

//go:embed *.feature
var features embed.FS

// Features returns the files: "hardening.feature" and so on.
func Features() fs.FS { return features }
