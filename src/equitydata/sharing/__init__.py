"""What is told of a shared file: its manifest, the manifest as evidence, and the words of the command line."""
