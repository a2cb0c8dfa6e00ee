// Package rego makes lint rules of policies in Rego, evaluated by an embedded Open Policy Agent.
//
//	custom, err := rego.Load(ctx, os.DirFS("policy"), rego.Options{})
//	findings, err := lint.Run(file, append(rules.All(), custom...), lint.Config{At: now})
//
// Policies written for conftest's Dockerfile parser load unchanged, in Rego v1 and v0: rules deny, violation and warn,
// also with a suffix (deny_root), that yield a text or an object with msg, and exception rules; input is the list of
// instructions as conftest has it (https://www.conftest.dev: Cmd, SubCmd, JSON, Flags, Value, Stage), and
// data.conftest.file has the file's name and directory.
//
// Policies are as pure as other rules: functions that use network, environment, clock or chance (http.send, opa.runtime,
// net.lookup_ip_addr, time.now_ns, rand.intn, uuid.rfc4122) do not exist for them. A policy that fails or takes too long
// is a finding, of the severity of the rule: who can't answer does not allow.
//
// A rule's id is what its METADATA give as custom.id, such as "PL2001", else one made of its name. Its finding stands at
// the instruction without which the policy would not have said so, or at the file when there is none.
package rego

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// Options say how policies are read and evaluated. The zero value is useful.
type Options struct {
	// Namespaces are the packages whose rules count, such as "main". Default: all.
	Namespaces []string
	// Timeout limits the evaluation of one rule over one file. Default: 2 seconds.
	Timeout time.Duration
}

// Limits of what is read.
const (
	maxFile  = 1 << 20
	maxFiles = 1000
)

// ErrNoRules says that there are no policies, or that they have no rule that counts.
var ErrNoRules = errors.New("no rule named deny, violation or warn")

// Load reads all .rego files of a directory and below, those of tests (_test.rego) aside. The rules are in the order of
// their names. Errors name file and line.
func Load(ctx context.Context, fsys fs.FS, opts Options) ([]lint.Rule, error) {
	if opts.Timeout == 0 {
		opts.Timeout = 2 * time.Second
	}
	modules, err := read(ctx, fsys)
	if err != nil {
		return nil, err
	}
	compiler := ast.NewCompiler().WithCapabilities(capabilities()).WithEnablePrintStatements(false)
	if compiler.Compile(modules); compiler.Failed() {
		return nil, fmt.Errorf("rego: %w", compiler.Errors)
	}
	policies := collect(modules, opts)
	if len(policies) == 0 {
		return nil, fmt.Errorf("rego: %w in %d files", ErrNoRules, len(modules))
	}
	var rules []lint.Rule
	names := map[string]string{}
	for _, p := range policies {
		p.compiler, p.timeout = compiler, opts.Timeout
		rule := p.rule()
		if other := names[rule.ID]; other != "" {
			return nil, fmt.Errorf("rego: %s and %s have the same id %s: give one of them another in its METADATA, custom: {id: PL2001}", other, p.query, rule.ID)
		}
		names[rule.ID] = p.query
		rules = append(rules, rule)
	}
	return rules, nil
}

// read parses the files. Each is Rego v1, or v0 when it is not that.
func read(ctx context.Context, fsys fs.FS) (map[string]*ast.Module, error) {
	modules := map[string]*ast.Module{}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !entry.Type().IsRegular() || path.Ext(name) != ".rego" || strings.HasSuffix(name, "_test.rego"):
			return nil
		case len(modules) == maxFiles:
			return fmt.Errorf("more than %d files; is this a directory of policies?", maxFiles)
		}
		text, err := readFile(fsys, name)
		if err != nil {
			return err
		}
		modules[name], err = parse(name, text)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("rego: %w", err)
	}
	if len(modules) == 0 {
		return nil, fmt.Errorf("rego: %w: no .rego file", ErrNoRules)
	}
	return modules, nil
}

func readFile(fsys fs.FS, name string) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s: larger than %d bytes", name, maxFile)
	}
	return string(text), err
}

func parse(name, text string) (*ast.Module, error) {
	module, first := ast.ParseModuleWithOpts(name, text, ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true})
	if first == nil {
		return module, nil
	}
	module, err := ast.ParseModuleWithOpts(name, text, ast.ParserOptions{RegoVersion: ast.RegoV0, ProcessAnnotation: true})
	if err == nil {
		return module, nil
	}
	if strings.Contains(text, " contains ") && strings.Contains(text, " if ") { // it was meant as v1
		err = first
	}
	return nil, err
}

// foreign are the functions that use network, environment, clock or chance.
var foreign = []string{"http.send", "opa.runtime", "net.lookup_ip_addr", "time.now_ns", "rand.intn", "uuid.rfc4122"}

// capabilities are what policies may use.
func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.AllowNet = []string{}
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool { return slices.Contains(foreign, b.Name) })
	return c
}

// counts are the names of rules that count, as conftest has them.
var counts = regexp.MustCompile(`^(deny|violation|warn)(_[a-zA-Z0-9]+)*$`)

// collect finds the rules that count, in the order of their names.
func collect(modules map[string]*ast.Module, opts Options) []*policy {
	found := map[string]*policy{}
	for name, module := range modules {
		namespace := strings.TrimPrefix(module.Package.Path.String(), "data.")
		if len(opts.Namespaces) > 0 && !slices.Contains(opts.Namespaces, namespace) {
			continue
		}
		for _, rule := range module.Rules {
			head := rule.Head.Name.String()
			if head == "" && len(rule.Head.Reference) > 0 {
				head = rule.Head.Reference[0].Value.String()
			}
			if !counts.MatchString(head) {
				continue
			}
			query := module.Package.Path.String() + "." + head
			p := found[query]
			if p == nil {
				p = &policy{query: query, namespace: module.Package.Path.String(), name: head, file: name}
				found[query] = p
			}
			for _, a := range rule.Annotations {
				p.annotate(a)
			}
		}
	}
	var all []*policy
	for _, p := range found {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *policy) int { return strings.Compare(a.query, b.query) })
	return all
}

var idPattern = regexp.MustCompile(`^[A-Z]{2}[0-9]{4}$`)

// annotate takes over what a rule's METADATA say.
func (p *policy) annotate(a *ast.Annotations) {
	if id, ok := a.Custom["id"].(string); ok && p.id == "" && idPattern.MatchString(id) {
		p.id = id
	}
	if p.title == "" {
		p.title = a.Title
	}
	if p.description == "" {
		p.description = a.Description
	}
}

// rule is the policy as lint has it.
func (p *policy) rule() lint.Rule {
	r := lint.Rule{
		ID: p.id, Name: "rego-" + strings.ToLower(strings.NewReplacer(".", "-", "_", "-").Replace(strings.TrimPrefix(p.query, "data."))),
		Title: p.title, Group: lint.Instructions, Severity: finding.Error, Suppressible: false, Run: p.run,
		Doc: "# " + p.query + "\n\n" + p.description + "\n\nFrom " + p.file + ".\n",
	}
	if strings.HasPrefix(p.name, "warn") {
		r.Severity = finding.Warning
	}
	if r.ID == "" {
		sum := fnv.New32a()
		_, _ = sum.Write([]byte(p.query)) // a hash takes everything
		r.ID = fmt.Sprintf("RG%04d", sum.Sum32()%10_000)
	}
	if r.Title == "" {
		r.Title = "the policy " + strings.TrimPrefix(p.query, "data.") + " says no"
	}
	return r
}
