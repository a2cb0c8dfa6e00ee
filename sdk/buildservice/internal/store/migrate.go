package store

import "github.com/plimsoll-dev/plimsoll/internal/database"

// lockKey is the advisory lock that dispatchers and migrations of several hosts take turns with.
const lockKey = 0x506c696d736f6c6c // "Plimsoll"

// migrations are applied in order, each once; what was released does not change.
var migrations = database.Migrations{Table: "plimsoll_version", Key: lockKey, Steps: [][]string{{
	`CREATE TABLE builds (
		id TEXT PRIMARY KEY,
		project TEXT NOT NULL, team TEXT NOT NULL, caller TEXT NOT NULL, request TEXT NOT NULL,
		repository TEXT NOT NULL, revision TEXT NOT NULL, same TEXT NOT NULL, priority BIGINT NOT NULL,
		state TEXT NOT NULL, run BIGINT NOT NULL DEFAULT 0, worker TEXT NOT NULL DEFAULT '', cancel TEXT NOT NULL DEFAULT '',
		crashes BIGINT NOT NULL DEFAULT 0, faults BIGINT NOT NULL DEFAULT 0, not_before BIGINT NOT NULL DEFAULT 0,
		created BIGINT NOT NULL, released BIGINT NOT NULL DEFAULT 0, started BIGINT NOT NULL DEFAULT 0, ended BIGINT NOT NULL DEFAULT 0,
		stage TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
		inputs TEXT NOT NULL DEFAULT '', digest TEXT NOT NULL DEFAULT '', reference TEXT NOT NULL DEFAULT '',
		trace TEXT NOT NULL DEFAULT '')`,
	`CREATE UNIQUE INDEX builds_same ON builds (same) WHERE state IN ('queued', 'released', 'running')`,
	`CREATE INDEX builds_state ON builds (state, priority, id)`,
	`CREATE INDEX builds_project ON builds (project, id)`,
	`CREATE INDEX builds_inputs ON builds (inputs) WHERE inputs <> ''`,
	`CREATE TABLE results (build TEXT PRIMARY KEY, result TEXT NOT NULL)`,
	`CREATE TABLE keys (caller TEXT NOT NULL, name TEXT NOT NULL, content TEXT NOT NULL, build TEXT NOT NULL, created BIGINT NOT NULL,
		PRIMARY KEY (caller, name))`,
	`CREATE TABLE tokens (id TEXT PRIMARY KEY, used_for TEXT NOT NULL, expires BIGINT NOT NULL)`,
	`CREATE TABLE lines (build TEXT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, stage TEXT NOT NULL, text TEXT NOT NULL,
		PRIMARY KEY (build, seq))`,
	`CREATE TABLE workers (id TEXT PRIMARY KEY, host TEXT NOT NULL, seen BIGINT NOT NULL)`,
}}}
