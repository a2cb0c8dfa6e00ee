package docker

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// seccompOption gives instances the default profile of today's Docker: the one of an older daemon lets through what is
// dangerous (vsock, which reaches the host of a virtual machine), and that of any daemon may be switched off.
// Podman takes a profile only from a file on its machine, and keeps its own.
func (r *Runtime) seccompOption() (string, error) {
	profile := defaultProfile()
	if r.podman || profile == nil || !slices.ContainsFunc(r.info.SecurityOptions, func(o string) bool { return strings.HasPrefix(o, "name=seccomp") }) {
		return "", nil
	}
	text, err := json.Marshal(profile)
	if err != nil {
		return "", fmt.Errorf("the seccomp profile: %w", err)
	}
	return "seccomp=" + string(text), nil
}

func hasSeccomp(options []string) bool {
	return slices.ContainsFunc(options, func(o string) bool {
		return strings.HasPrefix(o, "name=seccomp") && !strings.Contains(o, "profile=unconfined")
	})
}
