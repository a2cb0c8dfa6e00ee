package fleet

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Remedy is what is to be done, and to what. It is a value to write in Go, or a YAML file for [Parse].
type Remedy struct {
	// Name is what people call it: "libssl-3.0.14".
	Name string `json:"remedy"`
	// Reason says why; Campaign and Ticket where more is written.
	Reason   string `json:"reason,omitempty"`
	Campaign string `json:"campaign,omitempty"`
	Ticket   string `json:"ticket,omitempty"`
	// Where is the condition, for package fleet/where.
	Where string `json:"where"`
	// Strategies are tried in this order: the next one where the one before is not possible. Default exec.
	Strategies []Strategy `json:"strategies,omitempty"`
	// Run is the command, an argument vector that nothing expands. Script is given to a shell of the image instead
	// (/bin/sh -eu), on purpose: it expands whatever is in it.
	Run    []string `json:"run,omitempty"`
	Script string   `json:"script,omitempty"`
	// Program is a static program on the machine of the runner that takes the place of Run[0], for strategy namespaces.
	Program string            `json:"program,omitempty"`
	User    string            `json:"user,omitempty"`
	Dir     string            `json:"dir,omitempty"`
	TTY     bool              `json:"tty,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
	// Secrets are names of variables that the command gets as well, with values that are in no file and no transcript:
	// [Order.Secrets].
	Secrets []string `json:"secrets,omitempty"`
	// Timeout is for the command and each that follows it in one instance. Default 30 s.
	Timeout Duration `json:"timeout,omitempty"`
	// Output is how many bytes of a command's output are kept. Default 64 KiB, at most 512 KiB.
	Output int64 `json:"output,omitempty"`
	// Expect is what the command must say. Default exit code 0.
	Expect Expect `json:"expect,omitzero"`
	// Verify proves afterwards that it worked.
	Verify *Step `json:"verify,omitempty"`
	// Undo takes it back: where the command or the verification failed, and with [Remedy.Undoing] wherever it was done.
	Undo *Step `json:"undo,omitempty"`
	// Expires ends the remedy's force. Watching needs it.
	Expires time.Time `json:"expires,omitzero"`
	// Approval says that a second person must approve.
	Approval bool   `json:"approval,omitempty"`
	Limits   Limits `json:"limits,omitzero"`
}

// Step is a further command of a remedy. It runs as the remedy's own command does, unless it says otherwise.
type Step struct {
	Run     []string `json:"run,omitempty"`
	Script  string   `json:"script,omitempty"`
	Program string   `json:"program,omitempty"`
	User    string   `json:"user,omitempty"`
	Expect  Expect   `json:"expect,omitzero"`
}

// Expect is what a command must say.
type Expect struct {
	// Exit are the exit codes that are right. Default 0.
	Exit []int `json:"exit,omitempty"`
	// Stdout is a regular expression that must match in its output.
	Stdout string `json:"stdout,omitempty"`
}

// check says what is wrong with an output, "" if nothing is.
func (e Expect) check(out Output) string {
	codes := e.Exit
	if len(codes) == 0 {
		codes = []int{0}
	}
	if !slices.Contains(codes, out.Exit) {
		return fmt.Sprintf("exit code %d", out.Exit)
	}
	if e.Stdout == "" {
		return ""
	}
	if ok, err := regexp.Match(e.Stdout, out.Stdout); err != nil || !ok {
		return fmt.Sprintf("its output does not match %q", e.Stdout)
	}
	return ""
}

// Limits keep a remedy from becoming the outage.
type Limits struct {
	// Canary is how many instances come first; nothing follows where one of them fails. Default one.
	Canary Share `json:"canary,omitempty"`
	// Wave is how many come in each wave after that. Default 100 percent.
	Wave Share `json:"wave,omitempty"`
	// Pause is between waves.
	Pause Duration `json:"pause,omitempty"`
	// Parallel is how many instances at a time. Default 20. PerHost default 4, PerService default 1.
	Parallel   int `json:"parallel,omitempty"`
	PerHost    int `json:"perHost,omitempty"`
	PerService int `json:"perService,omitempty"`
	// Failures is how many failed instances stop the run: a number, or a share of all. Default 5 percent, and at least 3.
	Failures Share `json:"failures,omitempty"`
}

// Share is a number, or a part of all: "3", "5%".
type Share string

// of is how many of all a share is: at least one. An empty share is fallback.
func (s Share) of(all, fallback int) (int, error) {
	if s == "" {
		return fallback, nil
	}
	text, percent := strings.CutSuffix(string(s), "%")
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n > 0) || percent && n > 100 || !percent && n != math.Trunc(n) || n > math.MaxInt32 {
		return 0, fmt.Errorf("%q is neither a number above 0 nor a share such as \"5%%\"", string(s))
	}
	if percent {
		n = math.Ceil(n / 100 * float64(all))
	}
	return max(1, int(n)), nil
}

// UnmarshalJSON also takes a bare number.
func (s *Share) UnmarshalJSON(text []byte) error {
	*s = Share(strings.Trim(string(text), `"`))
	return nil
}

// Duration is a [time.Duration] that is written as "30s".
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// maxRemedy is how long a remedy's file may be: a person wrote it.
const maxRemedy = 1 << 20

// Parse reads a remedy from YAML, and checks it. Members that it does not know are errors, so that nothing that was
// meant to be careful is overlooked.
func Parse(name string, text []byte) (Remedy, error) {
	var r Remedy
	if len(text) > maxRemedy {
		return r, fmt.Errorf("%s: %d bytes are no remedy", name, len(text))
	}
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return r, fmt.Errorf("%s: %w", name, err)
	}
	asJSON, err := json.Marshal(tree)
	if err != nil {
		return r, fmt.Errorf("%s: %w", name, err)
	}
	d := json.NewDecoder(bytes.NewReader(asJSON))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, fmt.Errorf("%s: %w", name, err)
	}
	if err := r.Validate(); err != nil {
		return r, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}

// Validate says what a remedy lacks. It does not read the condition.
func (r Remedy) Validate() error {
	var errs []error
	complain := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if r.Name == "" {
		complain("remedy: it has no name")
	}
	if strings.TrimSpace(r.Where) == "" {
		complain(`where: the condition is missing; "true" means everything`)
	}
	runs := false
	for _, s := range r.strategies() {
		if !slices.Contains([]Strategy{Exec, Namespaces, Pause, Isolate, Restart, Stop}, s) {
			complain("strategies: %q is none of exec, namespaces, pause, isolate, restart, stop", s)
		}
		runs = runs || s.Runs()
	}
	if runs {
		errs = append(errs, step("", Step{Run: r.Run, Script: r.Script, Program: r.Program, Expect: r.Expect}))
	} else if len(r.Run) > 0 || r.Script != "" {
		complain("run: none of the strategies %s runs a command", r.strategies())
	}
	if r.Program != "" && !slices.Contains(r.strategies(), Namespaces) {
		complain("program: only strategy namespaces can bring one along")
	}
	if r.Verify != nil {
		errs = append(errs, step("verify.", *r.Verify))
	}
	if r.Undo != nil {
		errs = append(errs, step("undo.", *r.Undo))
	}
	if r.Timeout < 0 {
		complain("timeout: %s is below 0", time.Duration(r.Timeout))
	}
	if r.Output < 0 || r.Output > 512<<10 {
		complain("output: %d bytes; 1 to %d can be kept", r.Output, 512<<10)
	}
	for name, s := range map[string]Share{"canary": r.Limits.Canary, "wave": r.Limits.Wave, "failures": r.Limits.Failures} {
		if _, err := s.of(1, 1); err != nil {
			complain("limits.%s: %w", name, err)
		}
	}
	if r.Limits.Parallel < 0 || r.Limits.PerHost < 0 || r.Limits.PerService < 0 {
		complain("limits: a number is below 0")
	}
	return errors.Join(errs...)
}

func step(place string, s Step) error {
	switch {
	case len(s.Run) == 0 && s.Script == "":
		return fmt.Errorf("%srun: there is no command", place)
	case len(s.Run) > 0 && s.Script != "":
		return fmt.Errorf("%sscript: there is a command already; one of run and script", place)
	case s.Script != "" && s.Program != "":
		return fmt.Errorf("%sscript: a program that is brought along gets arguments in run", place)
	}
	if _, err := regexp.Compile(s.Expect.Stdout); err != nil {
		return fmt.Errorf("%sexpect.stdout: %w", place, err)
	}
	return nil
}

func (r Remedy) strategies() []Strategy {
	if len(r.Strategies) == 0 {
		return []Strategy{Exec}
	}
	return r.Strategies
}

// Digest identifies the remedy by all that it says: one that was changed is another.
func (r Remedy) Digest() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // it has nothing that can't be written
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Undoing is the remedy that takes this one back, where the same condition holds.
func (r Remedy) Undoing() (Remedy, error) {
	if r.Undo == nil {
		return r, fmt.Errorf("remedy %s says not how to undo it", r.Name)
	}
	u := r
	u.Name = "undo " + r.Name
	u.Run, u.Script, u.Program, u.Expect = r.Undo.Run, r.Undo.Script, r.Undo.Program, r.Undo.Expect
	u.User = cmp.Or(r.Undo.User, r.User)
	u.Verify, u.Undo, u.Expires = nil, nil, time.Time{}
	u.Strategies = slices.DeleteFunc(slices.Clone(r.strategies()), func(s Strategy) bool { return !s.Runs() })
	return u, u.Validate()
}

// command is a step's, with what it has of its remedy.
func (r Remedy) command(s Step, secrets map[string]string) Command {
	c := Command{Args: s.Run, Program: s.Program, User: cmp.Or(s.User, r.User), Dir: r.Dir, TTY: r.TTY, Limit: cmp.Or(r.Output, 64<<10)}
	if s.Script != "" {
		c.Args, c.Stdin = []string{"/bin/sh", "-eu"}, []byte(s.Script)
		if r.TTY { // a terminal would echo the script
			c.Args, c.Stdin = []string{"/bin/sh", "-euc", s.Script}, nil
		}
	}
	for name, value := range r.Env {
		c.Env = append(c.Env, name+"="+value)
	}
	for _, name := range r.Secrets {
		c.Env = append(c.Env, name+"="+secrets[name])
	}
	slices.Sort(c.Env)
	return c
}

func (r Remedy) timeout() time.Duration {
	return cmp.Or(time.Duration(r.Timeout), 30*time.Second)
}
