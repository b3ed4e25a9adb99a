"""Long work in a process of its own: start it, follow it, stop it, find it again, let it wait for its turn.

A job is a folder. The process that works writes what it does there, and whoever wants to know reads it there: nothing
else connects the two, so either may end, and be started again, without the other. Imports no torch.
"""

from mmgl.jobs.follow import Follower
from mmgl.jobs.job import Job, Look, last_look
from mmgl.jobs.order import Answer, Order
from mmgl.jobs.queue import Queue, Turn
from mmgl.jobs.record import Record
from mmgl.jobs.worker import Worker

__all__ = ["Answer", "Follower", "Job", "Look", "Order", "Queue", "Record", "Turn", "Worker", "last_look"]
