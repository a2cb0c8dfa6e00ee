package console

import (
	"io/fs"

	"golang.org/x/tools/txtar"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
)

// Source has the files for reports to quote from. Of a Dockerfile it is a file system with that file alone: the build
// context need not have it, since .dockerignore may leave it out. Of a compiled definition it is the repository.
func Source(def *definition.Definition) fs.FS {
	file := def.File
	if def.Build.Target != "" && def.Files != nil {
		return def.Files
	}
	fsys, err := txtar.FS(&txtar.Archive{Files: []txtar.File{{Name: file.Name, Data: file.Src}}})
	if err != nil {
		return nil // a name that no file system could have; reports go without excerpts
	}
	return fsys
}
