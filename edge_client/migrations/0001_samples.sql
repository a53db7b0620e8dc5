-- What a device has seen and been told the meaning of. Pictures never leave this file but for the person who owns it.
CREATE TABLE samples (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    image BLOB NOT NULL CHECK (length(image) = 2025),
    label TEXT NOT NULL CHECK (label <> ''),
    writer TEXT NOT NULL,
    source TEXT NOT NULL,
    added_unix_s REAL NOT NULL
);
CREATE INDEX samples_by_label ON samples (label, id);
