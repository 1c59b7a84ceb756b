# SPDX-License-Identifier: MIT
"""Whether the machine ran what was ready: a process on each CPU sleeps two milliseconds again and again, and notes when it came late."""

import contextlib
import os
import subprocess
import sys

SLEEPER = """
import os, sys, time
os.sched_setaffinity(0, [int(sys.argv[1])])
last = time.monotonic()
while True:
    time.sleep(0.002)
    now = time.monotonic()
    if now - last > float(sys.argv[2]):
        print(last, now, flush=True)
    last = now
"""


class Standstill:
    """(from, until), monotonic seconds, of each time that a CPU kept its sleeper waiting; filled when watched() is left."""

    def __init__(self, least_s):
        self.least_s = least_s
        self.times = []

    def during(self, begin, end):
        return any(begun < end and until > begin for begun, until in self.times)

    def told(self):
        longest = max((until - begun for begun, until in self.times), default=0)
        return (f"a CPU stood still for more than {self.least_s * 1000:.0f} ms {len(self.times)} times, "
                f"the longest {longest * 1000:.0f} ms")


@contextlib.contextmanager
def watched(least_s):
    still = Standstill(least_s)
    sleepers = [subprocess.Popen([sys.executable, "-B", "-c", SLEEPER, str(cpu), str(least_s)], stdout=subprocess.PIPE, text=True)
                for cpu in sorted(os.sched_getaffinity(0))]
    try:
        yield still
    finally:
        for sleeper in sleepers:
            sleeper.terminate()
            still.times += [tuple(map(float, line.split())) for line in sleeper.communicate()[0].splitlines()]
