"""``python -m fastdis`` is the command line."""

import sys

from fastdis.cli import main

if __name__ == "__main__":
    sys.exit(main())
