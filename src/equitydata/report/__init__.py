"""Result -> a folder that can be shared: page, rating, tables, manifest."""
