-- Digests and texts that come again and again are numbered; 0 is none. Times are microseconds since 1970.
CREATE TABLE digest (id INTEGER PRIMARY KEY, value BLOB NOT NULL UNIQUE);
CREATE TABLE text (id INTEGER PRIMARY KEY, value TEXT NOT NULL UNIQUE);

-- The number of an image is that of its digest. kind: 1 manifest, 2 index.
CREATE TABLE image (
	id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, platform INTEGER NOT NULL, config BLOB, chain BLOB, below BLOB, layers INTEGER NOT NULL,
	created INTEGER, owner INTEGER NOT NULL, repository INTEGER NOT NULL, revision TEXT NOT NULL, path INTEGER NOT NULL, grade INTEGER NOT NULL,
	note INTEGER NOT NULL
);
CREATE INDEX image_config ON image (config) WHERE config IS NOT NULL;
CREATE INDEX image_unowned ON image (id) WHERE owner = 0 AND kind = 1;

CREATE TABLE child (
	manifest INTEGER NOT NULL, parent INTEGER NOT NULL, platform INTEGER NOT NULL, place INTEGER NOT NULL,
	PRIMARY KEY (manifest, parent, platform)
) WITHOUT ROWID;
CREATE INDEX child_parent ON child (parent, place);

-- chain is the first half of a ChainID; own = 1: of all the image's layers, 0: of those below that are kept.
CREATE TABLE layer (chain BLOB NOT NULL, own INTEGER NOT NULL, image INTEGER NOT NULL, PRIMARY KEY (chain, own, image)) WITHOUT ROWID;

CREATE TABLE edge (
	image INTEGER NOT NULL, base INTEGER NOT NULL, role TEXT NOT NULL, grade INTEGER NOT NULL, name INTEGER NOT NULL,
	repository INTEGER NOT NULL, source TEXT NOT NULL, at INTEGER,
	PRIMARY KEY (image, base, role, grade, name)
) WITHOUT ROWID;
CREATE INDEX edge_base ON edge (base);
CREATE INDEX edge_named ON edge (repository) WHERE repository <> 0;

-- number orders what a tag pointed to.
CREATE TABLE tag (
	repository INTEGER NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, digest INTEGER NOT NULL, since INTEGER, until INTEGER,
	PRIMARY KEY (repository, name, number)
) WITHOUT ROWID;
CREATE INDEX tag_digest ON tag (digest);
CREATE INDEX tag_number ON tag (number);

CREATE TABLE inventory (image INTEGER PRIMARY KEY, distro INTEGER NOT NULL, grade INTEGER NOT NULL, source TEXT NOT NULL);
CREATE TABLE package_set (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, type TEXT NOT NULL);
CREATE TABLE package (
	package_set INTEGER NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, PRIMARY KEY (name, package_set, version)
) WITHOUT ROWID;
CREATE INDEX package_of_set ON package (package_set);
CREATE TABLE installed (package_set INTEGER NOT NULL, image INTEGER NOT NULL, PRIMARY KEY (package_set, image)) WITHOUT ROWID;
CREATE INDEX installed_image ON installed (image);

CREATE TABLE instance (
	place TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, digest INTEGER NOT NULL, since INTEGER, PRIMARY KEY (place, id)
) WITHOUT ROWID;
CREATE INDEX instance_digest ON instance (digest);
CREATE TABLE mark (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
