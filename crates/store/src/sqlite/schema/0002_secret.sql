-- Sealed secrets: what is in `envelope` only the key whose id is in `key` opens. Times are seconds since 1970.
CREATE TABLE secret (
    name     TEXT PRIMARY KEY,
    envelope BLOB NOT NULL,
    key      TEXT NOT NULL,
    created  INTEGER NOT NULL,
    replaced INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
