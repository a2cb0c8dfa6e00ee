package blackbox

import "slices"

//go:generate go run ./internal/generate

// Steps returns the built-in steps, ordered by group. STEPS.md has them with their examples.
func Steps() []Step {
	return slices.Concat(
		setupSteps(), startSteps(),
		configSteps(), labelSteps(), historySteps(), platformSteps(),
		fileSteps(), fileModeSteps(), fileSearchSteps(), accountSteps(), programSteps(),
		packageSteps(),
		stateSteps(), userSteps(), processSteps(), portSteps(),
		requestSteps(), responseSteps(), tlsSteps(), networkSteps(),
		logSteps(), commandSteps(), outputSteps(),
		lifecycleSteps(), resourceSteps(), timeSteps(),
	)
}
