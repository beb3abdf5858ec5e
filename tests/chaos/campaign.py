"""Strike runs of every engine at random until the time is up: python tests/chaos/campaign.py [--minutes M] [--seed S].

A trial is one run that is struck several times and gone on with until it is finished. It has held if the record is that of a
run that nobody touched (synchronous), or complete with every decision following from it (asynchronous), if nothing is
left behind, and if no process ended in another way than it should. What was tried and what failed is printed as a table, and
each failure with the seed that repeats it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import psutil

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE)]

from run_one import ENGINES, METHOD, plan  # noqa: E402
from tasks import TASKS  # noqa: E402

from pbt_core import Run, Serial  # noqa: E402
from pbt_core.testing import check_decisions  # noqa: E402

#: Processes that carry one run out, started by hand.
HANDS = {"leased": 3, "leased-limited": 3}
#: Only the engine of leased workers has no synchronous mode.
MODES = {"leased": ("asynchronous",), "leased-limited": ("asynchronous",)}
MOST_STRIKES = 4
#: How a process may end that was struck: well, by our signal, or with a line that says what is wrong.
ENDS = frozenset({0, 3, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, 1})
#: Seconds after which a run that is not struck counts as stuck.
STUCK = 600.0


class Failure(Exception):
    """A promise that was not kept."""


@dataclass
class Trial:
    """One run and what is done to it."""

    engine: str
    task: str
    mode: str
    seed: int
    directory: Path
    strikes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def start(self, wrong_clock: float = 0.0, limit: int = 0) -> list[subprocess.Popen[bytes]]:
        """As many processes as it takes to carry the run out."""
        arguments = [self.directory, self.engine, self.task, self.mode, wrong_clock, limit]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT)]),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        command = [sys.executable, str(HERE / "run_one.py"), *map(str, arguments)]
        log = (self.directory.parent / "stderr").open("ab")
        with log:
            return [subprocess.Popen(command, env=environment, stderr=log) for _ in range(HANDS.get(self.engine, 1))]

    def moment(self, processes: Sequence[subprocess.Popen[bytes]]) -> bool:
        """Wait for some moment while the run goes on; False if it ended before."""
        begun = self._size()
        deadline = time.monotonic() + STUCK
        while self._size() <= begun and any(p.poll() is None for p in processes):
            if time.monotonic() > deadline:
                raise Failure("the run does not come forward")
            time.sleep(0.005)
        time.sleep(self.chance.uniform(0, 0.4))
        return any(p.poll() is None for p in processes)

    def _size(self) -> int:
        record, log = self.directory / "events.jsonl", self.directory / "log"
        return (record.stat().st_size if record.exists() else 0) + (len(list(log.iterdir())) if log.is_dir() else 0)


def family(processes: Sequence[subprocess.Popen[bytes]]) -> list[psutil.Process]:
    """All processes of a run, those that were started by hand first."""
    members: list[psutil.Process] = []
    for process in processes:
        if process.poll() is None:
            try:
                first = psutil.Process(process.pid)
                members += [first, *first.children(recursive=True)]
            except psutil.NoSuchProcess:
                continue
    return members


def wait(processes: Sequence[subprocess.Popen[bytes]], ends: Set[int] = ENDS) -> None:
    """Until all have ended, in one of the ways in which they may."""
    for process in processes:
        try:
            code = process.wait(timeout=STUCK)
        except subprocess.TimeoutExpired:
            raise Failure("the run is stuck") from None
        if code not in ends:
            raise Failure(f"a process ended with {code}")


def kill_driver(trial: Trial) -> None:
    """kill -9 of the process that was started by hand; of several, of one."""
    processes = trial.start()
    if trial.moment(processes):
        trial.chance.choice([p for p in processes if p.poll() is None] or processes).kill()
    wait(processes)


def kill_worker(trial: Trial) -> None:
    """kill -9 of any process below the driver."""
    processes = trial.start()
    if trial.moment(processes):
        below = [p for p in family(processes) if p.pid not in {q.pid for q in processes}]
        if below:
            with contextlib.suppress(psutil.NoSuchProcess):
                trial.chance.choice(below).kill()
    wait(processes)


def signalled(number: signal.Signals) -> Callable[[Trial], None]:
    """A strike by a signal that asks the program to end."""

    def strike(trial: Trial) -> None:
        processes = trial.start()
        if trial.moment(processes):
            for process in processes:
                process.send_signal(number)
        # Ray's own handler of SIGTERM ends a driver with the number of the signal.
        wait(processes, ENDS | {number} if trial.engine == "ray" else ENDS)

    return strike


def pause(trial: Trial) -> None:
    """SIGSTOP of one process for longer than a lease."""
    processes = trial.start()
    if trial.moment(processes):
        with contextlib.suppress(psutil.NoSuchProcess, IndexError):
            victim = trial.chance.choice(family(processes))
            victim.suspend()
            time.sleep(trial.chance.uniform(0.2, 1.5))
            victim.resume()
    wait(processes)


def move_clock(trial: Trial) -> None:
    """A clock an hour ahead or behind, and a kill."""
    processes = trial.start(wrong_clock=trial.chance.choice([-3600.0, 3600.0]))
    if trial.moment(processes):
        trial.chance.choice(processes).kill()
    wait(processes)


def fill_disk(trial: Trial) -> None:
    """No file may grow beyond a size, as on a full disk: the run ends with a line that says so, or goes on without it."""
    wait(trial.start(limit=trial.chance.choice([200, 600, 2000, 5000])))


def tear_timing(trial: Trial) -> None:
    """A loss of power between two runs: the end of the file of times is missing."""
    path = trial.directory / "timing.jsonl"
    if path.exists() and path.stat().st_size:
        os.truncate(path, trial.chance.randrange(path.stat().st_size))


def tear_record(trial: Trial) -> None:
    """The last line of the record is half there, as a kill in the middle of writing may leave it."""
    path = trial.directory / "events.jsonl"
    if path.exists() and not finished(trial.directory):
        content = path.read_bytes()
        last = content.rfind(b"\n", 0, max(0, len(content) - 1)) + 1
        if last:  # the first line stays
            path.write_bytes(content[: trial.chance.randrange(last, len(content))])


def flip_bit(trial: Trial) -> None:
    """One bit of any file, in a copy of the run: it is named, or it made no difference; never another result."""
    copy = trial.directory.with_name("flipped")
    shutil.copytree(trial.directory, copy, symlinks=True)
    files = [
        p
        for p in copy.rglob("*")
        if p.is_file() and p.stat().st_size and p.suffix in (".jsonl", ".json", ".safetensors")
    ]
    if files:
        path = trial.chance.choice(sorted(files))
        content = bytearray(path.read_bytes())
        place = trial.chance.randrange(len(content))
        content[place] ^= 1 << trial.chance.randrange(8)
        path.write_bytes(content)
        other = Trial(trial.engine, trial.task, trial.mode, trial.chance.getrandbits(32), copy)
        processes = other.start()
        wait(processes)
        if all(process.returncode == 0 for process in processes) and path.name != "timing.jsonl":
            judge(other)
    shutil.rmtree(copy)


STRIKES: dict[str, Callable[[Trial], None]] = {
    "kill driver": kill_driver,
    "kill worker": kill_worker,
    "SIGTERM": signalled(signal.SIGTERM),
    "SIGINT": signalled(signal.SIGINT),
    "pause": pause,
    "clock": move_clock,
    "full disk": fill_disk,
    "torn times": tear_timing,
    "torn record": tear_record,
    "flipped bit": flip_bit,
}


def finished(directory: Path) -> bool:
    """Whether the record in a folder is that of a finished run."""
    path = directory / "events.jsonl"
    return path.exists() and b'{"event":"finished"' in path.read_bytes()[-400:]


def judge(trial: Trial) -> None:
    """Failure unless the finished run is what it should be."""
    run, asked, task = Run.open(trial.directory), plan(trial.mode), TASKS[trial.task]()
    if not run.finished:
        raise Failure("the run is not finished")
    evaluated = [(e["member"], e["step"]) for e in run.events if e["event"] == "evaluated"]
    if sorted(evaluated) != [(m, s) for m in range(asked.population) for s in range(10, asked.steps + 1, 10)]:
        raise Failure("evaluations are missing, or there twice")
    if trial.mode == "synchronous":
        with tempfile.TemporaryDirectory() as name:
            whole = Serial().run(task, METHOD, asked, Path(name))
            if (whole.directory / "events.jsonl").read_bytes() != (trial.directory / "events.jsonl").read_bytes():
                raise Failure("the record is not that of a run that nobody touched")
    else:
        try:
            check_decisions(run.events, METHOD, task, asked)
        except AssertionError as error:
            raise Failure(f"a decision does not follow from the record: {error}") from None
    run.state(task)


def clean(trial: Trial) -> None:
    """Failure if something was left behind."""
    strays = [p for p in trial.directory.rglob("*") if p.suffix == ".tmp" or p.name.startswith(".")]
    if strays:
        raise Failure(f"left behind: {', '.join(p.name for p in strays)}")
    mark = str(trial.directory)
    time.sleep(0.1)
    orphans = [p.pid for p in psutil.process_iter(["cmdline"]) if mark in (p.info["cmdline"] or [])]
    if orphans:
        raise Failure(f"processes live on: {orphans}")


def run_trial(engine: str, seed: int, kinds: Sequence[str] = tuple(STRIKES)) -> tuple[Trial, str | None]:
    """One trial; what failed, if something did."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="pbt-chaos-") as name:
        task, mode = chance.choice(sorted(TASKS)), chance.choice(MODES.get(engine, ("synchronous", "asynchronous")))
        trial = Trial(engine, task, mode, seed, Path(name) / "run")
        trial.directory.mkdir()
        try:
            for _ in range(chance.randint(1, MOST_STRIKES)):
                if finished(trial.directory):
                    break
                kind = chance.choice(kinds)
                trial.strikes.append(kind)
                STRIKES[kind](trial)
            wait(trial.start())
            judge(trial)
            clean(trial)
        except Failure as failure:
            said = (Path(name) / "stderr").read_text(errors="replace").strip().splitlines()[-3:]
            return trial, f"{failure} ({'; '.join(said)})" if said else str(failure)
    return trial, None


def table(tried: Counter[tuple[str, str]], failed: Counter[tuple[str, str]]) -> str:
    """Strikes by engine: how many, and in how many of the failed trials."""
    engines = sorted({engine for engine, _ in tried})
    lines = [f"{'':14}" + "".join(f"{engine:>16}" for engine in engines)]
    for kind in STRIKES:
        cells = [f"{tried[e, kind]}" + (f" ({failed[e, kind]} failed)" if failed[e, kind] else "") for e in engines]
        lines.append(f"{kind:14}" + "".join(f"{cell:>16}" for cell in cells))
    return "\n".join(lines)


def main() -> int:
    """The campaign; 1 if a trial failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0, help="of the first trial; trial i has seed S + i")
    parser.add_argument("--trials", type=int, help="stop after so many, whatever the time")
    parser.add_argument("--engines", nargs="+", choices=tuple(ENGINES), default=list(ENGINES))
    a = parser.parse_args()
    engines = [engine for engine in a.engines if engine != "ray" or find_spec("ray")]
    if len(engines) < len(a.engines):
        print("ray is not installed: its engine is left out (pip install -c constraints.txt -e '.[cluster]')")
    end, number = time.monotonic() + 60 * a.minutes, 0
    tried: Counter[tuple[str, str]] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    failures = 0
    while time.monotonic() < end and (a.trials is None or number < a.trials):
        engine, seed = engines[number % len(engines)], a.seed + number
        trial, failure = run_trial(engine, seed)
        number += 1
        tried.update((engine, kind) for kind in trial.strikes)
        said = "held" if failure is None else f"FAILED: {failure}"
        print(f"{seed}: {engine}, {trial.task}, {trial.mode}: {', '.join(trial.strikes)}: {said}", flush=True)
        if failure is not None:
            failures += 1
            failed.update((engine, kind) for kind in set(trial.strikes))
    print(f"\n{table(tried, failed)}\n\n{number} trials, {sum(tried.values())} strikes, {failures} trials failed")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
