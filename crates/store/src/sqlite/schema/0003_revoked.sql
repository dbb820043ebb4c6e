-- Tokens that are not good any more, and until when that has to be known. Times are seconds since 1970.
CREATE TABLE revoked (
    issuer TEXT NOT NULL,
    id     TEXT NOT NULL,
    until  INTEGER NOT NULL,
    PRIMARY KEY (issuer, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX revoked_by_end ON revoked (until);
