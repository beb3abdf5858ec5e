"""Any Gymnasium environment as a problem: what is seen, what is done, and that it is learned."""

import runpy
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from pbt_core import PBT, Plan, Serial, Stream, Truncation
from pbt_core.testing import check_task
from reproductions.shared.rl.environments import Array, Composite, Discrete, Resumable
from reproductions.shared.rl.gym import GymnasiumEnvironments, GymnasiumTask
from reproductions.suite.study.registry import ConfigError

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "gymnasium_env.py"
H = {"lr": 2e-3, "entropy_cost": 0.01}


class Diary(gymnasium.Env):
    """Keeps every action; an episode is three steps long, the fourth in every other one is a truncation."""

    observation_space = spaces.Dict(
        {
            "camera": spaces.Box(0, 255, (6, 5, 3), np.uint8),
            "map": spaces.Box(0, 255, (4, 7), np.uint8),
            "speed": spaces.Box(-1, 1, (2, 2), np.float64),
            "place": spaces.Discrete(4, start=2),
        }
    )
    action_space = spaces.MultiDiscrete([3, 2], start=[5, 0])
    opened: list = []  # noqa: RUF012 - all that were made

    def __init__(self):
        self.diary, self.episode = [], 0
        Diary.opened.append(self)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.clock, self.first = 0, self.np_random.integers(1, 200)
        self.episode += 1
        return self.seen(), {}

    def step(self, action):
        self.diary.append(action.tolist())
        self.clock += 1
        long = self.episode % 2 == 0
        return self.seen(), float(self.clock), self.clock == 3 and not long, self.clock == 4, {}

    def seen(self):
        camera = np.zeros((6, 5, 3), np.uint8)
        camera[1, 2] = (self.first, self.clock, 255)
        return {
            "camera": camera,
            "map": np.full((4, 7), self.clock, np.uint8),
            "speed": np.array([[self.clock, 0.5], [0.25, -1.0]]),
            "place": 2 + self.clock % 4,
        }


class Odd(gymnasium.Env):
    """Spaces that nobody can learn from here."""

    def __init__(self, seen=None, done=None):
        self.observation_space = seen or spaces.Text(5)
        self.action_space = done or spaces.Discrete(2)


gymnasium.register("Diary-v0", entry_point=Diary, disable_env_checker=True)
gymnasium.register("Odd-v0", entry_point=Odd, disable_env_checker=True)


@pytest.fixture
def diaries():
    Diary.opened.clear()
    environments = GymnasiumEnvironments("Diary-v0", 2)
    environments.begin(0)
    yield environments, Diary.opened[-2:]
    environments.close()


def act(one, other):
    return {"0": np.array(one), "1": np.array(other)}


def test_spaces_are_described(diaries):
    """Pictures with the channel first, all else as float32 vectors, one-hot where it was a choice."""
    environments, _ = diaries
    assert environments.actions == Composite({"0": Discrete(3), "1": Discrete(2)})
    assert environments.observations == {
        "camera": Array((3, 6, 5), "uint8"),
        "map": Array((1, 4, 7), "uint8"),
        "speed": Array((4,), "float32"),
        "place": Array((4,), "float32"),
    }
    seen = environments.observe()
    for name, array in environments.observations.items():
        assert (seen[name].shape, seen[name].dtype) == ((2, *array.shape), array.dtype)
    assert seen["camera"][0, 2, 1, 2] == 255
    assert seen["place"].tolist() == [[1, 0, 0, 0]] * 2
    assert not isinstance(environments, Resumable)


def test_no_action_is_ignored_and_no_step_counted_twice(diaries):
    """Through terminations and truncations: each action arrives once, each reward comes back once, in its own episode."""
    environments, opened = diaries
    rng, sent, rewards, ends = np.random.default_rng(0), [], [], []
    for _ in range(14):
        sent.append((rng.integers(3, size=2), rng.integers(2, size=2)))
        reward, ended = environments.step(act(*sent[-1]))
        rewards.append(reward)
        ends.append(ended)
        following = environments.observe()["speed"][:, 0]
        assert following.tolist() == np.where(ended, 0, reward).tolist()  # what is seen next begins the next episode
    for b, diary in enumerate(opened):
        assert diary.diary == [[5 + one[b], other[b]] for one, other in sent]
    assert [int(reward[0]) for reward in rewards] == [1, 2, 3, 1, 2, 3, 4, 1, 2, 3, 1, 2, 3, 4]
    assert [bool(end[0]) for end in ends] == [clock in (2, 6, 9, 13) for clock in range(14)]


def test_episodes_follow_from_the_seed(diaries):
    """Those that begin later too; environments differ from each other."""
    environments, _ = diaries

    def beginnings(seed):
        environments.begin(seed)
        found = []
        for _ in range(8):
            found.append(environments.observe()["camera"][:, 0, 1, 2].tolist())
            environments.step(act([0, 0], [0, 0]))
        return found

    first = beginnings(3)
    beginnings(4)
    assert beginnings(3) == first != beginnings(4)
    assert first[0][0] != first[0][1]


@pytest.mark.parametrize(
    ("id", "options", "message"),
    [
        ("Pendulum-v1", {}, r"id = 'Pendulum-v1': its action space, Box\(.*, must be Discrete or MultiDiscrete"),
        ("Odd-v0", {}, r"id = 'Odd-v0': its observation space, Text\(.*, must be a Box, Discrete or a Dict of these"),
        ("Nowhere-v0", {}, r"id = 'Nowhere-v0': gymnasium cannot make it: .*Nowhere"),
        ("CartPole-v1", {"gravity": 1}, r"id = 'CartPole-v1': gymnasium cannot make it: .*gravity"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_before_any_work(id, options, message):
    """One line with the id and the space."""
    with pytest.raises(ConfigError, match=rf"^task\.{message}") as error:
        GymnasiumTask(id=id, options=options).prepare(Plan(population=2, steps=32, interval=32))
    assert "\n" not in str(error.value)


def test_a_space_within_a_dict_is_named():
    """By its key."""
    seen = spaces.Dict({"text": spaces.Text(3)})
    with pytest.raises(ValueError, match="its observation space of 'text', Text"):
        GymnasiumEnvironments("Odd-v0", 1, {"seen": seen})


@pytest.mark.parametrize(("id", "recurrent"), [("CartPole-v1", False), ("Diary-v0", True)])
def test_a_gymnasium_task_keeps_the_contract(id, recurrent):
    """Pictures, vectors and composite actions too."""
    check_task(GymnasiumTask(id=id, batch=4, recurrent=recurrent), steps=4 * 25)


def test_cart_pole_is_learned(tmp_path):
    """A pole falls after 22 steps on average when pushed at random; those that the example trains stand longer."""
    task = runpy.run_path(str(EXAMPLE))["TASK"]
    assert task.report(task.init(Stream(0), {**H, "unroll": 8}), Stream(0)).value < 40
    method = PBT(ready=8_000, exploit=Truncation(0.25))
    run = Serial().run(task, method, Plan(population=4, steps=32_000, interval=8_000, seed=0), tmp_path)
    last = [event["held_out"] for event in run.events if event["event"] == "evaluated" and event["step"] == 32_000]
    # Twice what an untrained one reaches; how much more depends on the seed, and so on a machine's last bits.
    assert np.mean(last) > 50
    assert task.report(run.state(task), Stream(0)).value > 45


def test_the_example_runs(tmp_path):
    """Population Based Training on an id and a space, as a user writes it."""
    done = subprocess.run(
        [sys.executable, EXAMPLE, "640", "320"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("mean return ")
    assert "of 40 new episodes" in done.stdout
