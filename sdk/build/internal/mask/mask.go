// Package mask keeps secrets out of logs and errors.
package mask

import "strings"

// minSecret is the length of a secret, or a line of one, from which on it is worth hiding: shorter ones would hide
// ordinary words and tell by that what they are.
const minSecret = 4

// Secrets hides what a step should not have printed.
func Secrets(secrets map[string][]byte) *strings.Replacer {
	var pairs []string
	for _, value := range secrets {
		for line := range strings.Lines(string(value)) {
			if line = strings.TrimSpace(line); len(line) >= minSecret {
				pairs = append(pairs, line, "***")
			}
		}
	}
	return strings.NewReplacer(pairs...)
}
