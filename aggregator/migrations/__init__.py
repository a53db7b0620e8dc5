"""The steps of the database's schema, see `shared.migrations`. A released one is never edited: append another."""
