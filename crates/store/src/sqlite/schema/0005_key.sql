-- Keys that callers were given at run time. A key is known by its SHA-256 alone (`hash`; `before` is that of the one it
-- replaced, good up to `before_until`), `begins` is how it begins, and `terms` is JSON. Times are seconds since 1970.
CREATE TABLE key (
    id           TEXT PRIMARY KEY,
    consumer     TEXT NOT NULL,
    name         TEXT NOT NULL,
    hash         BLOB NOT NULL UNIQUE,
    begins       TEXT NOT NULL,
    before       BLOB,
    before_until INTEGER,
    terms        TEXT NOT NULL,
    enabled      INTEGER NOT NULL,
    expires      INTEGER,
    created      INTEGER NOT NULL,
    rotated      INTEGER,
    UNIQUE (consumer, name)
) STRICT, WITHOUT ROWID;

-- When a credential was last shown: one of the configuration, by what it is (`kind`), or a key of run time.
CREATE TABLE used (
    consumer   TEXT NOT NULL,
    kind       TEXT NOT NULL,
    credential TEXT NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (consumer, kind, credential)
) STRICT, WITHOUT ROWID;
