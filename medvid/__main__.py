"""`python -m medvid`: the command line."""

from medvid.cli.main import main

if __name__ == "__main__":
    main()
