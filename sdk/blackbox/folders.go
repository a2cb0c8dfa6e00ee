package blackbox

import (
	"io/fs"
	"strings"
	"testing/fstest"
)

// Folders joins file systems, each under a name, so that a suite has features from several places:
//
//	blackbox.Suite{Features: blackbox.Folders{"features": own, "required": image.Features()}}
//
// Names are as in [fs.ValidPath], and none lies below another.
type Folders map[string]fs.FS

// Open opens a file of the folder that it is in. Nothing is read before.
func (f Folders) Open(name string) (fs.File, error) {
	above := fstest.MapFS{}
	for folder, files := range f {
		switch {
		case folder == name:
			return files.Open(".")
		case strings.HasPrefix(name, folder+"/"):
			return files.Open(strings.TrimPrefix(name, folder+"/"))
		}
		above[folder] = &fstest.MapFile{Mode: fs.ModeDir | 0o555}
	}
	return above.Open(name)
}
