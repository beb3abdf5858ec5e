"""The adapter of DeepMind Lab, driven on a fake module that refuses whatever the real one refuses."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import fake_deepmind_lab as fake
import numpy as np
import pytest
from numpy.typing import NDArray

from pbt_core.files import locked
from reproductions.dmlab.lab import ACTION_SETS, DeepMindLab
from reproductions.dmlab.level_cache import LevelCache
from reproductions.dmlab.scratch import Scratch

FORWARD, LOOK_LEFT = 0, 4


@pytest.fixture(autouse=True)
def deepmind_lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    fake.fresh_process()
    monkeypatch.setitem(sys.modules, "deepmind_lab", fake)
    yield
    assert fake.alive == 0, "an environment was left open"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., DeepMindLab]]:
    made = []

    def build(level: str = "seekavoid_arena_01", batch: int = 2, **options: object) -> DeepMindLab:
        made.append(DeepMindLab(level, batch, 8, tmp_path / "run", **options))  # type: ignore[arg-type]
        return made[-1]

    yield build
    for environments in made:
        environments.close()


def played(environments: DeepMindLab, seed: int, steps: int = 30) -> list[NDArray[np.generic]]:
    """Everything seen, rewarded and ended in ``steps`` steps of random play."""
    environments.begin(seed)
    seen: list[NDArray[np.generic]] = [environments.observe()["pixels"].copy()]
    for actions in np.random.default_rng(seed).integers(0, environments.actions.n, (steps, environments.batch)):
        seen += [*environments.step(actions), environments.observe()["pixels"].copy()]
    return seen


def equal(one: list[NDArray[np.generic]], other: list[NDArray[np.generic]]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_it_is_what_learners_ask_of_environments(make: Callable[..., DeepMindLab]) -> None:
    """Shapes and types; it cannot be saved and does not pretend to."""
    environments = make(batch=3)
    assert environments.batch == 3
    assert environments.observations["pixels"].shape == (3, 8, 8)
    assert environments.actions.n == 9
    environments.begin(0)
    assert environments.observe()["pixels"].shape == (3, 3, 8, 8)
    assert environments.observe()["pixels"].dtype == np.uint8
    rewards, ended = environments.step(np.array([FORWARD, 1, 2]))
    assert (rewards.dtype, rewards.shape, ended.dtype, ended.shape) == (np.float64, (3,), np.bool_, (3,))
    assert not hasattr(environments, "save")


def test_an_action_is_held_for_four_frames_and_its_rewards_are_added(make: Callable[..., DeepMindLab]) -> None:
    """Forward passes a place of reward at the tenth frame: the third action; looking passes none."""
    environments = make(batch=2)
    environments.begin(0)
    rewards = [environments.step(np.array([FORWARD, LOOK_LEFT]))[0].tolist() for _ in range(5)]
    assert rewards == [[0, 0], [0, 0], [1, 0], [0, 0], [1, 0]]


def test_every_action_reaches_deepmind_lab_as_it_is(
    make: Callable[..., DeepMindLab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contiguous, of C's int, in the order of its action_spec, within its limits."""
    taken = []
    step = fake.Lab.step

    def recorded(self: fake.Lab, action: NDArray[np.intc], num_steps: int = 1) -> float:
        assert action.flags.c_contiguous
        taken.append((tuple(action.tolist()), num_steps))
        return step(self, action, num_steps)

    monkeypatch.setattr(fake.Lab, "step", recorded)
    for count, codes in ACTION_SETS.items():
        environments = make("stairway_to_melon_01", batch=1, actions=count)
        environments.begin(0)
        taken.clear()
        for action in range(count):
            environments.step(np.array([action]))
        assert [code for code, frames in taken if frames == 4] == list(codes)
        for code in codes:
            assert all(low <= value <= high for value, (_, low, high) in zip(code, fake.ACTIONS, strict=True))


def test_an_ended_episode_is_followed_by_a_new_one(make: Callable[..., DeepMindLab]) -> None:
    """At the step that overshoots its 50 frames, one of which passed before the first action; again and again."""
    environments = make(batch=2)
    environments.begin(0)
    ends = [environments.step(np.array([FORWARD, LOOK_LEFT]))[1].tolist() for _ in range(40)]
    assert [step for step, ended in enumerate(ends, start=1) if any(ended)] == [13, 26, 39]
    assert all(ended[0] == ended[1] for ended in ends)


def test_a_new_episode_never_begins_with_the_last_picture_of_the_one_before(make: Callable[..., DeepMindLab]) -> None:
    """As DeepMind Lab's own first picture sometimes is: of every third reset in the fake."""
    environments = make(batch=1)
    environments.begin(0)
    first = environments.observe()["pixels"].copy()
    for _ in range(80):
        before = environments.observe()["pixels"].copy()
        _, (ended,) = environments.step(np.array([LOOK_LEFT]))
        if ended:
            assert not np.array_equal(environments.observe()["pixels"], before)
            assert not np.array_equal(environments.observe()["pixels"], first)


def test_seeds_decide_in_a_fresh_process(make: Callable[..., DeepMindLab]) -> None:
    """Equal for equal seeds, also through ends; different for others, between environments, and in a used process."""
    one = played(make(), 3)
    fake.fresh_process()
    other = make()
    assert equal(one, played(other, 3))
    assert not equal(one, played(other, 3))
    fake.fresh_process()
    assert not equal(one, played(make(), 4))
    assert not np.array_equal(one[0][0], one[0][1])


def test_several_environments_of_several_levels_run_in_one_process(make: Callable[..., DeepMindLab]) -> None:
    """Each with episodes of its own length."""
    arena, maze = make("seekavoid_arena_01", 1), make("nav_maze_static_01", 3)
    ends = [[], []]
    for environments in (arena, maze):
        environments.begin(0)
    for _ in range(13):
        for index, environments in enumerate((arena, maze)):
            ends[index].append(environments.step(np.zeros(environments.batch, np.int64))[1].all())
    assert [series.index(True) for series in ends] == [12, 10]


def test_nothing_reaches_deepmind_lab_after_close(make: Callable[..., DeepMindLab]) -> None:
    """Where it would end the process; closing twice is nothing."""
    environments = make()
    environments.begin(0)
    environments.close()
    environments.close()
    with pytest.raises(RuntimeError, match="closed"):
        environments.begin(1)
    with pytest.raises(RuntimeError, match="closed"):
        environments.step(np.zeros(2, np.int64))


def test_what_deepmind_lab_would_refuse_is_refused_in_one_line(
    make: Callable[..., DeepMindLab], tmp_path: Path
) -> None:
    """With the key, the value and the rule; and nothing stays open or on disk."""
    with pytest.raises(ValueError, match=r"size = 42 must be a positive multiple of 4"):
        DeepMindLab("seekavoid_arena_01", 1, 42, tmp_path / "run")
    with pytest.raises(ValueError, match=r"actions = 8 must be one of 9, 15"):
        make(actions=8)
    with pytest.raises(
        ValueError, match=r"level = 'lt_nowhere' is refused by DeepMind Lab: .*Level not found: lt_nowhere"
    ):
        make("lt_nowhere")
    with pytest.raises(
        ValueError, match=r"level = 'seekavoid_arena_01' is refused by DeepMind Lab: .*Invalid setting 'speed'"
    ):
        make(config={"speed": "2"})
    with pytest.raises(ValueError, match=r"level = 'emstm_watermaze' is not public; the nearest .* 'rooms_watermaze'"):
        make("emstm_watermaze")
    assert fake.alive == 0
    assert not list(tmp_path.glob("run/scratch-*"))


def test_levels_held_out_for_tests_are_asked_for_as_such(make: Callable[..., DeepMindLab]) -> None:
    """DeepMind Lab wants a setting for them."""
    environments = make("rooms_collect_good_objects_test", 1)
    environments.begin(0)
    assert environments.step(np.array([FORWARD]))[0] == [0]


def test_temporary_files_are_inside_the_folder_and_go_with_the_environments(
    make: Callable[..., DeepMindLab], tmp_path: Path
) -> None:
    """One folder an environment, in one of the process's own."""
    environments = make(batch=2)
    (scratch,) = (tmp_path / "run").glob("scratch-*")
    assert len(list(scratch.glob("dmlab_temp_folder_*"))) == 2
    environments.close()
    assert not scratch.exists()


def test_what_a_killed_process_leaves_is_cleared_away_by_the_next_and_what_runs_is_not(tmp_path: Path) -> None:
    """Its lock says whether the maker of a folder lives."""
    program = f"""
import os, signal
from pathlib import Path
from reproductions.dmlab.scratch import Scratch
(Scratch(Path({str(tmp_path)!r})).path / "dmlab_temp_folder_x").mkdir()
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path)})
    (killed,) = tmp_path.glob("scratch-*")
    assert list(killed.glob("dmlab_temp_folder_*"))
    one, other = Scratch(tmp_path), Scratch(tmp_path)
    assert sorted(tmp_path.glob("scratch-*")) == sorted([one.path, other.path])
    one.close()
    other.close()
    assert not list(tmp_path.glob("scratch-*"))


def test_a_folder_is_not_removed_while_somebody_looks_for_what_killed_ones_left(tmp_path: Path) -> None:
    """They would meet it half removed and without its lock."""
    scratch = Scratch(tmp_path)
    closing = threading.Thread(target=scratch.close)
    with locked(tmp_path):
        closing.start()
        closing.join(0.2)
        assert scratch.path.exists()
    closing.join()
    assert not scratch.path.exists()


def test_a_compiled_map_is_fetched_by_everybody_who_shares_the_folder(
    make: Callable[..., DeepMindLab], tmp_path: Path
) -> None:
    """Compiled once, and as often as there are resets without a folder."""
    for _ in range(2):
        make("explore_goal_locations_small", 2, level_cache=tmp_path / "maps").begin(0)
    assert fake.compiled == 1
    make("explore_goal_locations_small", 2).begin(0)
    assert fake.compiled == 3


def test_a_map_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    """A key is any text; a copy that fails leaves nothing that could be fetched."""
    cache = LevelCache(tmp_path / "maps")
    with pytest.raises(FileNotFoundError):
        cache.write("maps/a\nb/../c", str(tmp_path / "missing"))
    assert not cache.fetch("maps/a\nb/../c", str(tmp_path / "to"))
    assert not list((tmp_path / "maps").iterdir())
    (tmp_path / "from").write_bytes(b"map")
    cache.write("maps/a\nb/../c", str(tmp_path / "from"))
    assert cache.fetch("maps/a\nb/../c", str(tmp_path / "to"))
    assert (tmp_path / "to").read_bytes() == b"map"
    assert not cache.fetch("maps/other", str(tmp_path / "to"))


@pytest.mark.parametrize("harm", ["cut", "changed", "another", "empty"])
def test_a_map_that_was_altered_is_compiled_again(harm: str, tmp_path: Path) -> None:
    """It would be another level under the same name, or none that DeepMind Lab can read."""
    cache = LevelCache(tmp_path / "maps")
    (tmp_path / "from").write_bytes(b"map")
    cache.write("key", str(tmp_path / "from"))
    (path,) = (tmp_path / "maps").iterdir()
    content = path.read_bytes()
    path.write_bytes({"cut": content[:-1], "changed": content[:-1] + b"x", "another": b"map", "empty": b""}[harm])
    assert not cache.fetch("key", str(tmp_path / "to"))
    assert not (tmp_path / "to").exists()
    cache.write("key", str(tmp_path / "from"))
    assert cache.fetch("key", str(tmp_path / "to"))


def test_what_is_no_map_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe, from which nothing would ever come."""
    cache = LevelCache(tmp_path / "maps")
    os.mkfifo(cache._path("key"))
    with pytest.raises(OSError, match="must be a regular file"):
        cache.fetch("key", str(tmp_path / "to"))


def test_the_module_is_needed_where_an_environment_is_made_and_nowhere_else() -> None:
    """Names of levels and actions are known without it."""
    program = (
        "import sys; import reproductions.dmlab.lab as lab; print('deepmind_lab' in sys.modules, len(lab.ACTION_SETS))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True
    )
    assert run.stdout == "False 2\n"


FORWARD_CODE = np.array(ACTION_SETS[9][FORWARD], np.intc)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda lab: lab.step([0] * 7), TypeError, None),
        (lambda lab: lab.step(np.zeros(7)), ValueError, "action must have dtype np.intc"),
        (lambda lab: lab.step(np.zeros(7, np.int64)), ValueError, "action must have dtype np.intc"),
        (lambda lab: lab.step(np.zeros((1, 7), np.intc)), ValueError, r"action must have shape \(7\)"),
        (lambda lab: lab.step(np.zeros(7, np.intc), num_steps=50) or lab.observations(), RuntimeError, "wrong status"),
        (
            lambda lab: lab.step(np.zeros(7, np.intc), num_steps=50) or lab.step(FORWARD_CODE),
            RuntimeError,
            "wrong status",
        ),
        (lambda lab: lab.reset(seed=np.int64(1)), ValueError, "seed"),
        (lambda lab: lab.reset(seed=2**70), OverflowError, None),
        (lambda lab: lab.close() and lab.step(FORWARD_CODE), RuntimeError, "wrong status"),
        (lambda lab: lab.close() and lab.reset(), fake.SegmentationFault, None),
        (lambda lab: lab.close() and lab.action_spec(), fake.SegmentationFault, None),
        (lambda lab: lab.close() and lab.observation_spec(), fake.SegmentationFault, None),
    ],
    ids=[
        "a list",
        "floats",
        "long integers",
        "two axes",
        "seen after the end",
        "acting after the end",
        "a seed of numpy",
        "a seed too large",
        "acting after close",
        "reset after close",
        "actions after close",
        "observations after close",
    ],
)
def test_the_fake_refuses_what_the_real_one_refuses(
    call: Callable[[fake.Lab], object], error: type[BaseException], message: str | None
) -> None:
    """With its exceptions; a stand-in that lets more pass would prove nothing."""
    lab = fake.Lab("seekavoid_arena_01", ["RGB_INTERLEAVED"], {"width": "8", "height": "8"})
    with pytest.raises(RuntimeError, match="wrong status"):
        lab.step(FORWARD_CODE)
    lab.reset(seed=1)
    with pytest.raises(error, match=message):
        call(lab)
    lab.close()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("nowhere", []), RuntimeError, 'Failed to init environment - "Level not found: nowhere"'),
        (("stairway_to_melon_01", []), RuntimeError, "Level not found"),
        (("seekavoid_arena_01", ["NOPE"]), ValueError, r"Unknown observation 'NOPE'\."),
        (("seekavoid_arena_01", ("INSTR",)), TypeError, None),
        (("seekavoid_arena_01", [], {"width": 84}), TypeError, None),
        (("seekavoid_arena_01", [], {"speed": "1"}), RuntimeError, "Invalid setting"),
        (("seekavoid_arena_01", [], {"width": "6"}), RuntimeError, "'width' must be a positive multiple of 4"),
        (("contributed/dmlab30/rooms_collect_good_objects_test", []), RuntimeError, None),
    ],
    ids=["no level", "no script", "no observation", "a tuple", "a number", "no setting", "a width of 6", "held out"],
)
def test_the_fake_is_made_of_what_the_real_one_is_made_of(
    arguments: tuple[object, ...], error: type[Exception], message: str | None
) -> None:
    """Else settings that fail with DeepMind Lab would pass here."""
    with pytest.raises(error, match=message):
        fake.Lab(*arguments)  # type: ignore[arg-type]


def test_the_fake_misreads_a_strided_action_and_overshoots_as_the_real_one_does() -> None:
    """Silently: seven numbers from where the array begins; frames are counted beyond the end, events can still be asked for."""
    lab = fake.Lab("seekavoid_arena_01", ["RGB_INTERLEAVED"], {"width": "8", "height": "8"})
    assert [entry["name"] for entry in lab.action_spec()] == [name for name, _, _ in fake.ACTIONS]
    lab.reset(seed=1)
    strided = np.zeros(14, np.intc)
    strided[::2] = FORWARD_CODE
    assert lab.step(strided[::2], num_steps=10) == 0
    assert lab.step(np.ascontiguousarray(strided[::2]), num_steps=10) == 1
    lab.step(FORWARD_CODE, num_steps=40)
    assert not lab.is_running()
    assert lab.num_steps() == 60
    assert lab.events() == []
    assert (lab.close(), lab.close()) == (True, False)
