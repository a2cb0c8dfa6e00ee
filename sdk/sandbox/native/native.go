// Package native runs instances of images with nothing but this program and the Linux kernel: no Docker, no OCI runtime,
// nothing to install.
//
//	rt, err := native.New(ctx, native.Options{Dir: dir})
//	defer rt.Close()
//	instance, err := rt.Start(ctx, sandbox.Spec{Image: img, Platform: "linux/amd64"})
//
// An instance gets an empty capability set, no_new_privs, Docker's default seccomp profile, its own mounts, processes,
// IPC, host name and network (loopback, or the private network of its Spec.Network), Docker's masked and read-only
// paths, and control groups that hold its limits. Its root is read-only; Spec.WritableRoot and Tmpfs are in memory, which
// counts for its limit, so an instance cannot fill a disk. The image's own process is PID 1.
//
// It works for root, and for ordinary users where the kernel lets them make user namespaces (Linux 5.11 or newer). An
// ordinary user without ranges in /etc/subuid has one id to give away, so all files of an image belong to whatever user a
// process is. What else this machine cannot hold, [Runtime.Weaknesses] says. No AppArmor or SELinux profile is applied.
//
// When this process ends, by whatever means, so do its instances.
package native

// Options of a runtime. Dir is required.
type Options struct {
	// Dir keeps unpacked images by digest. It may be shared by processes of one user; others cannot read it.
	Dir string
	// MaxBytes bounds the files of one image, unpacked. Default 8 GiB.
	MaxBytes int64
	// MaxEntries bounds the number of files of one image. Default one million.
	MaxEntries int64
}

func (o Options) orDefault() Options {
	if o.MaxBytes == 0 {
		o.MaxBytes = 8 << 30
	}
	if o.MaxEntries == 0 {
		o.MaxEntries = 1_000_000
	}
	return o
}
