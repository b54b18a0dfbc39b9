"""Statistics: arrays in, arrays out; nothing here knows a column, a file or a characteristic."""
