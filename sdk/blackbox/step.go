package blackbox

import "context"

// Step is one sentence that features may use. The built-in ones are [Steps]; your own go into [Options].Steps.
type Step struct {
	// Group is the heading under which the reference lists it.
	Group string
	// Expression is a Cucumber expression: "the file {string} exists". Beside Cucumber's parameters {string}, {int},
	// {float} and {word} there are {duration} ("10 seconds"), {size} ("64 MiB") and {signal} ("SIGTERM").
	Expression string
	// Doc is one or two sentences for the reference.
	Doc string
	// Example is a feature's lines that use it and pass.
	Example string
	// Kind says what it needs.
	Kind Kind
	// Takes is what must stand below the step. Default: nothing.
	Takes Argument
	// Within says that the step may also be written with "within 10 seconds" in front: it is tried until it passes.
	Within bool
	// Starts says that the step starts an instance. A scenario that starts several gets a network for them.
	Starts bool
	// Alone says that the step changes its instance, or sees what others do to it: the scenario shares no instance.
	Alone   bool
	aloneIf func(Args) bool // Alone for some arguments only
	// Func does it. Arguments that the parameters of the expression matched are in args. An error fails the scenario;
	// [Mismatch] tells expected from found.
	Func func(ctx context.Context, s *Scenario, args Args) error
}

// Kind says what a step needs.
type Kind string

// The kinds of steps. Features whose steps are all of the first two need no sandbox.
const (
	KindImage    Kind = "image"    // the image's configuration, or nothing
	KindFile     Kind = "file"     // the image's layers
	KindInstance Kind = "instance" // a sandbox
)

// Argument is what stands below a step.
type Argument string

// The arguments of steps.
const (
	TakesNothing   Argument = ""
	TakesTable     Argument = "table"
	TakesDocString Argument = "doc string"
)
