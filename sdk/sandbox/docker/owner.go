package docker

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"time"
)

// ownerLabel marks containers, their volumes and networks, repository marks images, both with the text of an owner.
const (
	ownerLabel = "dev.plimsoll.sandbox.owner"
	repository = "localhost/plimsoll-sandbox"
)

// lease is how long networks and images may be used from another machine than the one that would sweep them; containers
// have their own, because their life is limited.
const lease = 24 * time.Hour

// owner says which runtime something belongs to.
type owner struct {
	machine string // a hash of what is this machine's own; process ids mean something on it only
	pid     int
	start   uint64 // when that process started, as the machine counts it; 0 where that is not known
	session string // of the runtime in its process

	now func() time.Time // the daemon's time
}

func newOwner(daemonTime string) (owner, error) {
	told, err := time.Parse(time.RFC3339Nano, daemonTime)
	if err != nil {
		return owner{}, fmt.Errorf("the daemon's time: %w", err)
	}
	began := time.Now() //nolint:forbidigo // only how long ago the daemon told its time
	machine, err := machine()
	if err != nil {
		return owner{}, fmt.Errorf("tell this machine from others: %w", err)
	}
	sum := sha256.Sum256([]byte(machine))
	pid := os.Getpid()
	start, _ := processStart(pid)
	return owner{
		machine: hex.EncodeToString(sum[:6]), pid: pid, start: start, session: strings.ToLower(rand.Text()[:8]),
		now: func() time.Time { return told.Add(time.Since(began)) },
	}, nil
}

// mark is the owner as text, with the end of a lease. It is a valid tag of an image and a valid part of a name.
func (o *owner) mark(lease time.Duration) string {
	return fmt.Sprintf("%s-%d-%d-%d-%s", o.machine, o.pid, o.start, o.now().Add(lease).Unix(), o.session)
}

// stale says whether nobody uses any more what has the mark. What has another form is not ours to judge.
func (o *owner) stale(mark string) bool {
	var other owner
	var end int64
	if _, err := fmt.Sscanf(strings.ReplaceAll(mark, "-", " "), "%s %d %d %d", &other.machine, &other.pid, &other.start, &end); err != nil {
		return false
	}
	if o.now().Unix() > end {
		return true
	}
	if other.machine != o.machine {
		return false
	}
	start, alive := processStart(other.pid)
	return !alive || start != other.start
}
