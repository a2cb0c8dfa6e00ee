//go:build linux

package stage

import (
	"os"
	"syscall"
	"testing"
)

// A helper is started whatever numbers the files have: os/exec moves its own pipe in the child to the number behind the
// highest that it passes on, which may be the program's.
func TestHelperWhoseProgramIsTheHighestFile(t *testing.T) {
	var files []*os.File
	for range 12 {
		f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	exe, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	last := files[len(files)-1]
	if exe.Fd() != last.Fd()+1 {
		t.Skipf("other files are opened meanwhile: %d, %d", last.Fd(), exe.Fd())
	}
	for _, f := range files[:6] { // room for the socket and the pipe
		_ = f.Close()
	}
	h, err := startHelper(exe, InitName, []*os.File{last, last, last}, &syscall.SysProcAttr{})
	if err != nil {
		t.Fatal(err)
	}
	_ = h.conn.Close()
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
}
