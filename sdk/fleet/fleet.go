// Package fleet finds running containers by what they stand on, and runs a remedy in each: the stop-gap between a ban and
// the day that everything is rebuilt.
//
//	inventory := fleet.NewInventory(places...)          // Docker hosts, Kubernetes clusters
//	err := inventory.Refresh(ctx)
//	selector, err := where.Compile(remedy.Where).Prepare(ctx, store) // package fleet/where: CEL, with lineage
//	runner := fleet.Runner{Inventory: inventory, Log: log}
//	transcript, err := runner.Run(ctx, fleet.Order{Remedy: remedy, Selector: selector, By: "ana@example.com"})
//
// What runs is listed by each [Place] and kept current by its events. A [Selector] says of each [Instance] whether it is
// meant, and why; where that hinges on an image of which nothing is known, the answer is unknown, the instance is listed
// as such and nothing runs in it. A [Runner] goes in waves with limits, stops at a breaker, writes every step into a
// hash-chained [audit.Log] before it takes it, and when it is run again does only what is missing.
//
// What a remedy writes into a container is gone with it, and containers that start later lack it: see [Order.Watch], and
// let the remedy expire when the rebuilt images are out.
package fleet

import (
	"context"
	"errors"
	"time"
)

// Instance is a container that runs somewhere.
type Instance struct {
	// Place is the name of the [Place] that lists it, ID its full id there: "docker://web-7", 64 hexadecimal digits.
	Place string `json:"place"`
	ID    string `json:"id"`
	Name  string `json:"name,omitempty"`
	// Host is the machine, Runtime "docker", "podman" or "kubernetes".
	Host    string `json:"host,omitempty"`
	Runtime string `json:"runtime,omitempty"`
	// Kind is "container", or for a pod's "init" and "ephemeral" ones.
	Kind string `json:"kind,omitempty"`
	// Namespace is Kubernetes', or the Compose project. Service is what several instances serve together: a Compose service
	// or Kubernetes workload; "" stands alone.
	Namespace string `json:"namespace,omitempty"`
	Service   string `json:"service,omitempty"`
	// Owner is who answers for it, from the label plimsoll.owner or org.opencontainers.image.authors.
	Owner  string            `json:"owner,omitempty"`
	Image  Image             `json:"image"`
	Labels map[string]string `json:"labels,omitempty"`
	// Ports are those that it publishes or declares.
	Ports []int `json:"ports,omitempty"`
	// Created and Started are zero where the place's list does not say; [Place.Check] fills Started.
	Created time.Time `json:"created,omitzero"`
	Started time.Time `json:"started,omitzero"`
	// Paused says that its processes are frozen.
	Paused bool `json:"paused,omitempty"`
	// PID is of the first process on its host, ReadOnly whether its root is; from [Place.Check].
	PID      int  `json:"pid,omitempty"`
	ReadOnly bool `json:"readOnly,omitempty"`
}

// Key names the instance for good: its place and id.
func (i Instance) Key() string { return i.Place + "/" + i.ID }

// Label is what people call it.
func (i Instance) Label() string {
	name := i.Name
	if name == "" {
		name = i.ID[:min(12, len(i.ID))]
	}
	return i.Place + "/" + name
}

// Image is what an instance was made of, as far as its place knows.
type Image struct {
	// Ref is as the instance's owner wrote it: "registry.example/shop/pay:1.4". It may mean something else by now.
	Ref string `json:"ref,omitempty"`
	// Digests are of its manifest, config or index, in no order: any of them identifies it.
	Digests []string `json:"digests,omitempty"`
	// Layers are the diff IDs from the bottom up, where the host still has the image: evidence for images that nobody knows.
	Layers []string `json:"-"`
}

// Place is somewhere that containers run: a Docker host or a Kubernetes context. Methods are safe for concurrent use.
type Place interface {
	// Name is short and stays the same: "docker://web-7".
	Name() string
	// List returns what runs now.
	List(ctx context.Context) ([]Instance, error)
	// Follow calls listed with what runs, and then changed for each change after that list, one call at a time, until the
	// context ends or the place can't be followed any more, which is an error. Nothing between two calls of Follow is lost to
	// who compares the lists.
	Follow(ctx context.Context, listed func([]Instance), changed func(Change)) error
	// Check returns the instance as it is now, or [ErrGone] when the very container that was listed does not run any more:
	// it has ended, or another has its name.
	Check(ctx context.Context, i Instance) (Instance, error)
	// Do takes an action on the very container that was listed. What a command says with its exit code is no error. When ctx
	// ends first, the command is killed if the place can do that; the error says whether it was.
	Do(ctx context.Context, i Instance, a Action) (Output, error)
}

// Claimer is a Place that can tell two operators' runs apart: no two runs hold the same instance.
type Claimer interface {
	// Claim takes what it can of the ids for a run, until a time. Held says of those that another run has which one it is.
	// Release gives them back.
	Claim(ctx context.Context, c Claim) (held map[string]string, release func(context.Context) error, err error)
}

// Claim is what a run wants for itself at a place.
type Claim struct {
	Run    string // the run's id
	Remedy string
	By     string
	IDs    []string
	Now    time.Time
	Until  time.Time // a claim of a run that was killed counts up to then
}

// Change is something that happened to an instance.
type Change struct {
	Ended    bool // or it started, or was changed in what it is
	Instance Instance
}

// Strategy is what is done to an instance.
type Strategy string

// The strategies. Exec and Namespaces run the remedy's command, the others need none.
const (
	// Exec has the runtime run the command in the container.
	Exec Strategy = "exec"
	// Namespaces enters the container from its host, confined as its own processes are: for images without a shell or
	// tool, with a program brought along ([Command.Program]), and for speed. The runner must be on that host, as root.
	Namespaces Strategy = "namespaces"
	// Pause freezes all processes.
	Pause Strategy = "pause"
	// Isolate takes it off all networks; connections that are open are cut.
	Isolate Strategy = "isolate"
	// Restart and Stop are what they say, with ten seconds for the processes to end by themselves.
	Restart Strategy = "restart"
	Stop    Strategy = "stop"
)

// Runs says whether the strategy runs a command.
func (s Strategy) Runs() bool { return s == Exec || s == Namespaces }

// Action is what [Place.Do] does.
type Action struct {
	Strategy Strategy
	Command  Command // for strategies that run one
}

// Command is a program to run in an instance.
type Command struct {
	// Args is the argument vector; nothing expands it.
	Args []string
	// Program is a static program on the runner's host that is run in the container's namespaces in place of the image's
	// Args[0]; for [Namespaces] only. The container gets a sealed copy in memory, never the file.
	Program string
	// User is "name", "uid", "uid:gid"; "" is the container's own.
	User string
	// Env is "NAME=value", on top of the container's.
	Env []string
	Dir string
	// Stdin is what it reads.
	Stdin []byte
	// TTY gives it a terminal; its stderr then comes with its stdout.
	TTY bool
	// Limit is how many bytes of output are kept. What is written beyond is read and thrown away.
	Limit int64
}

// Output is what came of a command.
type Output struct {
	Exit           int
	Stdout, Stderr []byte
	Truncated      bool
}

// Errors that callers tell apart. Anything else means that it is not known whether the action was taken.
var (
	// ErrGone: the very container that was listed does not run any more.
	ErrGone = errors.New("the instance is gone")
	// ErrUnreached: the place does not answer, and nothing was done.
	ErrUnreached = errors.New("the place does not answer")
	// ErrUnsupported: the strategy can't be taken here, and nothing was done: no such program in the image, a runtime that
	// can't pause.
	ErrUnsupported = errors.New("the strategy is not possible here")
	// ErrRefused: the place does not let this user do that, and nothing was done.
	ErrRefused = errors.New("refused by the place")
	// ErrUnclear: the place was lost while the action was taken; whether it was is not known.
	ErrUnclear = errors.New("not known whether it was done")
)
