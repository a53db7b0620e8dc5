-- Which devices failed last, and until when they rest; as they were when the round was closed.
ALTER TABLE rounds ADD COLUMN rests TEXT;
