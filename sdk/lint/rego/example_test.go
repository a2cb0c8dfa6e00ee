package rego_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rego"
)

// A policy that conftest takes is a lint rule.
func Example() {
	policies := fstest.MapFS{"base.rego": {Data: []byte(`package main

# METADATA
# title: old base
# custom:
#   id: PL2001
deny contains msg if {
	input[i].Cmd == "from"
	contains(input[i].Value[0], "openjdk")
	msg := sprintf("use temurin instead of %s", [input[i].Value[0]])
}
`)}}
	rules, err := rego.Load(context.Background(), policies, rego.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err := definition.Parse("Dockerfile", []byte("FROM debian:12 AS a\nFROM openjdk:8\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	findings, err := lint.Run(file, rules, lint.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range findings {
		fmt.Println(f)
	}
	// Output:
	// Dockerfile:2:1: error: use temurin instead of openjdk:8 (PL2001)
}
