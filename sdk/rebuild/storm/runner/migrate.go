package runner

import "github.com/plimsoll-dev/plimsoll/internal/database"

// lockKey is the advisory lock that dispatchers and migrations of several hosts take turns with.
const lockKey = 0x506c696d73746f72 // "Plimstor"

// migrations are applied in order, each once; what was released does not change.
var migrations = database.Migrations{Table: "storm_version", Key: lockKey, Steps: [][]string{{
	`CREATE TABLE storm_campaigns (
		id TEXT PRIMARY KEY, because TEXT NOT NULL, severity TEXT NOT NULL, priority BIGINT NOT NULL,
		state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', told BIGINT NOT NULL DEFAULT 0, round BIGINT NOT NULL DEFAULT 1,
		forgiven BIGINT NOT NULL DEFAULT 0, forgiven_of BIGINT NOT NULL DEFAULT 0,
		created BIGINT NOT NULL, not_before BIGINT NOT NULL DEFAULT 0, ended BIGINT NOT NULL DEFAULT 0)`,
	`CREATE TABLE storm_items (
		campaign TEXT NOT NULL, id TEXT NOT NULL,
		repository TEXT NOT NULL, digest TEXT NOT NULL, registry TEXT NOT NULL, team TEXT NOT NULL, definition TEXT NOT NULL,
		wave BIGINT NOT NULL, rank BIGINT NOT NULL, canary BIGINT NOT NULL DEFAULT 0, pending BIGINT NOT NULL DEFAULT 0,
		state TEXT NOT NULL, verb TEXT NOT NULL, engine TEXT NOT NULL DEFAULT '',
		run BIGINT NOT NULL DEFAULT 0, worker TEXT NOT NULL DEFAULT '',
		crashes BIGINT NOT NULL DEFAULT 0, faults BIGINT NOT NULL DEFAULT 0, not_before BIGINT NOT NULL DEFAULT 0,
		released BIGINT NOT NULL DEFAULT 0, started BIGINT NOT NULL DEFAULT 0, ended BIGINT NOT NULL DEFAULT 0,
		inputs TEXT NOT NULL DEFAULT '', making TEXT NOT NULL DEFAULT '', target TEXT NOT NULL DEFAULT '',
		result TEXT NOT NULL DEFAULT '', moved TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
		plan TEXT NOT NULL, PRIMARY KEY (campaign, id))`,
	`CREATE INDEX storm_items_state ON storm_items (state, campaign, rank)`,
	`CREATE INDEX storm_items_image ON storm_items (repository, digest)`,
	`CREATE INDEX storm_items_definition ON storm_items (definition)`,
	`CREATE INDEX storm_items_inputs ON storm_items (inputs) WHERE inputs <> ''`,
	`CREATE TABLE storm_after (campaign TEXT NOT NULL, item TEXT NOT NULL, after TEXT NOT NULL, PRIMARY KEY (campaign, after, item))`,
	`CREATE TABLE storm_workers (id TEXT PRIMARY KEY, host TEXT NOT NULL, seen BIGINT NOT NULL)`,
	`CREATE TABLE storm_cache (name TEXT PRIMARY KEY, value TEXT NOT NULL)`,
}}}
