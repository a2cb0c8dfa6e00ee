package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/plimsoll-dev/plimsoll/internal/bench/compare"
)

// imageTestCase makes assertions about an image, a third of them about the output of commands.
func imageTestCase() compare.Case {
	return compare.Case{
		Name: "image-test", Doc: "assert about an image in Docker: two thirds files, one third commands",
		Unit: "assertions", Sizes: []int{20, 200},
		Setup: func(ctx context.Context, env compare.Env, size int) ([]compare.Side, func() error, error) {
			return imageTest(ctx, env, assertions(size, size/3))
		},
	}
}

// imageFilesCase asserts about files only.
func imageFilesCase() compare.Case {
	return compare.Case{
		Name: "image-files", Doc: "assert about the files of an image",
		Unit: "assertions", Sizes: []int{20, 200},
		Setup: func(ctx context.Context, env compare.Env, size int) ([]compare.Side, func() error, error) {
			return imageTest(ctx, env, assertions(size, 0))
		},
	}
}

func imageTest(ctx context.Context, env compare.Env, list []assertion) ([]compare.Side, func() error, error) {
	s, err := newSubject(ctx, env, len(list))
	if err != nil {
		return nil, nil, err
	}
	for name, text := range map[string]string{
		"shared/image.feature": feature(list, inOneInstance), "own/image.feature": feature(list, inItsOwn),
		"structure.yaml": structureTest(list), "goss.yaml": gossFile(list),
	} {
		if err := write(filepath.Join(env.Dir, name), text); err != nil {
			return nil, s.remove, err
		}
	}
	sides := []compare.Side{{Name: "docker", Kind: compare.Ours, Do: s.plimsoll("docker", filepath.Join(env.Dir, "shared"), holds(len(list)))}}
	if commands(list) > 0 {
		sides = append(sides,
			compare.Side{Name: "docker, a new instance for each command", Kind: compare.Ours, Do: s.plimsoll("docker", filepath.Join(env.Dir, "own"), holds(len(list)))},
			compare.Side{Name: "embedded", Kind: compare.Ours, Do: s.plimsoll("embedded", filepath.Join(env.Dir, "shared"), holds(len(list)))},
			compare.Side{Name: "bare requests to Docker: one container and the commands", Kind: compare.Floor, Do: s.bare(list)},
		)
	}
	return append(sides, s.structureTest(len(list)), s.dgoss(list), s.gossAlone(list)), s.remove, nil
}

// scenariosCase shows what one more scenario costs that only looks at its instance.
func scenariosCase() compare.Case {
	return compare.Case{
		Name: "image-scenarios", Doc: "scenarios of three steps that only look at an instance of one image",
		Unit: "scenarios", Sizes: []int{1, 50, 200}, Quick: 50,
		Setup: func(ctx context.Context, env compare.Env, size int) ([]compare.Side, func() error, error) {
			s, err := newSubject(ctx, env, 1)
			if err != nil {
				return nil, nil, err
			}
			var b strings.Builder
			b.WriteString("Feature: F\n")
			for i := range size {
				fmt.Fprintf(&b, "  Scenario: %d\n    When an instance is started\n    Then the instance is running\n    And the instance runs as the user 65534\n", i)
			}
			if err := write(filepath.Join(env.Dir, "features/scenarios.feature"), b.String()); err != nil {
				return nil, s.remove, err
			}
			did := fmt.Sprintf("%d scenarios passed", size)
			return []compare.Side{
				{Name: "docker", Kind: compare.Ours, Do: s.plimsoll("docker", filepath.Join(env.Dir, "features"), did)},
				{Name: "embedded", Kind: compare.Ours, Do: s.plimsoll("embedded", filepath.Join(env.Dir, "features"), did)},
				{Name: "bare requests to Docker: one container", Kind: compare.Floor, Do: func(ctx context.Context, _ int) (compare.Work, error) {
					return compare.Work{Done: did}, s.container(ctx, nil)
				}},
			}, s.remove, nil
		},
	}
}

// plimsoll runs the command as a user does. It passes only if every assertion holds.
func (s *subject) plimsoll(sandbox, features, did string) func(context.Context, int) (compare.Work, error) {
	return func(ctx context.Context, _ int) (compare.Work, error) {
		_, err := s.run(ctx, nil, s.program, "test", "--quiet", "--json", "--image", "oci:"+s.layout, "--sandbox", sandbox, features)
		return compare.Work{Done: did}, err
	}
}

func (s *subject) structureTest(n int) compare.Side {
	program, missing := compare.Program("container-structure-test")
	return compare.Side{Name: "container-structure-test", Kind: compare.Peer, Missing: missing, Do: func(ctx context.Context, _ int) (compare.Work, error) {
		out, err := s.run(ctx, nil, program, "test", "--image", s.tag, "--config", filepath.Join(s.dir, "structure.yaml"), "--output", "json", "--no-color")
		if err == nil && !strings.Contains(out, fmt.Sprintf(`"Pass":%d,"Fail":0`, n)) {
			err = fmt.Errorf("not all hold: %s", out)
		}
		return compare.Work{Done: holds(n)}, err
	}}
}

// dgoss is the script that goss comes with: it starts the image's own command, waits 0.2 seconds, and runs goss in there.
func (s *subject) dgoss(list []assertion) compare.Side {
	script, missing := compare.Program("dgoss")
	goss, none := compare.Program("goss")
	if none != "" {
		missing = none
	}
	return compare.Side{Name: "dgoss", Kind: compare.Peer, Missing: missing, Do: func(ctx context.Context, _ int) (compare.Work, error) {
		env := append(os.Environ(), "GOSS_PATH="+goss, "GOSS_FILES_PATH="+s.dir, "GOSS_OPTS=--format json")
		out, err := s.run(ctx, env, script, "run", s.tag)
		return gossDid(list, out, err)
	}}
}

// gossAlone is goss as the command of a fresh container, without the script's waiting.
func (s *subject) gossAlone(list []assertion) compare.Side {
	goss, missing := compare.Program("goss")
	return compare.Side{Name: "goss in a fresh container", Kind: compare.Peer, Missing: missing, Do: func(ctx context.Context, _ int) (compare.Work, error) {
		out, err := s.run(ctx, nil, "docker", "run", "--rm", "-v", goss+":/goss:ro", "-v", filepath.Join(s.dir, "goss.yaml")+":/goss.yaml:ro",
			s.tag, "/goss", "-g", "/goss.yaml", "validate", "--format", "json")
		return gossDid(list, out, err)
	}}
}

// gossDid reads goss's count: it counts that a file is there and what is in it, and a command's exit code and its output.
func gossDid(list []assertion, out string, err error) (compare.Work, error) {
	joined := strings.Join(strings.Fields(out), "")
	if err == nil && (!strings.Contains(joined, `"failed-count":0`) || !strings.Contains(joined, fmt.Sprintf(`"test-count":%d`, 2*len(list)))) {
		err = fmt.Errorf("not all hold: %s", out)
	}
	return compare.Work{Done: holds(len(list))}, err
}

// run runs a program and returns what it printed.
func (s *subject) run(ctx context.Context, env []string, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", filepath.Base(program), err, out)
	}
	return string(out), err
}

func write(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
