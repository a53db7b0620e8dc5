-- Runs, their rounds, what counts in a round, what was measured.
CREATE TABLE runs (
    run TEXT PRIMARY KEY,
    started_unix_s REAL NOT NULL,
    finished_unix_s REAL,
    model_sha256 TEXT NOT NULL,
    first_weights_sha256 TEXT NOT NULL,
    settings TEXT NOT NULL
) STRICT;
CREATE TABLE rounds (
    run TEXT NOT NULL REFERENCES runs (run),
    round INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'closed', 'committed')),
    invited TEXT NOT NULL,
    roster TEXT NOT NULL,
    quorum INTEGER NOT NULL,
    opened_unix_s REAL NOT NULL,
    weights_sha256 TEXT,
    cost TEXT,
    PRIMARY KEY (run, round)
) STRICT;
CREATE TABLE contributions (
    run TEXT NOT NULL,
    round INTEGER NOT NULL,
    device TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    samples INTEGER NOT NULL,
    manifest TEXT NOT NULL,
    PRIMARY KEY (run, round, device),
    FOREIGN KEY (run, round) REFERENCES rounds (run, round)
) STRICT;
CREATE TABLE metrics (
    run TEXT NOT NULL,
    round INTEGER NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (run, round),
    FOREIGN KEY (run, round) REFERENCES rounds (run, round)
) STRICT;
