//go:build linux

package stage

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openTerminal makes a terminal in the container's own /dev/pts, gives its slave to this process as stdin, stdout and
// stderr, and returns its master. It does not become the controlling terminal yet.
func openTerminal(p *Process) (*os.File, error) {
	master, err := os.OpenFile("/dev/pts/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, failure("open a terminal", err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		_ = master.Close()
		return nil, failure("open a terminal", err)
	}
	name := fmt.Sprintf("/dev/pts/%d", number)
	slave, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		_ = master.Close()
		return nil, failure("open "+name, err)
	}
	defer slave.Close()
	fd := int(slave.Fd())
	_ = unix.Fchown(fd, p.UID, -1)
	for target := range 3 {
		if err := unix.Dup3(fd, target, 0); err != nil {
			_ = master.Close()
			return nil, failure("use "+name, err)
		}
	}
	return master, nil
}
