-- Who called which model: what calls are summed by.
CREATE TABLE usage_of (
    id         INTEGER PRIMARY KEY,
    consumer   TEXT NOT NULL,
    team       TEXT NOT NULL,
    credential TEXT NOT NULL,
    api        TEXT NOT NULL,
    model      TEXT NOT NULL,
    provider   TEXT NOT NULL,
    target     TEXT NOT NULL,
    prompt     TEXT NOT NULL,
    tag        TEXT NOT NULL,
    UNIQUE (consumer, team, credential, api, model, provider, target, prompt, tag)
) STRICT;

-- What the calls of an hour took together: tokens, and cost in billionths of a US dollar. Hours begin in seconds since
-- 1970; `unpriced` calls are those whose cost is not known.
CREATE TABLE usage (
    hour      INTEGER NOT NULL,
    whose     INTEGER NOT NULL REFERENCES usage_of (id) ON DELETE CASCADE,
    calls     INTEGER NOT NULL,
    errors    INTEGER NOT NULL,
    unpriced  INTEGER NOT NULL,
    input     INTEGER NOT NULL,
    cached    INTEGER NOT NULL,
    output    INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    cost      INTEGER NOT NULL,
    PRIMARY KEY (hour, whose)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_by_whose ON usage (whose);
