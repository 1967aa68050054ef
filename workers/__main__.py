"""`python -m workers`: the command line, where the console script is not on the path."""

from workers.cli import main

if __name__ == "__main__":
    main()
