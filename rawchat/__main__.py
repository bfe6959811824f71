"""`python -m rawchat`, under whatever name the folder has."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
