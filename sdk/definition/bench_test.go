package definition_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
)

// BenchmarkParse compares Parse with BuildKit's parser alone and with its parser and checks of instructions.
func BenchmarkParse(b *testing.B) {
	names, err := filepath.Glob("testdata/parse/*.Dockerfile")
	if err != nil || len(names) == 0 {
		b.Fatalf("no files: %v", err)
	}
	var files [][]byte
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		files = append(files, src)
	}
	for name, parse := range map[string]func([]byte) error{
		"BuildKit's parser":            func(src []byte) error { _, err := parser.Parse(bytes.NewReader(src)); return err },
		"BuildKit's parser and checks": buildkitAccepts,
		"Parse":                        func(src []byte) error { _, err := definition.Parse("Dockerfile", src); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, src := range files {
					if err := parse(src); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
