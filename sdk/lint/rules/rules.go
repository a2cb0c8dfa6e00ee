// Package rules has the lint rules of Plimsoll, in six groups; README.md is their index. Each rule is a value in a file
// of its own, with its page (ID.md) beside it and its tests in testdata/ID.
//
// To run them all:
//
//	findings, err := lint.Run(file, rules.All(), lint.Config{At: now})
package rules

import (
	"embed"

	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

//go:generate go run gen.go

//go:embed DF*.md
var pages embed.FS

// All returns all rules, ordered by id, with their pages. The slice is new for each call and may be changed.
func All() []lint.Rule {
	all := []lint.Rule{
		untaggedImage,
		latestTag,
		undeclaredArgInFrom,
		baseArgWithoutDefault,
		constantPlatform,
		redundantTargetPlatform,
		stageShadowsImage,
		copyFromStageNumber,
		reservedStageName,
		stageNameCasing,
		copyFromUnknownStage,
		wholeImageCopied,
		pipeToShell,
		unverifiedDownload,
		tlsDisabled,
		verificationOffVariable,
		signatureCheckOff,
		addURLWithoutChecksum,
		addGitWithoutCommit,
		plainHTTP,
		checkSkip,
		foreignFrontend,
		unpinnedFrontend,
		badSuppression,
		expiredSuppression,
		unusedSuppression,
		hadolintIgnore,
		insecureRun,
		hostNetwork,
		hostKeyCheckOff,
		aptKey,
		unpinnedGitClone,
		extraIndexURL,
		onbuildRemoteSource,
		thirdPartyRepository,
		secretVariable,
		secretValue,
		secretLabel,
		secretFileCopied,
		credentialsInURL,
		passwordArgument,
		secretMountCopied,
		credentialsWritten,
		keyGenerated,
		rootAtEnd,
		sudo,
		setuid,
		worldWritable,
		sshServer,
		openRelay,
		userByName,
		useraddHighUID,
		passwordSet,
		passwordlessSudo,
		dangerousCapability,
		secondRoot,
		noUser,
		aptNoRecommends,
		aptYes,
		aptListsLeft,
		aptUpdateAlone,
		aptUnpinned,
		aptUpgrade,
		aptInScript,
		apkNoCache,
		apkUnpinned,
		apkUpgrade,
		rpmYes,
		rpmCacheLeft,
		rpmUnpinned,
		rpmUpgrade,
		pipNoCacheDir,
		pipUnpinned,
		lockfileNotEnforced,
		npmUnpinned,
		yarnCacheLeft,
		gemUnpinned,
		goUnpinned,
		buildToolsLeft,
		packageManagerLeft,
		debugTools,
		debianFrontendEnv,
		relativeWorkdir,
		addForLocalFiles,
		cdForWorkdir,
		repeatedInstruction,
		shellFormCommand,
		portOutOfRange,
		exposeHostPort,
		exposeProtocolCasing,
		pointlessCommand,
		pipefail,
		undefinedVariable,
		unusedStage,
		duplicateStageName,
		copyBeforeInstall,
		legacyKeyValue,
		maintainer,
		instructionCasing,
		asCasing,
		emptyContinuation,
		wgetAndCurl,
		copyDestination,
		copyRelativeDestination,
		linkBinSh,
		envSelfReference,
		labelName,
		consecutiveRun,
		chownAfterCopy,
		wgetProgress,
		unparsableScript,
		noHealthcheck,
		variableInExecForm,
		malformedExecForm,
		removedLater,
		unjudgedScript,
	}
	for i, r := range all {
		page, err := pages.ReadFile(r.ID + ".md")
		if err != nil {
			continue // lint.Validate reports a rule without page; TestRules runs it
		}
		all[i].Doc = string(page)
	}
	return all
}
