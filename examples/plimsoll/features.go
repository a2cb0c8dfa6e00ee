package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/plimsoll-dev/plimsoll/features/image"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
)

// readyMade is the folder of the ready-made suites, as results name it.
const readyMade = "suite"

// lineSuffix is how a path names one scenario.
var lineSuffix = regexp.MustCompile(`:\d+$`)

// findFeatures joins the user's features with ready-made suites, and returns which of the files are to be run. Without
// either it is the directory "features".
func findFeatures(paths, suites []string) (blackbox.Folders, []string, error) {
	if len(paths) == 0 && len(suites) == 0 {
		paths = []string{"features"}
	}
	folders := blackbox.Folders{}
	var chosen []string
	for _, path := range paths {
		line := lineSuffix.FindString(path)
		file := filepath.Clean(path[:len(path)-len(line)])
		info, err := os.Stat(file)
		if err != nil {
			return nil, nil, fmt.Errorf("features: %w", err)
		}
		dir, name := file, ""
		if !info.IsDir() {
			dir, name = filepath.Split(file)
		}
		folder, err := nameFolder(filepath.Clean(cmp.Or(dir, ".")))
		if err != nil {
			return nil, nil, err
		}
		folders[folder] = os.DirFS(filepath.Clean(cmp.Or(dir, ".")))
		chosen = append(chosen, filepath.ToSlash(filepath.Join(folder, name))+line)
	}
	if len(suites) == 0 {
		return folders, chosen, nil
	}
	var err error
	folders[readyMade], err = image.Select(suites...)
	return folders, append(chosen, readyMade), err
}

// nameFolder returns how results call a directory: as the user does where that is a path below the current directory, so
// that editors find the file, and otherwise by its full path.
func nameFolder(dir string) (string, error) {
	if dir != "." && fs.ValidPath(filepath.ToSlash(dir)) {
		return filepath.ToSlash(dir), nil
	}
	full, err := filepath.Abs(dir)
	return filepath.ToSlash(full)[1:], err
}
