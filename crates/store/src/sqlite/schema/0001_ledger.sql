-- Whose what is counted.
CREATE TABLE account (
    id      INTEGER PRIMARY KEY,
    measure TEXT NOT NULL,
    book    TEXT NOT NULL,
    owner   TEXT NOT NULL,
    UNIQUE (measure, book, owner)
) STRICT;

-- What was used of it in each window of time, and what is reserved. Times are seconds since 1970.
CREATE TABLE total (
    account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    starts  INTEGER NOT NULL,
    ends    INTEGER NOT NULL,
    used    INTEGER NOT NULL,
    held    INTEGER NOT NULL,
    PRIMARY KEY (account, starts, ends)
) STRICT, WITHOUT ROWID;

CREATE INDEX total_by_end ON total (ends);
