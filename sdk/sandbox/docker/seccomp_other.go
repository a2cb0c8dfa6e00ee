//go:build !linux

package docker

// defaultProfile is nil: the profiles' package is for Linux only.
func defaultProfile() any { return nil }
