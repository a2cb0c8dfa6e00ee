// Package embedded is BuildKit in this process: solver, Dockerfile frontend, cache and executor, with nothing to install
// and no daemon. Most programs need [Start] alone; what it returns is a build.Builder like those of package buildkit.
//
// It works on Linux, as root. Linking it in costs some 30 MB of program, which is why it is a package of its own.
package embedded
