package dagger

import (
	"fmt"
	"strconv"
	"strings"
)

// checkVersion refuses engines that are older than [Version]. What is no release ("devel") is taken at its word.
func checkVersion(version string) error {
	got, ok := release(version)
	want, _ := release(Version)
	if !ok {
		return nil
	}
	for i := range want {
		if got[i] != want[i] {
			if got[i] < want[i] {
				return fmt.Errorf("dagger: the engine is %s, older than %s: update it, or name another", version, Version)
			}
			return nil
		}
	}
	return nil
}

// release reads "v0.20.0" and "0.20.0-rc1".
func release(version string) (numbers [3]int, ok bool) {
	version, _, _ = strings.Cut(strings.TrimPrefix(version, "v"), "-")
	parts := strings.Split(version, ".")
	if len(parts) != len(numbers) {
		return numbers, false
	}
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil {
			return numbers, false
		}
		numbers[i] = n
	}
	return numbers, true
}
