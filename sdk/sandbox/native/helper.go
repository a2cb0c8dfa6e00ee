//go:build linux

package native

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/pkg/archive"
	"golang.org/x/sys/unix"

	"github.com/plimsoll-dev/plimsoll/internal/container"
	"github.com/plimsoll-dev/plimsoll/internal/reexec"
)

// helperName is the name (argv[0]) of the process that makes and removes an image's files. It is apart from this one
// because it shuts itself into the image's directory, and because only root of a user namespace can make files of
// several users there.
const helperName = "plimsoll-unpack"

func init() { reexec.Hook(helperName, helperMain) } //nolint:gochecknoinits // the exception: this program run again

func helperMain() {
	if err := help(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // this is the main function of a process
	}
}

func help(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "remove":
		return os.RemoveAll(args[1]) //nolint:gosec // the arguments are the parent's
	case len(args) == 4 && args[0] == "apply":
		var left budget
		var err1, err2 error
		left.bytes, err1 = strconv.ParseInt(args[2], 10, 64)
		left.entries, err2 = strconv.ParseInt(args[3], 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		return applyLayer(args[1], os.Stdin, left)
	default:
		return fmt.Errorf("unknown arguments %q", args)
	}
}

// applyLayer unpacks a layer over dir/rootfs and prints what is left of the budget.
func applyLayer(dir string, layer io.Reader, left budget) error {
	unix.Umask(0)
	if err := unix.Chroot(dir); err != nil {
		return fmt.Errorf("chroot %s: %w", dir, err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	options := []archive.ApplyOpt{archive.WithFilter(left.accept)}
	if container.SingleID() {
		options = append(options, archive.WithNoSameOwner())
	}
	if _, err := archive.Apply(context.Background(), "/rootfs", layer, options...); err != nil {
		return err
	}
	// To the end, because only there a digest can be checked: padding, no more.
	if n, err := io.Copy(io.Discard, io.LimitReader(layer, maxPadding)); err != nil || n == maxPadding {
		return errors.Join(err, errors.New("the layer goes on after its end"))
	}
	_, err := fmt.Fprintln(os.Stdout, left.bytes, left.entries)
	return err
}

const maxPadding = 1 << 20

// accept counts an entry and says whether it is unpacked.
func (b *budget) accept(h *tar.Header) (bool, error) {
	b.entries--
	b.bytes -= h.Size // of a sparse file this is the full size
	if b.entries < 0 {
		return false, errors.New("it has more files than the limit; Options.MaxEntries sets it")
	}
	if b.bytes < 0 {
		return false, fmt.Errorf("%s: its files are larger than the limit; Options.MaxBytes sets it", h.Name)
	}
	for key := range h.PAXRecords {
		attribute := strings.TrimPrefix(key, "SCHILY.xattr.")
		// They mean something to the overlay that an instance sees the files through.
		if strings.HasPrefix(attribute, "user.overlay.") || strings.HasPrefix(attribute, "trusted.") {
			delete(h.PAXRecords, key)
		}
	}
	// Devices would not work in an instance, and must not lie about on this machine.
	return h.Typeflag != tar.TypeChar && h.Typeflag != tar.TypeBlock, nil
}
