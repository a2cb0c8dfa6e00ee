package embedded

import "runtime/debug"

// version is BuildKit's as it was linked in, or empty where the program doesn't know what it was made of.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == "github.com/moby/buildkit" {
			return m.Version
		}
	}
	return ""
}
