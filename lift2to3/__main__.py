"""``python -m lift2to3`` is the command line."""

import sys

from lift2to3.cli import main

sys.exit(main())
