"""`python -m equitydata`: the same as the command `equitydata`."""

from equitydata.cli import main

if __name__ == "__main__":
    main()
