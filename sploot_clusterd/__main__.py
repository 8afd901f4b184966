"""`python -m sploot_clusterd` is `clusterd`."""

import sys

from sploot_clusterd.cli import main

if __name__ == "__main__":
    sys.exit(main())
