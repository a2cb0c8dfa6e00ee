-- Digests and texts that come again and again are numbered; 0 is none. Times are microseconds since 1970.
CREATE TABLE digest (id BIGINT PRIMARY KEY, value BYTEA NOT NULL UNIQUE);
CREATE TABLE text (id BIGINT PRIMARY KEY, value TEXT COLLATE "C" NOT NULL UNIQUE);

-- The number of an image is that of its digest. kind: 1 manifest, 2 index.
CREATE TABLE image (
	id BIGINT PRIMARY KEY, kind SMALLINT NOT NULL, platform BIGINT NOT NULL, config BYTEA, chain BYTEA, below BYTEA, layers INTEGER NOT NULL,
	created BIGINT, owner BIGINT NOT NULL, repository BIGINT NOT NULL, revision TEXT NOT NULL, path BIGINT NOT NULL, grade SMALLINT NOT NULL,
	note BIGINT NOT NULL
);
CREATE INDEX image_config ON image (config) WHERE config IS NOT NULL;
CREATE INDEX image_unowned ON image (id) WHERE owner = 0 AND kind = 1;

CREATE TABLE child (
	manifest BIGINT NOT NULL, parent BIGINT NOT NULL, platform BIGINT NOT NULL, place INTEGER NOT NULL,
	PRIMARY KEY (manifest, parent, platform)
);
CREATE INDEX child_parent ON child (parent, place);

-- chain is the first half of a ChainID; own = 1: of all the image's layers, 0: of those below that are kept.
CREATE TABLE layer (chain BYTEA NOT NULL, own SMALLINT NOT NULL, image BIGINT NOT NULL, PRIMARY KEY (chain, own, image));

CREATE TABLE edge (
	image BIGINT NOT NULL, base BIGINT NOT NULL, role TEXT NOT NULL, grade SMALLINT NOT NULL, name BIGINT NOT NULL,
	repository BIGINT NOT NULL, source TEXT NOT NULL, at BIGINT,
	PRIMARY KEY (image, base, role, grade, name)
);
CREATE INDEX edge_base ON edge (base);
CREATE INDEX edge_named ON edge (repository) WHERE repository <> 0;

-- number orders what a tag pointed to.
CREATE TABLE tag (
	repository BIGINT NOT NULL, name TEXT COLLATE "C" NOT NULL, number BIGINT NOT NULL, digest BIGINT NOT NULL, since BIGINT, until BIGINT,
	PRIMARY KEY (repository, name, number)
);
CREATE INDEX tag_digest ON tag (digest);
CREATE INDEX tag_number ON tag (number);

CREATE TABLE inventory (image BIGINT PRIMARY KEY, distro BIGINT NOT NULL, grade SMALLINT NOT NULL, source TEXT NOT NULL);
CREATE TABLE package_set (id BIGINT PRIMARY KEY, hash BYTEA NOT NULL UNIQUE, type TEXT NOT NULL);
CREATE TABLE package (
	package_set BIGINT NOT NULL, name TEXT COLLATE "C" NOT NULL, version TEXT COLLATE "C" NOT NULL, PRIMARY KEY (name, package_set, version)
);
CREATE INDEX package_of_set ON package (package_set);
CREATE TABLE installed (package_set BIGINT NOT NULL, image BIGINT NOT NULL, PRIMARY KEY (package_set, image));
CREATE INDEX installed_image ON installed (image);

CREATE TABLE instance (
	place TEXT COLLATE "C" NOT NULL, id TEXT COLLATE "C" NOT NULL, name TEXT NOT NULL, digest BIGINT NOT NULL, since BIGINT,
	PRIMARY KEY (place, id)
);
CREATE INDEX instance_digest ON instance (digest);
CREATE TABLE mark (name TEXT COLLATE "C" PRIMARY KEY, value TEXT NOT NULL);
