"""The origins of a backtest, several at a time: in threads of this process, or on the workers of a Dask cluster.

Either way an origin's numbers are the same on machines of one kind: seeds do not depend on where, or in which order, it
is worked on, and every model is compiled of the last origin.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import socket
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from forecast.backtesting.asking import Question
from forecast.backtesting.saying import Said, evidence_at, say
from forecast.files import InputError, Problem
from forecast.gathered import Evidence
from forecast.inference import Compiled, Settings
from forecast.parallel import each
from forecast.specification import Specification
from forecast.trees import PACKAGES
from forecast.version import PACKAGE

AT_ONCE = 2
"""Origins worked on at a time in this process: while one is simulated on one core, the other one is sampled."""
SCHEMES = ("tcp", "tls", "ws", "wss", "ucx")
"""Protocols of Dask's schedulers."""
CONNECTING = 5
"""Seconds to wait for a connection before Dask is asked."""
PATIENCE = 20
"""Seconds to wait for a scheduler, and for its first worker."""
_COMPILING = Lock()


class Task(NamedTuple):
    """One origin, as it travels to a worker.

    ``priors``: the prior file as plain values. ``last``: the last origin, which fixes the model's coordinates.
    ``key`` names prior file, last origin and its record: what is compiled for one key serves every task that has it.
    """

    key: tuple[str, str, str]
    priors: dict[str, Any]
    question: Question
    last: Question
    settings: Settings


def here(
    evidence: Sequence[Evidence], asked: Sequence[Question], settings: Settings, compiled: Compiled
) -> Generator[Said]:
    """Yield what is said at each origin, in order, from threads that share one compiled model."""

    def work(one: tuple[Evidence, Question]) -> Said:
        return say(compiled, *one, settings)

    with each(work, zip(evidence, asked, strict=True), AT_ONCE) as said:
        yield from said


def on_cluster(
    specification: Specification, asked: Sequence[Question], settings: Settings, scheduler: str
) -> Generator[Said]:
    """Yield what is said at each origin, in order; each is a task of the Dask cluster at ``scheduler``.

    A worker compiles the model once and keeps it. Raises ``InputError`` where Dask is not installed, the scheduler does
    not answer, it has no worker, or a worker does not have this version of the package.
    """
    require_scheduler(scheduler)
    from distributed import Client  # noqa: PLC0415

    try:
        _identify(scheduler)
        client = Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (
        OSError,
        ValueError,
        MemoryError,
        OverflowError,
    ) as error:  # of what others send
        what = f"no Dask scheduler answers at {scheduler!r} ({error or type(error).__name__})"
        raise InputError(Problem("--scheduler", what)) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            what = f"the cluster at {scheduler!r} has no workers; start some"
            raise InputError(Problem("--scheduler", what)) from error
        _require_same(client, scheduler)
        priors, last = specification.model_dump(), asked[-1]
        key = (specification.fingerprint, str(last.day), last.known.fingerprint)
        futures = [client.submit(remote, Task(key, priors, q, last, settings), pure=False) for q in asked]
        for future in futures:
            yield future.result()


def require_scheduler(address: str) -> None:
    """Raise ``InputError`` unless something listens at a scheduler's address: its form is checked, then the network.

    Dask itself tries for long. Addresses inside this process (``inproc://``) are left to it.
    """
    if address.startswith("inproc://"):
        _require_dask()
        return
    try:
        place = urlsplit(address)
        host, port = place.hostname, place.port
    except ValueError:  # a port that is no number, or beyond 65535; brackets that do not close
        host = port = None
    if not host or not port or place.scheme not in SCHEMES or place.path or place.query:
        what = f"{address!r} is no address of a scheduler; expected tcp://HOST:PORT, such as tcp://127.0.0.1:8786"
        raise InputError(Problem("--scheduler", what))
    _require_dask()
    try:
        socket.create_connection((host, port), timeout=CONNECTING).close()
    except (OSError, UnicodeError) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else "no such host"
        what = f"no scheduler answers at {address!r} ({reason}); is it running, and is the address right?"
        raise InputError(Problem("--scheduler", what)) from error


def _require_dask() -> None:
    try:
        import distributed  # noqa: F401, PLC0415
    except ImportError:
        what = "needs Dask, which is not installed: pip install 'enforcement-forecast[cluster]'"
        raise InputError(Problem("--scheduler", what)) from None


def _identify(address: str) -> None:
    """Ask a scheduler who it is, for a few seconds: a client waits for ever on whoever listens and says nothing."""
    from distributed.core import rpc  # noqa: PLC0415
    from distributed.security import Security  # noqa: PLC0415

    async def identity() -> None:
        arguments = Security().get_connection_args("client")
        async with rpc(address, timeout=CONNECTING, connection_args=arguments) as scheduler:
            await asyncio.wait_for(scheduler.identity(), CONNECTING)

    if not address.startswith("inproc://"):
        with ThreadPoolExecutor(1) as thread:  # a notebook has an event loop running in its own
            thread.submit(asyncio.run, identity()).result()


def _require_same(client: Any, scheduler: str) -> None:
    """Raise ``InputError`` unless every worker has this package, and what it computes with, in the same versions."""
    try:
        found = client.run(versions)
    except ModuleNotFoundError as error:
        what = f"a worker at {scheduler!r} lacks {error.name!r}: install this package there"
        raise InputError(Problem("--scheduler", what)) from error
    own = versions()
    problems = [
        Problem("--scheduler", f"the worker at {worker} has {name} {there.get(name)}, here it is {version}")
        for worker, there in sorted(found.items())
        for name, version in own.items()
        if there.get(name) != version
    ]
    if problems:
        raise InputError(problems)


def versions() -> dict[str, str]:
    """Return the versions of this package and of what its numbers come from."""
    return {package: importlib.metadata.version(package) for package in (PACKAGE, *PACKAGES)}


def remote(task: Task) -> Said:
    """Answer one task on a worker."""
    specification = Specification.model_validate(task.priors)
    with _COMPILING:
        compiled = _compiled(_Model(task))
    wider = task.last.known
    return say(compiled, evidence_at(specification, task.question, wider), task.question, task.settings)


class _Model:
    """A task, told from others by its key alone: what a compiled model is kept under."""

    def __init__(self, task: Task):
        self.task = task

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Model) and self.task.key == other.task.key

    def __hash__(self) -> int:
        return hash(self.task.key)


@lru_cache(maxsize=1)
def _compiled(model: _Model) -> Compiled:
    task = model.task
    specification = Specification.model_validate(task.priors)
    return Compiled(evidence_at(specification, task.last, task.last.known))
