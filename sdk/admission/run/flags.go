package run

import (
	"fmt"
	"strings"
)

// Dialect is whose run command it is.
type Dialect string

// The engines.
const (
	Docker Dialect = "docker"
	Podman Dialect = "podman"
)

// Flags without a value. All others that are known take one: what stands behind an unknown flag may be its value or the
// image, and guessing wrong would judge one image and start another.
const (
	boolFlags = `detach disable-content-trust help init interactive no-healthcheck oom-kill-disable privileged publish-all
		quiet read-only rm sig-proxy tty use-api-socket`
	podmanBoolFlags = `env-host http-proxy no-hosts passwd read-only-tmpfs replace rmi rootfs tls-verify unsetenv-all`

	valueFlags = `add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile
		cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems
		detach-keys device device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops dns dns-opt
		dns-option dns-search domainname entrypoint env env-file expose gpus group-add health-cmd health-interval
		health-retries health-start-interval health-start-period health-timeout hostname io-maxbandwidth io-maxiops ip ip6
		ipc isolation kernel-memory label label-file link link-local-ip log-driver log-opt mac-address memory
		memory-reservation memory-swap memory-swappiness mount name net net-alias network network-alias oom-score-adj pid
		pids-limit platform publish pull restart runtime security-opt shm-size stop-signal stop-timeout storage-opt sysctl
		tmpfs ulimit user userns uts volume volume-driver volumes-from workdir`
	podmanValueFlags = `arch authfile cert-dir cgroup-conf cgroups chrootdirs conmon-pidfile creds decryption-key env-merge
		gidmap group-entry health-log-destination health-max-log-count health-max-log-size health-on-failure
		health-startup-cmd health-startup-interval health-startup-retries health-startup-success health-startup-timeout
		hostuser image-volume init-path intel-rdt-closid os passwd-entry personality pidfile pod pod-id-file preserve-fd
		preserve-fds rdt-class requires retry retry-delay sdnotify seccomp-policy secret shm-size-systemd subgidname
		subuidname systemd timeout tz uidmap umask unsetenv variant`
)

// short names of flags.
var short = map[byte]string{
	'a': "attach", 'c': "cpu-shares", 'd': "detach", 'e': "env", 'h': "hostname", 'i': "interactive", 'l': "label",
	'm': "memory", 'P': "publish-all", 'p': "publish", 'q': "quiet", 't': "tty", 'u': "user", 'v': "volume", 'w': "workdir",
}

func flagSet(d Dialect) map[string]bool {
	takes := map[string]bool{}
	add := func(names string, value bool) {
		for name := range strings.FieldsSeq(names) {
			takes[name] = value
		}
	}
	add(boolFlags, false)
	add(valueFlags, true)
	if d == Podman {
		add(podmanBoolFlags, false)
		add(podmanValueFlags, true)
	}
	return takes
}

// Command is a command line of docker run or podman run, taken apart.
type Command struct {
	// Flags are those before the image, one or two words each, without those that say where to pull from.
	Flags []Flag
	// Image is the reference as given.
	Image string
	// Args are what follows the image.
	Args []string
}

// Flag is a flag as it was written.
type Flag struct {
	Name  string // "volume", also when it was written -v
	Value string
	Words []string // how it was written
}

// Get returns the value of a flag that is given last, "" if there is none.
func (c *Command) Get(name string) string {
	value := ""
	for _, f := range c.Flags {
		if f.Name == name {
			value = f.Value
		}
	}
	return value
}

// Parse takes the words after "docker run" apart. Flags that are not known are an error.
func Parse(d Dialect, words []string) (*Command, error) {
	takes := flagSet(d)
	c := &Command{}
	for i := 0; i < len(words); i++ {
		word := words[i]
		next := func(name string) (Flag, error) {
			if i+1 == len(words) {
				return Flag{}, fmt.Errorf("flag --%s needs a value", name)
			}
			i++
			return Flag{Name: name, Value: words[i], Words: []string{word, words[i]}}, nil
		}
		var f Flag
		var err error
		switch {
		case word == "--":
			return c, c.rest(words[i+1:])
		case strings.HasPrefix(word, "--"):
			f, err = long(word, takes, next)
		case strings.HasPrefix(word, "-") && word != "-":
			f, err = shorts(word, takes, next)
		default:
			return c, c.rest(words[i:])
		}
		if err != nil {
			return nil, err
		}
		c.Flags = append(c.Flags, f)
	}
	return nil, fmt.Errorf("no image is named: write it as in %s run [flags] IMAGE [command]", d)
}

func (c *Command) rest(words []string) error {
	if len(words) == 0 || words[0] == "" {
		return fmt.Errorf("no image is named behind the flags")
	}
	c.Image, c.Args = words[0], words[1:]
	return nil
}

func long(word string, takes map[string]bool, next func(string) (Flag, error)) (Flag, error) {
	name, value, inline := strings.Cut(word[2:], "=")
	takesValue, known := takes[name]
	switch {
	case !known:
		return Flag{}, fmt.Errorf("flag --%.60s is not known here, so what is the image behind it can't be told; use the engine's own command if it may be", name)
	case inline || !takesValue:
		return Flag{Name: name, Value: value, Words: []string{word}}, nil
	}
	return next(name)
}

// shorts reads one word of short flags: "-it", "-p80:80", "-e", "A=1". Only the last of them can have a value, so the word
// is one flag, by the name of its last.
func shorts(word string, takes map[string]bool, next func(string) (Flag, error)) (Flag, error) {
	for i := 1; i < len(word); i++ {
		name, known := short[word[i]]
		if !known {
			return Flag{}, fmt.Errorf("flag -%c in %.60q is not known here; use the engine's own command if it may be", word[i], word)
		}
		rest := word[i+1:]
		switch {
		case !takes[name] && strings.HasPrefix(rest, "="), !takes[name] && rest == "":
			return Flag{Name: name, Value: strings.TrimPrefix(rest, "="), Words: []string{word}}, nil
		case !takes[name]:
			continue
		case rest == "":
			return next(name)
		}
		return Flag{Name: name, Value: strings.TrimPrefix(rest, "="), Words: []string{word}}, nil
	}
	return Flag{}, fmt.Errorf("%q is not a flag", word)
}
