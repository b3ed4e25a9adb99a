"""``python -m mmgl.jobs FOLDER`` is the worker of the queue in a folder."""

import sys
from pathlib import Path

from mmgl.jobs.queue import Queue

Queue(Path(sys.argv[1])).work()
