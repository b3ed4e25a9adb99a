"""Work done aside while Slicer keeps Python's lock, as it does whenever it waits for events."""

import ctypes
import sys
import threading
import time
import unittest

from bench import BenchTest, on_bench_only

from MMGLLib.aside import RunWithAside

TIMES = 300
"""How often the work lets go of the lock, as each access to a file does."""


class Working(RunWithAside):
    """A run that does one thing aside."""

    def work(self):
        done = yield from self.aside(lambda: [time.sleep(0.0005) for _ in range(TIMES)])
        return {"event": "done", "count": len(done)}


@on_bench_only
@unittest.skipIf(sys.platform == "win32", "holds the lock by a call of POSIX")
class AsideTest(BenchTest):
    def test_each_look_lets_it_go_on_and_none_for_long(self):
        keeping_the_lock = ctypes.PyDLL(None)
        run, looks = Working(), 0
        while not run.poll():
            looks += 1
            self.assertTrue(run.hurries)
            keeping_the_lock.usleep(2000)  # events of Qt
        self.assertEqual(run.last["count"], TIMES)
        self.assertLess(looks, TIMES / 3)  # about 10; without being let go on it is as many as TIMES
        self.assertFalse(run.hurries)

    def test_a_slot_may_wait_for_a_moment_and_not_longer(self):
        from bench import faults

        thread = threading.Thread(target=time.sleep, args=[0.2])
        thread.start()
        with faults.slot("test"):
            thread.join(faults.MOMENT)
        faults.raise_first()
        with faults.slot("test"):
            thread.join(0.1)
        with self.assertRaisesRegex(AssertionError, "Thread.join"):
            faults.raise_first()
        thread.join()
