"""What waiting comes to in a fleet of processes: a simulation, beside what queueing theory says in a formula.

Nothing is run: jobs arrive at random, each in its pet's partition, and each partition's process takes them one after
the other. So it shows what follows from how partitions are shared out, on fleets that no test machine could hold.
"""

import math
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tests.bench.figure import Figure, Size

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

BUSY: Final = "share of its time that a process is busy"
_JOB_MS: Final = 1.0
"""What a job takes, on average: about what `jobs` measures on a slow machine. All else grows with it."""
_SPREAD: Final = 0.7
"""Standard deviation of that, by its mean: most jobs bring an image, some make their album be grouped anew."""
_LOADS: Final = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
_PROCESSES: Final = 8
_PARTITIONS: Final = 64
_PETS: Final = 200_000
_AWAY_S: Final = 5.0
"""How long a lost process' partitions stand still: its leases."""
_FAILOVER_S: Final = 20.0
"""How long a Redis Cluster with its default node timeout takes to put a replica in a dead primary's place."""
_LOAD: Final = 0.5
"""Of all processes, when one or a shard is lost: as docs/performance.md advises."""


def queueing(size: Size) -> list[Figure]:
    return [*_lags(size), *_lost(size), *_failover(size), *_hot(size)]


def _lags(size: Size) -> list[Figure]:
    """How long a job waits until its process begins with it. The mean is beside Pollaczek's and Khinchine's formula:
    with load r it is r / (1 - r) times half a job's time times 1 + spread^2 (Kleinrock, "Queueing Systems", volume 1,
    1975, section 5.6).
    """
    figures = []
    for load in _LOADS:
        waits = [_waits(*_jobs(size.jobs * 20, load, seed)) for seed in range(size.repeats)]
        formula = load / (1.0 - load) * _JOB_MS / 2.0 * (1.0 + _SPREAD**2)
        means = [float(each.mean()) for each in waits]
        name = f"wait for a process that is busy {load:.0%} of its time"
        figures.append(Figure(f"{name}, mean", "ms", means, [formula] * len(means), over=BUSY, at=load))
        longest = [float(np.quantile(each, 0.99)) for each in waits]
        figures.append(Figure(f"{name}, p99", "ms", longest))
    return figures


def _lost(size: Size) -> list[Figure]:
    """A process is gone for good: its partitions wait for the others, which share out what waited, and then have more
    to do. It takes them what waited over what they have to spare.
    """
    load, others = _LOAD * _PROCESSES / (_PROCESSES - 1), _PROCESSES - 1
    share = _LOAD / others
    found = [_caught_up(_AWAY_S, load, seed, share=share) for seed in range(size.repeats)]
    formula = [_AWAY_S * share / (1.0 - load)] * len(found)
    return [Figure(f"a process of {_PROCESSES} lost: caught up after", "s", found, formula)]


def _failover(size: Size) -> list[Figure]:
    """A shard stands still, and then a process that has only its partitions works off what came meanwhile."""
    found = [_caught_up(_FAILOVER_S, _LOAD, seed, share=_LOAD) for seed in range(size.repeats)]
    formula = [_FAILOVER_S * _LOAD / (1.0 - _LOAD)] * len(found)
    return [Figure(f"a shard of Redis away for {_FAILOVER_S:.0f} s: caught up after", "s", found, formula)]


def _hot(size: Size) -> list[Figure]:
    """How much more than its share the busiest process has, where some pets have far more photos than others."""
    return [
        Figure(
            f"{pets:,} pets by Zipf's law, exponent {exponent:g}: busiest of {_PROCESSES} processes, beside the mean",
            "times",
            [_busiest(pets, exponent, seed) for seed in range(size.repeats)],
            [1.0] * size.repeats,
        )
        for pets, exponent in ((_PETS, 0.0), (_PETS, 0.8), (_PETS, 1.0), (500, 0.0), (5, 0.0))
    ]


def _jobs(count: int, load: float, seed: int) -> tuple[Doubles, Doubles]:
    """When jobs arrive for one process, and how long each takes, in ms."""
    random = np.random.default_rng(seed)
    return np.cumsum(random.exponential(_JOB_MS / load, count)), _times(random, count)


def _times(random: np.random.Generator, count: int) -> Doubles:
    """Gamma, with the mean and the spread above."""
    shape = _SPREAD**-2
    return random.gamma(shape, _JOB_MS / shape, count)


def _waits(arrivals: Doubles, times: Doubles) -> Doubles:
    """How long each job waits for its process: Lindley's recursion, of which the running maximum is the closed form."""
    ahead = arrivals - np.concatenate(([0.0], np.cumsum(times)[:-1]))
    return np.asarray(np.maximum.accumulate(ahead) - ahead)


def _caught_up(seconds: float, load: float, seed: int, *, share: float = 1.0) -> float:
    """Seconds until a process of that load has nothing left of what arrived for it in so many `seconds` before, of
    which it got a `share`.
    """
    random = np.random.default_rng(seed)
    waiting = float(_times(random, random.poisson(share * seconds * 1000 / _JOB_MS)).sum())
    arrivals, times = _jobs(int(waiting / _JOB_MS / (1.0 - load) * 4 * load) + 1000, load, seed)
    left = waiting + np.cumsum(times) - arrivals  # when a job has arrived: of it and all before it
    idle = np.flatnonzero(left <= times)
    at = int(idle[0])
    return float(waiting + times[:at].sum()) / 1000


def _busiest(pets: int, exponent: float, seed: int) -> float:
    """Its share of all jobs, by the mean share."""
    partitions = np.array([crc32(f"pet_{seed}_{pet}".encode()) % _PARTITIONS for pet in range(pets)])
    jobs = np.arange(1.0, pets + 1.0) ** -exponent
    return float(_shares(partitions, jobs).max() * _PROCESSES)


def _shares(partitions: Ints, jobs: Doubles) -> Doubles:
    """Each process' share of all jobs, where each has as many partitions."""
    of_partition = np.bincount(partitions, jobs, minlength=_PARTITIONS)
    of_process = of_partition.reshape(_PROCESSES, -1).sum(axis=1)
    return np.asarray(of_process / math.fsum(of_partition))
