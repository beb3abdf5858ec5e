"""Levels on ViZDoom's engine: what they hold and reward, and that a running episode goes on exactly anywhere."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from waiting import LONG

from reproductions.dmlab import launcher, plans, wad
from reproductions.dmlab.levels import APPLES, GOALS, LEMONS, LEVELS
from reproductions.shared.assets import DataError

for module in ("vizdoom", "labmaze"):
    pytest.importorskip(module, reason=f"{module} is not installed: pip install -c constraints.txt -e '.[dmlab]'")

from reproductions.dmlab import doom, engine, pictures  # noqa: E402 (they import what may not be there)
from reproductions.dmlab.doom import Doom, scenario  # noqa: E402

BATCH, SIZE, INTERVALS, STEPS = 2, 42, 3, 110
OWN = [name for name, level in LEVELS.items() if level.layout]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("doom")


def actions(environment: Doom, seed: int, steps: int = STEPS) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, environment.actions.n, (steps, environment.batch))


def played(environment: Doom, taken: NDArray[np.int64]) -> str:
    """A digest of everything seen and rewarded on the way, and of the state at the end."""
    sha = hashlib.sha256()
    sha.update(environment.observe()["pixels"].tobytes())
    for row in taken:
        for array in (*environment.step(row), environment.observe()["pixels"]):
            sha.update(array.tobytes())
    for name, array in sorted(environment.save().items()):
        sha.update(name.encode() + array.tobytes())
    return sha.hexdigest()


def never_saved(environment: Doom, member: int) -> list[str]:
    environment.begin(member)
    return [played(environment, actions(environment, 10 * member + interval)) for interval in range(INTERVALS)]


def in_turn(environment: Doom, members: int) -> list[list[str]]:
    """Members share one set of games: each goes on from its state for an interval, then the next one."""
    states: list[dict[str, NDArray[Any]]] = []
    for member in range(members):
        environment.begin(member)
        states.append(environment.save())
    digests: list[list[str]] = [[] for _ in range(members)]
    for interval in range(INTERVALS):
        for member in range(members):
            environment.load(states[member])
            digests[member].append(played(environment, actions(environment, 10 * member + interval)))
            states[member] = environment.save()
    return digests


def interval_in_a_process(level: str, root: Path, member: int, interval: int, state: Path) -> None:
    """What a process of its own does: print the digest of an interval that goes on from the state in a file."""
    environment = Doom(level, BATCH, SIZE, root)
    if interval:
        with np.load(state) as arrays:
            environment.load(arrays)
    else:
        environment.begin(member)
    print(played(environment, actions(environment, 10 * member + interval)))
    np.savez(state, **environment.save())
    environment.close()


def in_processes(level: str, root: Path, member: int, state: Path) -> list[str]:
    """Each interval in a process with engines of its own."""
    digests = []
    for interval in range(INTERVALS):
        program = "import sys; from pathlib import Path; import test_dmlab_doom as test\n" + (
            f"test.interval_in_a_process({level!r}, Path({str(root)!r}), {member}, {interval}, Path({str(state)!r}))"
        )
        digests.append(output(program).strip())
    return digests


def output(program: str) -> str:
    folders = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    run = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": folders}, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("level", LEVELS)
def test_episodes_are_the_same_saved_or_not_and_whatever_was_played_before(
    level: str, root: Path, tmp_path: Path
) -> None:
    """Three members in turn on one set of games, engines started anew for each interval, and never saved: every pixel,
    reward and end, and the saved states."""
    environment = Doom(level, BATCH, SIZE, root)
    alone = [never_saved(environment, member) for member in range(3)]
    assert in_turn(environment, 3) == alone
    environment.close()
    assert in_processes(level, root, 1, tmp_path / "state.npz") == alone[1]
    assert len({digest for digests in alone for digest in digests}) == 3 * INTERVALS


def test_episodes_end_within_the_compared_steps(root: Path) -> None:
    """Else the comparison above would not be one of ends and of what follows them."""
    assert max(LEVELS[level].steps for level in OWN) < INTERVALS * STEPS
    environment = Doom("defend_the_center", BATCH, SIZE, root)
    environment.begin(0)
    ends = [environment.step(row)[1] for row in actions(environment, 0, INTERVALS * STEPS)]
    environment.close()
    assert np.sum(ends) >= BATCH


def test_a_state_is_small_and_plain(root: Path) -> None:
    """Integers alone; for 16 games of 290 steps it would be under 5 KB."""
    environment = Doom("seekavoid_arena", BATCH, SIZE, root)
    environment.begin(0)
    for row in actions(environment, 0, 290):
        environment.step(row)
    arrays = environment.save()
    environment.close()
    assert {array.dtype.kind for array in arrays.values()} <= {"i", "u"}
    assert sum(array.nbytes for array in arrays.values()) < 5120 * BATCH / 16


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills an engine with its driver")
def test_a_killed_driver_leaves_no_engine_and_no_shared_memory(root: Path) -> None:
    """SIGKILL, which nobody can answer; the engine alone would wait for ever, deaf to SIGTERM."""
    program = f"""
import sys, time
from pathlib import Path
from reproductions.dmlab.doom import Doom
environment = Doom("seekavoid_arena", 2, 42, Path({str(root)!r}))
environment.begin(0)
print(*(game._game.get_instance_id() for game in environment._games), flush=True)
time.sleep(1000)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        names = driver.stdout.readline().split()
        engines = psutil.Process(driver.pid).children(recursive=True)
        running = [engine.name() for engine in engines]
        driver.kill()
    assert running == ["vizdoom", "vizdoom"]
    _, alive = psutil.wait_procs(engines, timeout=LONG)
    assert not alive
    assert len(names) == 2
    assert not [path for name in names for path in Path("/dev/shm").glob(f"*{name}*")]


def test_an_engine_that_dies_fails_the_step_and_the_saved_state_goes_on_in_a_new_one(root: Path) -> None:
    """Games are kept for all members of a process: one crash must not be the end of the others."""
    environment = Doom("seekavoid_arena", BATCH, SIZE, root)
    environment.begin(0)
    played(environment, actions(environment, 0))
    state = environment.save()
    expected = played(environment, actions(environment, 1))
    for each in psutil.Process().children():
        if each.name() == "vizdoom":
            each.kill()
            each.wait()
    with pytest.raises(engine.DIED):
        environment.step(np.zeros(BATCH, np.int64))
    environment.load(state)
    assert played(environment, actions(environment, 1)) == expected
    environment.close()


def test_an_engine_whose_driver_died_while_it_was_launched_does_not_start(tmp_path: Path) -> None:
    """Then nobody would be left to kill it."""
    command = [sys.executable, launcher.__file__, "/bin/echo", "started", launcher.INSTANCE, "memory"]
    environment = {**os.environ, launcher.DRIVER: "1", launcher.FOLDER: str(tmp_path)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (1, "")
    environment[launcher.DRIVER] = str(os.getpid())
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, f"started {launcher.INSTANCE} memory\n")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere shared memory is no file")
def test_what_a_driver_leaves_that_is_killed_while_an_engine_starts_is_removed_by_the_next(tmp_path: Path) -> None:
    """Names of shared memory, and the engine's folder; the killed one's engine does nothing but say that it was launched."""
    hanging = tmp_path / "hanging"
    hanging.write_text("#!/bin/sh\necho launched\nexec sleep 1000\n")
    hanging.chmod(0o755)
    program = f"""
from pathlib import Path
from reproductions.dmlab import engine
from reproductions.dmlab.doom import Doom
engine.vizdoom.exe_path = {str(hanging)!r}
Doom("defend_the_center", 1, 42, Path({str(tmp_path)!r}))
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "launched\n"
        driver.kill()
    (folder,) = (tmp_path / "doom-starting").glob("scratch-*")
    name = (folder / launcher.NOTE).read_text()
    assert list(Path("/dev/shm").glob(f"*{name}"))
    Doom("defend_the_center", 1, SIZE, tmp_path).close()
    assert not list(Path("/dev/shm").glob(f"*{name}"))
    assert not list((tmp_path / "doom-starting").glob("scratch-*"))


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("seekavoid_arena", {"AppleItem": 14, "LemonItem": 10}),
        ("nav_maze_static", {"AppleItem": 5, "GoalItem": 1}),
        ("nav_maze_random_goal", {"AppleItem": 5, "GoalItem": 1}),
    ],
)
def test_every_map_holds_what_its_level_says(level: str, expected: dict[str, int], root: Path) -> None:
    """Counted by the engine; items and starts differ from map to map, in a static maze starts alone."""
    game = engine.configured(scenario(LEVELS[level], root), root)
    game.set_objects_info_enabled(True)
    engine.start(game, root)
    items, starts = set(), set()
    for number in range(1, plans.MAPS + 1):
        game.set_doom_map(wad.map_name(number))
        game.new_episode()
        objects = [(each.name, each.position_x, each.position_y) for each in game.get_state().objects]
        held = Counter(name for name, _, _ in objects)
        assert held == {"DoomPlayer": 1, **expected}
        items.add(tuple(sorted(each for each in objects if each[0] != "DoomPlayer")))
        starts.add(next(each for each in objects if each[0] == "DoomPlayer"))
    game.close()
    assert len(items) == (1 if level == "nav_maze_static" else plans.MAPS)
    assert len(starts) > plans.MAPS // 2


def test_apples_lemons_and_goals_are_rewarded_once_each_and_the_goal_ends_the_episode(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Walking east along a corridor that holds one of each."""
    corridor = wad.Plan(("**********", "*P A L G *", "**********"), ("0000000000",) * 3, angle=0)
    arena = LEVELS["seekavoid_arena"]
    assert arena.layout
    layout = replace(arena.layout, plans=lambda: (corridor,) * plans.MAPS)
    level = replace(arena, name="corridor", layout=layout, gains=(APPLES, LEMONS, GOALS))
    monkeypatch.setattr(doom, "LEVELS", {"corridor": level})
    environment = Doom("corridor", 1, SIZE, root)
    environment.begin(0)
    first = environment.observe()["pixels"].copy()
    rewards = []
    for _ in range(100):
        (reward,), (ended,) = environment.step(np.array([level.moves.index("forward")]))
        rewards.append(reward)
        if ended:
            break
    np.testing.assert_array_equal(environment.observe()["pixels"], first)
    environment.close()
    assert [reward for reward in rewards if reward] == [1.0, -1.0, 10.0]
    assert rewards[-1] == 10.0


@pytest.mark.parametrize(
    ("level", "rewards", "lowest", "highest"),
    [
        ("seekavoid_arena", {-2, -1, 0, 1, 2}, 0.0, 3.0),
        ("nav_maze_static", {0, 1, 10, 11}, 2.0, 6.0),
        ("nav_maze_random_goal", {0, 1, 10, 11}, 2.0, 7.0),
        ("health_gathering_supreme", {-1, 0, 1}, -1.0, 1.5),
        ("defend_the_center", {-1, 0, 1, 2}, -0.5, 3.0),
    ],
)
def test_random_play_returns_about_what_was_measured(
    level: str, rewards: set[int], lowest: float, highest: float, root: Path
) -> None:
    """Means of all that end within the length of one, in 8 games (of 50 episodes: 1.5, 3.6, 4.5, 0.2, 1.4)."""
    environment = Doom(level, 8, SIZE, root)
    environment.begin(0)
    running, returns, seen = np.zeros(8), [], set()
    for row in actions(environment, 1, environment.level.steps):
        gained, ended = environment.step(row)
        seen |= set(gained.tolist())
        running += gained
        returns += running[ended].tolist()
        running[ended] = 0
    environment.close()
    assert seen <= rewards
    assert len(seen) >= 3
    assert len(returns) >= 8
    assert lowest < np.mean(returns) < highest


def test_an_altered_archive_is_refused(root: Path, tmp_path: Path) -> None:
    """It would be another level, under the same name."""
    path = scenario(LEVELS["seekavoid_arena"], tmp_path)
    assert path.read_bytes() == scenario(LEVELS["seekavoid_arena"], root).read_bytes()
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(DataError, match=r"level\.wad is .* remove the folder"):
        scenario(LEVELS["seekavoid_arena"], tmp_path)


def test_unknown_levels_and_sizes_that_the_engine_does_not_draw_are_refused(root: Path) -> None:
    """One line with the key, the value and the rule; no engine is started."""
    with pytest.raises(ValueError, match=r"level = 'e1m1' must be one of seekavoid_arena, nav_maze_static"):
        Doom("e1m1", 1, SIZE, root)
    with pytest.raises(ValueError, match=r"size = 121 must be one of 1 to 120"):
        Doom("seekavoid_arena", 1, 121, root)


def test_pictures_show_what_the_agent_sees(root: Path) -> None:
    """Frames as drawn and as observed; a red apple in a map from above."""
    drawn, seen = pictures.first_person("seekavoid_arena", root, SIZE, count=3)
    assert drawn.shape == (3, 120, 160, 3)
    assert seen.shape == (3, SIZE, SIZE, 3)
    assert abs(drawn.mean() - seen.mean()) < 2
    plan = plans.arenas()[0]
    picture = pictures.from_above(plan, cell=16)
    y, x = next((y, x) for y, x, letter in plan.cells() if letter == plans.APPLE)
    assert picture[16 * y + 8, 16 * x + 8].tolist() == list(pictures.COLOURS[plans.APPLE])
