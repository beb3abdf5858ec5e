"""The cluster engine: workers are Ray's actors, on as many machines as it has. Needs ``ray`` (the extra ``cluster``).

Every worker asks Ray for its share of the machines; a population larger than what there is takes turns. Actors that die,
with their node or alone, are replaced where there is room, and their intervals done again.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pbt_core.driver import Driver
from pbt_core.engines.base import Threads, driving
from pbt_core.engines.carried import CarriedStore
from pbt_core.engines.pipes import GRACE
from pbt_core.engines.pool import Gone, Message, Pool, Ready
from pbt_core.engines.processes import Timeout, Workers
from pbt_core.engines.worker import Assignment, Worker, bench_of, outcome_of
from pbt_core.errors import RunError
from pbt_core.failures import UNKNOWN
from pbt_core.fields import Rule, checked
from pbt_core.files import write_whole
from pbt_core.journal import Observer
from pbt_core.method import Method
from pbt_core.plan import Plan
from pbt_core.run import Run
from pbt_core.store import Reference
from pbt_core.task import AnyTask
from pbt_core.values import brief, shown
from pbt_core.work import Done, Failed, Work

#: What an actor answers: an outcome, or an error that ends the run, and the checkpoint's bytes where no folder is shared.
Answer = tuple[Done | Failed | Exception, bytes | None]
#: Seconds in which a cluster must answer.
CONNECT_SECONDS = 30.0
#: What a worker may ask Ray for of one kind: Ray counts in units of 0.0001.
Amount = Annotated[float, Rule("0 or in [0.0001, 1e+06]", lambda amount: amount == 0 or 1e-4 <= amount <= 1e6)]
#: Kinds of resources that have a field, or an option of Ray's, of their own.
NAMED = {"CPU": "cpus", "GPU": "gpus"}


def place(address: str) -> tuple[str, int] | None:
    """Host and port of HOST:PORT or ray://HOST:PORT; None for Ray's own words, "auto" and "local". ValueError for all else."""
    if address in ("auto", "local"):
        return None
    location = address.removeprefix("ray://")
    parts = urlsplit(f"//{location}")
    host, port = parts.hostname, parts.port
    # What the parser has left out, such as a user, a path or a line's end, is no part of an address.
    if (
        not host
        or not port
        or not location.isprintable()
        or " " in location
        or parts.netloc != location
        or "@" in location
    ):
        raise ValueError
    if location.startswith("["):
        ipaddress.ip_address(host)
    elif not host.isascii() or not all(0 < len(label) < 64 for label in host.removesuffix(".").split(".")):
        raise ValueError
    return host, port


def _is_address(address: str) -> bool:
    try:
        place(address)
    except ValueError:
        return False
    return True


_ADDRESS = Rule("'auto', 'local', HOST:PORT or ray://HOST:PORT, with a port in [1, 65535]", _is_address)


@dataclass(frozen=True)
class Ray:
    """Ray's actors as workers; fewer than members are shared fairly.

    workers: how many (None: as many as what is asked for fits into the cluster now, at most one a member).
    cpus, gpus, resources: what each worker asks Ray for; fractions are allowed, resources are the cluster's own kinds.
    address: of a running cluster, as for ``ray.init``; None for the one that this process has joined, else a Ray of this
        machine alone, which ends with the run.
    weights: how checkpoints get to workers. "folder": through the run's, which all nodes see; "objects": through Ray's
        object store, for nodes that share nothing.
    timeout, threads: as in ``Processes``. A worker's devices are the cards that Ray lends it; it sees no others.
    """

    workers: Workers | None = None
    cpus: Amount = 1.0
    gpus: Amount = 0.0
    resources: Mapping[str, Amount] = field(default_factory=dict)
    address: Annotated[str, _ADDRESS] | None = None
    weights: Literal["folder", "objects"] = "folder"
    timeout: Timeout | None = None
    threads: Threads = 1

    def __post_init__(self) -> None:
        checked(self)
        for name in self.resources:
            if name in NAMED:
                raise ValueError(
                    f"Ray: resources = {shown(self.resources)} must not name {name}: say {NAMED[name]} instead"
                )
        if not any(self._wanted.values()):
            raise ValueError(
                "Ray: cpus, gpus or resources must be above 0: else there is no end to how many workers fit"
            )

    @property
    def _wanted(self) -> dict[str, float]:
        return {name: float(n) for name, n in {"CPU": self.cpus, "GPU": self.gpus, **self.resources}.items() if n}

    def run(
        self,
        task: AnyTask,
        method: Method,
        plan: Plan,
        directory: Path,
        observer: Observer | None = None,
        *,
        extend: bool = False,
    ) -> Run:
        """See ``Engine.run``. RunError if Ray cannot be imported or reached, or no worker fits into the cluster."""
        ray = _library()
        sent = _pickled(ray, task)
        with driving(task, method, plan, directory, observer, extend) as driver:
            if not driver.finished:
                with _joined(ray, self.address):
                    room = self._room(ray)  # for one at least, else all would wait for ever
                    count = min(self.workers or room, plan.population)
                    assignment = Assignment(
                        Worker(0, count),
                        sent,
                        driver.store.directory,
                        plan.durable,
                        plan.seed,
                        capacity=-(-plan.population // count),
                        threads=self.threads,
                        mark="",
                    )
                    Pool(driver, _Actors(ray, self, driver, assignment), count, self.timeout).run()
        return Run(driver.directory)

    def _room(self, ray: Any) -> int:
        """How many workers fit into the cluster."""
        there: dict[str, float] = ray.cluster_resources()
        room = min(int(there.get(name, 0.0) / amount) for name, amount in self._wanted.items())
        if room < 1:
            lacking = {name: n for name, n in self._wanted.items() if there.get(name, 0.0) < n}
            raise RunError(
                f"Ray: a worker wants {lacking}, of which the cluster has { ({n: there.get(n, 0.0) for n in lacking}) }"
            )
        return room


def _library() -> Any:
    """Ray, or a RunError that says how to get it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise RunError(f"Ray: {error}; pip install -c constraints.txt -e '.[cluster]'") from None
    return ray


def _pickled(ray: Any, task: AnyTask) -> bytes:
    """The task as it is sent to actors, its class too where they could not import it. ValueError if that cannot be."""
    try:
        content: bytes = ray.cloudpickle.dumps(task)
    except Exception as error:
        what = "Keep only settings in it and load data lazily, or use the serial engine"
        raise ValueError(f"Ray: the task cannot be sent to workers: {error}. {what}") from None
    return content


@contextlib.contextmanager
def _joined(ray: Any, address: str | None) -> Iterator[None]:
    """Be in a cluster for the block, unless this process had joined one before."""
    if ray.is_initialized():
        yield
        return
    where: dict[str, str | None] = {"address": address}
    if named := address or os.environ.get("RAY_ADDRESS"):
        _must_answer(named)
    else:  # without an address Ray would join whatever cluster somebody has started on this machine, and go down with it
        where = {"address": "local", "_node_ip_address": "127.0.0.1"}
    try:
        ray.init(**where, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise RunError(f"Ray: address = {address!r} cannot be joined: {error}") from None
    try:
        yield
    finally:
        ray.shutdown()


def _must_answer(address: str) -> None:
    """RunError unless somebody listens at ``address``, if it is a place: Ray ends the whole process where nobody does."""
    if not _is_address(address):  # of the environment: a declaration's is checked where it is made
        raise RunError(f"Ray: RAY_ADDRESS = {shown(address)} must be {_ADDRESS.words}")
    if (where := place(address)) is None:
        return
    try:
        socket.create_connection(where, timeout=CONNECT_SECONDS).close()
    except (OSError, UnicodeError) as error:
        raise RunError(f"Ray: address = {address!r} cannot be joined: {error}") from None


def _lent() -> list[str]:
    """The cards that Ray lends this process, by its names for them. It sees no others, and numbers them from 0."""
    import ray

    lent: dict[str, list[str]] = ray.get_runtime_context().get_accelerator_ids() if ray.is_initialized() else {}
    return lent.get("GPU", [])


class _Actor:
    """A worker's end: what ``serve`` is to a process."""

    def __init__(self, assignment: Assignment, paths: list[str], shares_folder: bool) -> None:
        sys.path.extend(path for path in paths if path not in sys.path)
        # A task's children inherit it, and with Ray's handler do not end when told to: a multiprocessing.Pool waits for ever.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._carried = None if shares_folder else CarriedStore()
        cards = tuple(f"cuda:{card}" for card in _lent())
        worker = replace(assignment.worker, devices=cards, isolated=bool(cards))
        self._bench = bench_of(replace(assignment, worker=worker), self._carried)

    def ready(self) -> bool:
        return True

    def carry_out(self, work: Work, files: Mapping[str, bytes]) -> Answer:
        if self._carried is None:
            return outcome_of(self._bench, work), None
        self._carried.files.update(files)
        try:
            outcome = outcome_of(self._bench, work)
            return outcome, self._carried.files[outcome.checkpoint.filename] if isinstance(outcome, Done) else None
        finally:  # what any worker may need is with the driver, and is sent with the interval that needs it
            self._carried.files.clear()

    def close(self) -> None:
        self._bench.close()


class _Actors:
    """The transport: actors by number, each with at most one call under way. One may have to wait for a place for ever."""

    prompt = False

    def __init__(self, ray: Any, engine: Ray, driver: Driver, assignment: Assignment) -> None:
        self._ray, self._assignment = ray, assignment
        self._store = driver.store
        self._shares = engine.weights == "folder"
        options = {"num_cpus": engine.cpus, "num_gpus": engine.gpus, "resources": dict(engine.resources)}
        self._class = ray.remote(_Actor).options(**options, max_restarts=0, max_task_retries=0)
        self._paths = [path or str(Path.cwd()) for path in sys.path]
        self._actors: dict[int, Any] = {}
        self._calls: dict[Any, int] = {}

    def start(self, worker: int) -> None:
        assignment = replace(self._assignment, worker=replace(self._assignment.worker, index=worker))
        self._actors[worker] = self._class.remote(assignment, self._paths, self._shares)
        self._calls[self._actors[worker].ready.remote()] = worker

    def send(self, worker: int, work: Work) -> None:
        files: dict[str, bytes] = {}
        if not self._shares:
            files = dict(self._content(part) for part in (work.source, work.own) if part is not None)
            if work.recycle is not None:  # a file here, which a worker elsewhere cannot write over
                self._store.remove(work.recycle)
                work = replace(work, recycle=None)
        self._calls[self._actors[worker].carry_out.remote(work, files)] = worker

    def poll(self, timeout: float | None) -> list[tuple[int, Message]]:
        heard, _ = self._ray.wait(list(self._calls), timeout=timeout)
        return [(self._calls[call], self._message(call)) for call in heard]

    def kill(self, worker: int) -> None:
        self._ray.kill(self._actors.pop(worker))
        self._calls = {call: other for call, other in self._calls.items() if other != worker}

    def close(self, orderly: bool) -> None:
        if orderly:
            closing = [
                actor.close.remote() for worker, actor in self._actors.items() if worker not in self._calls.values()
            ]
            end = time.monotonic() + GRACE
            if closing:
                self._ray.wait(closing, num_returns=len(closing), timeout=max(0.0, end - time.monotonic()))
        for worker in list(self._actors):
            self.kill(worker)

    def _message(self, call: Any) -> Message:
        worker = self._calls.pop(call)
        try:
            answer = self._ray.get(call)
        except self._ray.exceptions.RayActorError:
            return Gone(UNKNOWN)
        except self._ray.exceptions.RayError as error:
            return RunError(f"Ray: worker {worker}: {brief(str(error))}")
        if answer is True:
            return Ready()
        outcome, content = answer
        if content is not None:
            write_whole(self._store.directory / outcome.checkpoint.filename, content, self._store.durable)
        message: Message = outcome
        return message

    def _content(self, reference: Reference) -> tuple[str, bytes]:
        return reference.filename, (self._store.directory / reference.filename).read_bytes()
