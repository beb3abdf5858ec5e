import os
import subprocess
import sys
from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest
from faulty import Faulty
from hanging import only_what_hangs_takes_long
from leased_worker import FREE, METHOD
from waiting import LONG

from pbt_core import PBT, Leased, RunError, Serial
from pbt_core.engines import limited
from pbt_core.engines.pool import Gone, Ready
from pbt_core.ledger import Ledger
from pbt_core.testing import Hill, check_decisions
from pbt_core.work import Done, Work

PROGRAM = Path(__file__).parent / "leased_worker.py"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(str(PROGRAM.parents[above]) for above in range(3))}


@pytest.mark.parametrize(
    ("what", "kind", "error"),
    [
        ("hang", "hung", f"the interval took more than {LONG} s"),
        ("die", "crashed", "3 workers died in this interval, the last with exit code 7"),
    ],
)
def test_an_interval_that_hangs_or_dies_is_ended_where_it_has_a_limit(what, kind, error, tmp_path, monkeypatch):
    """By its only worker, which goes on with the other members: nobody has to take it over."""
    only_what_hangs_takes_long(tmp_path, monkeypatch)
    task = Faulty(what=what, limit=0.05, folder=str(tmp_path))
    plan = replace(FREE, seed=2)  # by which two members begin above the limit
    run = Leased(timeout=LONG).run(task, METHOD, plan, tmp_path / "run")
    assert run.finished
    failed = [event for event in run.events if event["event"] == "failed"]
    assert failed
    assert {(event["kind"], event["error"]) for event in failed} == {(kind, error)}
    trained = {slot.member.id for slot in Ledger(run.events).slots.values() if slot.member.step == plan.steps}
    assert trained == set(range(plan.population))
    check_decisions(run.events, METHOD, task, plan)


def test_a_limit_that_is_kept_changes_nothing(tmp_path):
    """The bytes are those of the serial engine, and no folder is left."""
    Serial().run(Hill(), PBT(ready=20), FREE, tmp_path / "serial")
    Leased(timeout=LONG).run(Hill(), PBT(ready=20), FREE, tmp_path / "leased")
    assert (tmp_path / "serial" / "events.jsonl").read_bytes() == (tmp_path / "leased" / "events.jsonl").read_bytes()


class Scripted:
    """A transport whose one worker tells what the test has written."""

    def __init__(self, *news):
        self.news = deque(news)

    def start(self, worker):
        pass

    send = kill = lambda *_: None

    def poll(self, timeout):
        return [(0, self.news.popleft())]


def test_a_process_that_dies_before_it_is_ready_costs_its_member_nothing(monkeypatch):
    """However often; but where none ever begins, the run ends and says so."""

    def outcome(*news):
        monkeypatch.setattr(limited, "Pipes", lambda *_: Scripted(*news))
        return limited.LimitedBench(Hill(), None, (), LONG).carry_out(work)

    work = Work(0, 0, 10, {"lr": 0.5}, None)
    killed, done = Gone(-15), Done(work, {}, ("", 0), {})
    assert outcome(killed, killed, Ready(), killed, killed, Ready(), done) is done
    assert outcome(Ready(), killed, Ready(), killed, Ready(), killed).kind == "crashed"
    with pytest.raises(RunError, match="while they have nothing to do, the last with exit code -15"):
        outcome(*[killed] * 9)


def test_the_outcome_of_another_interval_is_passed_over(monkeypatch):
    """As of a worker that tells it twice."""
    work, before = Work(0, 10, 20, {"lr": 0.5}, None), Work(1, 0, 10, {"lr": 0.5}, None)
    done, old = Done(work, {}, ("", 0), {}), Done(before, {}, ("", 0), {})
    monkeypatch.setattr(limited, "Pipes", lambda *_: Scripted(Ready(), old, done))
    assert limited.LimitedBench(Hill(), None, (), LONG).carry_out(work) is done


def test_where_a_hung_member_cannot_be_replaced_its_worker_ends_with_a_line_that_says_so(tmp_path):
    """And with an exit code: 1, that of an error."""
    program = (
        "import sys; from pathlib import Path; from faulty import Faulty; from pbt_core import Leased, Plan\n"
        "from baselines import RandomSearch; plan = Plan(2, 20, 10, synchronous=False)\n"
        "Leased(timeout=0.5).run(Faulty(what='hang', limit=0.0, folder='.'), RandomSearch(), plan, Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(
        command, env=ENVIRONMENT, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=LONG
    )
    assert done.returncode == 1
    assert "RandomSearch cannot replace it: the interval took more than 0.5 s" in done.stderr


def test_a_task_that_cannot_be_sent_to_another_process_has_no_limit(tmp_path):
    """It is one line, before anything is written."""

    class Here(Hill):
        pass

    with pytest.raises(ValueError, match="Leased: timeout: the task cannot be sent to workers"):
        Leased(timeout=1.0).run(Here(), METHOD, FREE, tmp_path / "run")
    assert not (tmp_path / "run").exists()
