//go:build linux

package stage_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/internal/container/internal/stage"
)

func TestFindHierarchies(t *testing.T) {
	v2 := t.TempDir() // so that it has a file that says what its controllers are
	if err := os.WriteFile(filepath.Join(v2, "cgroup.controllers"), []byte("cpuset cpu io memory pids\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, own, mounts string
		want              []stage.ControlGroup
	}{
		{
			"version 1 on a host",
			"9:name=systemd:/\n8:pids:/user\n4:memory:/a/b\n2:cpu,cpuacct:/\n0::/\n",
			"30 24 0:26 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n" +
				"31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n" +
				"32 24 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" +
				"33 24 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n" +
				"34 24 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			[]stage.ControlGroup{
				{Controllers: "cpu,cpuacct", Dir: "/sys/fs/cgroup/cpu,cpuacct"},
				{Controllers: "memory", Dir: "/sys/fs/cgroup/memory/a/b"},
				{Controllers: "pids", Dir: "/sys/fs/cgroup/pids/user"},
			},
		},
		{
			"version 1 in a container that sees its own part",
			"4:memory:/docker/abc/inner\n",
			"32 24 0:28 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
			[]stage.ControlGroup{{Controllers: "memory", Dir: "/sys/fs/cgroup/memory/inner"}},
		},
		{
			"version 1 in a group that is not mounted",
			"4:memory:/elsewhere\n",
			"32 24 0:28 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
			nil,
		},
		{
			"version 2 in a session: beside its group, because that has processes",
			"0::/user.slice/user-0.slice/session-1.scope\n",
			"30 24 0:26 / " + v2 + " rw - cgroup2 cgroup2 rw\n",
			[]stage.ControlGroup{{Unified: true, Controllers: "memory,pids,cpu", Dir: v2 + "/user.slice/user-0.slice"}},
		},
		{
			"version 2 in the root",
			"0::/\n",
			"30 24 0:26 / " + v2 + " rw - cgroup2 cgroup2 rw\n",
			[]stage.ControlGroup{{Unified: true, Controllers: "memory,pids,cpu", Dir: v2}},
		},
		{"nothing", "", "", nil},
		{"garbage", "x\n:::\n", "- - -\n\n1 2 3\n", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, stage.FindHierarchies(test.own, test.mounts)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// group makes the files of a control group.
func group(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLimits(t *testing.T) {
	r := stage.Resources{Memory: 64 << 20, CPUs: 1.5, CPUShares: 512, CPUSet: "0-1", MemorySet: "0"}
	tests := []struct {
		name  string
		group stage.ControlGroup
		files map[string]string // what there is
		want  map[string]string // what it becomes
	}{
		{
			"version 2",
			stage.ControlGroup{Unified: true},
			map[string]string{
				"cgroup.controllers": "cpuset cpu memory pids", "memory.max": "max", "memory.swap.max": "max", "pids.max": "max",
				"cpu.max": "max 100000", "cpu.weight": "100", "cpuset.cpus": "", "cpuset.mems": "",
			},
			map[string]string{
				"cgroup.controllers": "cpuset cpu memory pids", "memory.max": "67108864", "memory.swap.max": "0", "pids.max": "20",
				"cpu.max": "150000 100000", "cpu.weight": "20", "cpuset.cpus": "0-1", "cpuset.mems": "0",
			},
		},
		{
			"version 2 without accounting for swap, and without processors",
			stage.ControlGroup{Unified: true},
			map[string]string{"cgroup.controllers": "memory", "memory.max": "max", "cpu.max": "max 100000", "pids.max": "max"},
			map[string]string{"cgroup.controllers": "memory", "memory.max": "67108864", "cpu.max": "max 100000", "pids.max": "max"},
		},
		{
			"version 1, memory",
			stage.ControlGroup{Controllers: "memory"},
			map[string]string{"memory.limit_in_bytes": "-1", "memory.memsw.limit_in_bytes": "-1"},
			map[string]string{"memory.limit_in_bytes": "67108864", "memory.memsw.limit_in_bytes": "67108864"},
		},
		{
			"version 1, processors",
			stage.ControlGroup{Controllers: "cpu,cpuacct"},
			map[string]string{"cpu.cfs_period_us": "", "cpu.cfs_quota_us": "-1", "cpu.shares": "1024", "cpuset.cpus": ""},
			map[string]string{"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "150000", "cpu.shares": "512", "cpuset.cpus": ""},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.group.Dir = group(t, test.files)
			if err := test.group.Limit(r); err != nil {
				t.Fatal(err)
			}
			if err := test.group.LimitPIDs(20); err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for name := range test.files {
				data, err := os.ReadFile(filepath.Join(test.group.Dir, name))
				if err != nil {
					t.Fatal(err)
				}
				got[name] = string(data)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestMeasureVersion2(t *testing.T) {
	g := stage.ControlGroup{Unified: true, Dir: group(t, map[string]string{
		"memory.current": "1000000\n", "memory.stat": "anon 1\nactive_file 100\ninactive_file 200\nslab 5\n",
		"memory.events": "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n", "cpu.stat": "usage_usec 42\nuser_usec 40\n",
	})}
	memory, nanoseconds, kills, err := g.Measure()
	if err != nil || memory != 999700 || nanoseconds != 42_000 || kills != 2 {
		t.Errorf("%d bytes, %d ns, %d kills, %v", memory, nanoseconds, kills, err)
	}
}

func TestParseSockets(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue\n"
	tests := []struct {
		name, network, table string
		want                 []stage.Socket
	}{
		{
			"tcp: those that listen", "tcp", head +
				"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n" +
				"   1: 00000000:0050 00000000:0000 0A 00000000:00000000\n" +
				"   2: 0100007F:A000 0100007F:1F90 01 00000000:00000000\n",
			[]stage.Socket{{Network: "tcp", Address: "127.0.0.1", Port: 8080}, {Network: "tcp", Address: "0.0.0.0", Port: 80}},
		},
		{
			"tcp6", "tcp6", head + "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0\n",
			[]stage.Socket{{Network: "tcp6", Address: "::1", Port: 8080}},
		},
		{
			"udp: those without a peer", "udp", head + "   0: 00000000:14E9 00000000:0000 07 0:0\n   1: 0100007F:14EA 0100007F:0035 01 0:0\n",
			[]stage.Socket{{Network: "udp", Address: "0.0.0.0", Port: 5353}},
		},
		{"empty", "tcp", head, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := stage.ParseSockets(test.network, test.table)
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
		})
	}
	for _, line := range []string{"0: XX:1F90 0 0A", "0: 0100007F 0 0A", "0: 0100:1F90 0 0A", "0: 0100007F:FFFFF 0 0A"} {
		if got, err := stage.ParseSockets("tcp", head+line+"\n"); err == nil {
			t.Errorf("%q gave %v", line, got)
		}
	}
}

func TestExecutables(t *testing.T) {
	tests := []struct {
		name, program string
		env           []string
		want          []string
	}{
		{"a path", "./x", []string{"PATH=/bin"}, []string{"./x"}},
		{"a name", "x", []string{"PATH=/a:/b"}, []string{"/a/x", "/b/x"}},
		{"the last PATH counts", "x", []string{"PATH=/a", "PATH=/b"}, []string{"/b/x"}},
		{"an empty part is the working directory", "x", []string{"PATH=/a::/b"}, []string{"/a/x", "./x", "/b/x"}},
		{"no PATH", "x", nil, []string{"/usr/local/sbin/x", "/usr/local/bin/x", "/usr/sbin/x", "/usr/bin/x", "/sbin/x", "/bin/x"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, stage.Executables(test.program, test.env)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
