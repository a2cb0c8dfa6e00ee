package probe

import (
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// ThisProgram returns this program's file and the libraries that it needs, by path.
func ThisProgram() (map[string][]byte, error) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{Path: self}
	program, err := elf.Open("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	defer program.Close()
	for _, section := range program.Progs {
		if section.Type != elf.PT_INTERP {
			continue
		}
		name, err := io.ReadAll(section.Open())
		if err != nil {
			return nil, err
		}
		loader := string(name[:max(len(name)-1, 0)]) // without its NUL
		if files[loader], err = os.ReadFile(loader); err != nil {
			return nil, err
		}
		return files, addLibraries(files, program)
	}
	return files, nil // it is static
}

// addLibraries adds those that a file needs, and those that they need.
func addLibraries(files map[string][]byte, file *elf.File) error {
	names, err := file.ImportedLibraries()
	if err != nil {
		return err
	}
	for _, name := range names {
		path, err := findLibrary(name)
		if err != nil {
			return err
		}
		if files[path] != nil {
			continue
		}
		if files[path], err = os.ReadFile(path); err != nil {
			return err
		}
		library, err := elf.Open(path)
		if err != nil {
			return err
		}
		err = addLibraries(files, library)
		_ = library.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func findLibrary(name string) (string, error) {
	for _, pattern := range []string{"/lib64/", "/usr/lib64/", "/lib/*-linux-gnu*/", "/usr/lib/*-linux-gnu*/", "/lib/", "/usr/lib/"} {
		if found, err := filepath.Glob(pattern + name); err == nil && len(found) > 0 {
			return found[0], nil
		}
	}
	return "", fmt.Errorf("%w: this program, which has to run beside the daemon, needs %s, which is not found: build it with CGO_ENABLED=0, or give Options.Helper",
		sandbox.ErrUnsupported, name)
}
