"""``python -m mmgl`` is the ``mmgl`` command."""

import sys

from mmgl.cli import main

sys.exit(main())
