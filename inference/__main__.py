"""`python -m inference`: sizes models without a cloud account."""

import sys

from inference.command import main

if __name__ == "__main__":
    sys.exit(main())
