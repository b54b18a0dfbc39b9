"""Result -> figures: each with its message, its words and its numbers."""
