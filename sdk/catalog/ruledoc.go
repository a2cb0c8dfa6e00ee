package catalog

// docs says of each rule why it is there and what to do, in a few sentences.
var docs = map[string]string{
	RuleNotListed: "Only images of the catalog's entries may be built on, copied or mounted from: by repository, and by tag, version or digest. " +
		"Use what is listed, nearest first in the finding's help, or ask the owner for an entry or an exception.",
	RuleUnresolved: "What is built must be known by digest before it is built. The reference can't be read, its tag does not exist, or its registry gave no digest. " +
		"Write it in full, and check that the tag is there.",
	RuleBanned: "A ban, or an entry with state banned, takes the image out of use, also under another tag and in another registry. " +
		"Move to the replacement that the finding names. An exception from the ban needs its approver.",
	RuleDeprecated:  "The entry is on its way out. Move to another one before its end, after which it is refused.",
	RuleRetired:     "The entry was deprecated and its last day is over. Move to an entry that is allowed.",
	RuleKind:        "The entry is for something else: a build-only image must not stand under what is delivered, and only frontends may be named by a syntax line.",
	RulePlatform:    "The entry does not list the platform that is built for. Build for the platforms that it lists, or ask its owner for more.",
	RulePinMismatch: "A reference with tag and digest is judged by its tag and built by its digest, so both must mean the same image. Pin the digest that the tag has now.",
	RuleTooYoung: "New images wait for their entry's cool-down, so that a poisoned one is found before it spreads. Use an older one, or wait. " +
		"Substitutions that are marked as security go around it.",
	RuleTooOld:       "The entry limits the age of images, so that their packages are not too old. Use a newer build of the base.",
	RuleEndOfLife:    "The publisher no longer mends the base. Move to a version that is maintained.",
	RuleMoved:        "The catalog moves the base while it is built; nothing in the repository changes. Apply the fix to make it lasting.",
	RuleMoveFailed:   "The base is to be moved, and can't be: the substitutions go round in a circle, or no word of the definition names the image.",
	RuleUnsigned:     "The entry demands a cosign signature by a key, and the image has none by it. It may be a copy without its signatures, or not the publisher's.",
	RuleBanAnnounced: "A ban will refuse the image from its date on. Move to the replacement before.",

	RuleHTTPNotListed: "ADD may download from the hosts and paths of the catalog only, and encrypted unless it says otherwise.",
	RuleHTTPUnpinned:  "A download must have a checksum, or it may be another file tomorrow: ADD --checksum=sha256:...",
	RuleGitNotListed:  "ADD may read the git repositories of the catalog only, and encrypted unless it says otherwise.",
	RuleGitUnpinned:   "A git source must name a commit by its full id: branches and tags move.",
	RuleContext:       "A named context can take the place of any stage or image, so the catalog has to allow its name, and what it stands for is judged too.",
	RuleArg:           "The catalog lists the arguments that image references may be made of. Write the value out, or ask for the argument to be listed.",
	RuleReservedArg:   "BUILDKIT_* arguments change the builder instead of the build.",

	RuleExceptionUsed:   "The image is used by an exception of the project, which ends.",
	RuleExceptionEnds:   "The exception ends soon. Move to a base of the catalog, or have it prolonged by its approver.",
	RuleExceptionEnded:  "The exception is over and has no effect. Delete it, or have it prolonged.",
	RuleExceptionUnused: "The exception was in force and nothing needed it. If nothing else of the project does, delete it.",
	RuleExceptionIdle:   "Nothing can need the exception: an entry allows the image anyway, its ban was lifted, or no tag matches. Delete it.",

	RuleNoSuchTarget:   "Everyone who is moved by the substitution is refused, because no entry allows its target. List the target.",
	RuleMatchesNothing: "No tag in the registry matches. It may be misspelled, or its images are gone.",
	RuleCatalogBroken:  "The catalog has a mistake, and no part of it is usable until it is mended.",
	RuleCatalogTest:    "A case of the catalog's tests expects another decision than the catalog makes.",
}
