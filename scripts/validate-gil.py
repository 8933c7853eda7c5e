#!/usr/bin/env python3
"""Does one piece of work in N workers of real Python and prints how many items a second that gave.

Usage: validate-gil.py threading|multiprocessing|asyncio cpu|sleep WORKERS SECONDS

The works are those of xbound's kernels: cpu is a chain of calculations that never waits, as in
cpu/mix64, and sleep is sleeps of 0.5 to 1.5 ms with nothing in between, as in io/sleep_many. Together
workers do as much as they could in SECONDS with a CPU each, or as many as there are, as in a sample
of xbound; the clock runs from the first one's begin to the last one's end.
"""

import asyncio
import multiprocessing
import os
import random
import selectors
import sys
import threading
import time

MEAN_SLEEP_S = 1e-3
TURN_S = 1e-3  # after which a coroutine that computes lets the others go on, as in xbound's loop


def compute(items):
    """A chain in which no calculation can begin before the last one is done, in small integers."""
    x = 1
    for _ in range(items):
        x = (x * 1103515245 + 12345) & 0x3FFFFFFF
    return x


def naps(index, items):
    """How long to sleep each time, in seconds; drawn before the clock runs."""
    draw = random.Random(index)
    return [draw.uniform(0.5, 1.5) * MEAN_SLEEP_S for _ in range(items)]


def items_per_second_of_one():
    """Of compute(), in this interpreter and without competition: the fastest of some tries."""
    items = 20000
    fastest = float("inf")
    for _ in range(9):
        begin = time.perf_counter()
        compute(items)
        fastest = min(fastest, time.perf_counter() - begin)
    return items / fastest


# time.monotonic() is the same clock in all processes of a machine.


def pin(index, cpus):
    """Binds the calling thread to a CPU of its own, or to its turn of them, as xbound binds lanes.

    Linux may leave two processes that were woken together on one CPU for a whole reading.
    """
    os.sched_setaffinity(0, {cpus[index % len(cpus)]})


def work(kind, index, items, meet, cpus):
    """One thread's or process's share, once all have met; returns when it began and ended."""
    pin(index, cpus)
    times = naps(index, items) if kind == "sleep" else []
    meet()
    begin = time.monotonic()
    if kind == "cpu":
        compute(items)
    for seconds in times:
        time.sleep(seconds)
    return begin, time.monotonic()


def in_threads(kind, workers, items, cpus):
    barrier = threading.Barrier(workers)
    spans = []
    threads = [
        threading.Thread(target=lambda i=i: spans.append(work(kind, i, items, barrier.wait, cpus)))
        for i in range(workers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return spans


def in_processes(kind, workers, items, cpus):
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(workers)
    queue = context.SimpleQueue()
    processes = [
        context.Process(target=lambda i=i: queue.put(work(kind, i, items, barrier.wait, cpus)))
        for i in range(workers)
    ]
    for process in processes:
        process.start()
    spans = [queue.get() for _ in processes]
    for process in processes:
        process.join()
    return spans


def in_coroutines(kind, workers, items, turn):
    async def worker(times):
        begin = time.monotonic()
        if kind == "cpu":
            for done in range(0, items, turn):
                compute(min(turn, items - done))
                await asyncio.sleep(0)
        for seconds in times:
            await asyncio.sleep(seconds)
        return begin, time.monotonic()

    async def all_workers():
        times = [naps(i, items) if kind == "sleep" else [] for i in range(workers)]
        return await asyncio.gather(*(worker(t) for t in times))

    # asyncio's default, epoll, has sleeps rounded up to whole milliseconds, the length of ours:
    # the figure would be about that. select() takes microseconds.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    try:
        return loop.run_until_complete(all_workers())
    finally:
        loop.close()


def main():
    if len(sys.argv) != 5 or sys.argv[2] not in ("cpu", "sleep"):
        sys.exit(__doc__.split("\n")[2])
    model, kind, workers, seconds = sys.argv[1:3] + [int(sys.argv[3]), float(sys.argv[4])]
    rate = items_per_second_of_one() if kind == "cpu" else 1 / MEAN_SLEEP_S
    cpus = sorted(os.sched_getaffinity(0))
    at_once = min(workers, len(cpus))
    items = max(1, int(rate * seconds * at_once / workers))
    if model == "threading":
        spans = in_threads(kind, workers, items, cpus)
    elif model == "multiprocessing":
        spans = in_processes(kind, workers, items, cpus)
    elif model == "asyncio":
        pin(0, cpus)
        spans = in_coroutines(kind, workers, items, max(1, int(rate * TURN_S)))
    else:
        sys.exit(f"validate-gil.py: no model '{model}'")
    if len(spans) != workers:
        sys.exit(f"validate-gil.py: {len(spans)} of {workers} workers came to their end")
    wall = max(end for _, end in spans) - min(begin for begin, _ in spans)
    print(f"{workers * items / wall:.6g}")


if __name__ == "__main__":
    main()
