package docker

import "github.com/moby/profiles/seccomp"

func defaultProfile() any { return seccomp.DefaultProfile() }
