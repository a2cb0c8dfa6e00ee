//go:build linux

package stage

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Interfaces are configured with the ioctls of netdevice(7). Only a veth pair across namespaces needs rtnetlink(7), so
// its one message is written here by hand.

func withSocket(f func(fd int) error) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // every answer was read
	return f(fd)
}

// setUp brings an interface up.
func setUp(name string) error {
	return withSocket(func(fd int) error {
		r, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, r); err != nil {
			return err
		}
		r.SetUint16(r.Uint16() | unix.IFF_UP)
		return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
	})
}

// setAddress gives an interface its IPv4 address.
func setAddress(name string, p netip.Prefix) error {
	return withSocket(func(fd int) error {
		r, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		address := p.Addr().As4()
		if err := r.SetInet4Addr(address[:]); err != nil {
			return err
		}
		if err := unix.IoctlIfreq(fd, unix.SIOCSIFADDR, r); err != nil {
			return err
		}
		if err := r.SetInet4Addr(net.CIDRMask(p.Bits(), 32)); err != nil {
			return err
		}
		return unix.IoctlIfreq(fd, unix.SIOCSIFNETMASK, r)
	})
}

// addBridge makes a bridge.
func addBridge(name string) error {
	return withSocket(func(fd int) error {
		r, err := unix.NewIfreq(name) // the ioctl takes the name alone, with which the request begins
		if err != nil {
			return err
		}
		return unix.IoctlIfreq(fd, unix.SIOCBRADDBR, r)
	})
}

// bridgeAdd makes an interface a port of the bridge.
func bridgeAdd(bridge, port string) error {
	return withSocket(func(fd int) error {
		r, err := unix.NewIfreq(port)
		if err != nil {
			return err
		}
		if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, r); err != nil {
			return err
		}
		index := r.Uint32()
		if r, err = unix.NewIfreq(bridge); err != nil {
			return err
		}
		r.SetUint32(index)
		return unix.IoctlIfreq(fd, unix.SIOCBRADDIF, r)
	})
}

// addVeth makes a veth pair: name here, and peer in another network namespace.
func addVeth(name, peer string, namespace *os.File) error {
	const vethPeer = 1 // VETH_INFO_PEER of linux/veth.h
	other := make([]byte, unix.SizeofIfInfomsg)
	other = append(other, attribute(unix.IFLA_IFNAME, append([]byte(peer), 0))...)
	other = append(other, attribute(unix.IFLA_NET_NS_FD, binary.NativeEndian.AppendUint32(nil, uint32(namespace.Fd())))...)
	info := attribute(unix.IFLA_INFO_KIND, []byte("veth"))
	info = append(info, attribute(unix.IFLA_INFO_DATA|unix.NLA_F_NESTED, attribute(vethPeer|unix.NLA_F_NESTED, other))...)
	body := make([]byte, unix.SizeofIfInfomsg)
	body = append(body, attribute(unix.IFLA_IFNAME, append([]byte(name), 0))...)
	body = append(body, attribute(unix.IFLA_LINKINFO|unix.NLA_F_NESTED, info)...)
	return routeRequest(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, body)
}

// attribute is a netlink attribute: length, type, value, padded to four bytes.
func attribute(kind uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofRtAttr+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	for len(b)%unix.RTA_ALIGNTO != 0 {
		b = append(b, 0)
	}
	return b
}

// routeRequest sends one rtnetlink request and waits for its acknowledgement.
func routeRequest(kind, flags uint16, body []byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // every answer was read
	m := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	m = binary.NativeEndian.AppendUint16(m, kind)
	m = binary.NativeEndian.AppendUint16(m, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	m = append(m, make([]byte, 8)...) // sequence number and sender: there is only this one
	m = append(m, body...)
	if err := unix.Sendto(fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 8192)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	if n < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return unix.EBADMSG
	}
	if code := int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}

func littleEndian() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }
