"""The sample store's schema, as numbered steps. A step that was ever released is never edited: append another."""
