"""``python -m bayesglmm``: the command line."""

from bayesglmm.cli import main

if __name__ == "__main__":
    main()
