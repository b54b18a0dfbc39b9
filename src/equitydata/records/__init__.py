"""All that ever sees a record: the engine is imported here alone."""
