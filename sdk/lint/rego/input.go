package rego

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
)

// command is one element of the input, as conftest's parser for Dockerfiles makes it
// (https://github.com/open-policy-agent/conftest, parser/docker).
type command struct {
	Cmd, SubCmd string
	JSON        bool
	Flags       []string
	Value       []string
	Stage       int

	instruction *definition.Instruction // nil for a comment
}

// commandsOf lists the instructions of a file, comments before each among them.
func commandsOf(file *definition.File) []command {
	var all []command
	stage := 0
	for _, in := range file.Instructions {
		if in.Stage != nil {
			stage = in.Stage.Index
		}
		for _, comment := range in.Node.PrevComment {
			all = append(all, command{Cmd: "comment", Stage: stage, Value: []string{comment}})
		}
		node := in.Node
		c := command{Cmd: in.Name, Flags: node.Flags, Stage: stage, instruction: in}
		if node.Next != nil && len(node.Next.Children) > 0 {
			c.SubCmd = node.Next.Children[0].Value
			node = node.Next.Children[0]
		}
		c.JSON = node.Attributes["json"]
		for n := node.Next; n != nil; n = n.Next {
			c.Value = append(c.Value, n.Value)
		}
		all = append(all, c)
	}
	return all
}

// inputOf is the input of a policy. The command at blank is one that says nothing.
func inputOf(commands []command, blank int) ast.Value {
	terms := make([]*ast.Term, len(commands))
	for i, c := range commands {
		if i == blank {
			c = command{Stage: c.Stage}
		}
		terms[i] = ast.ObjectTerm(
			ast.Item(ast.InternedTerm("Cmd"), ast.StringTerm(c.Cmd)),
			ast.Item(ast.InternedTerm("SubCmd"), ast.StringTerm(c.SubCmd)),
			ast.Item(ast.InternedTerm("JSON"), ast.BooleanTerm(c.JSON)),
			ast.Item(ast.InternedTerm("Flags"), texts(c.Flags)),
			ast.Item(ast.InternedTerm("Value"), texts(c.Value)),
			ast.Item(ast.InternedTerm("Stage"), ast.IntNumberTerm(c.Stage)),
		)
	}
	return ast.NewArray(terms...)
}

func texts(values []string) *ast.Term {
	if values == nil {
		return ast.NullTerm() // as JSON has a nil list
	}
	terms := make([]*ast.Term, len(values))
	for i, v := range values {
		terms[i] = ast.StringTerm(v)
	}
	return ast.ArrayTerm(terms...)
}
