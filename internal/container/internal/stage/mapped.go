//go:build linux

package stage

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// mappedMain waits at the file whose number is its first argument until its user namespace has ids, and then executes
// this program again with the other arguments: as root of that namespace, which it has become meanwhile.
func mappedMain() {
	fd, err := strconv.Atoi(os.Args[1])
	if err == nil {
		wait := os.NewFile(uintptr(fd), "release")
		if n, _ := wait.Read(make([]byte, 1)); n == 0 {
			os.Exit(1) // the parent gave up
		}
		_ = wait.Close()
		err = syscall.Exec("/proc/self/exe", os.Args[2:], os.Environ())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
