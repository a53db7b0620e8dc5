-- What a person said by hand is worth more than what was imported: it is drawn more often, and is the last to leave.
ALTER TABLE samples ADD COLUMN corrected INTEGER NOT NULL DEFAULT 0 CHECK (corrected IN (0, 1));
