import subprocess
import sys

import ale_py
import gymnasium
import numpy as np
import pytest

from pbt_core import PBT, Plan, Processes, Serial
from pbt_core.testing import check_population, check_task
from reproductions.atari.emulators import Emulators
from reproductions.atari.task import Atari
from reproductions.suite.study.registry import ConfigError

TINY = {"width": 16, "d": 8, "k": 4, "c": 3, "batch": 4, "unroll": 5}
gymnasium.register_envs(ale_py)


def play(emulators, actions):
    return [(*emulators.step(row), emulators.observe()["pixels"].copy()) for row in actions]


def equal(one, other):
    return all(
        np.array_equal(a, b) for ours, theirs in zip(one, other, strict=True) for a, b in zip(ours, theirs, strict=True)
    )


def actions(emulators, steps, seed=0):
    return np.random.default_rng(seed).integers(0, emulators.actions.n, (steps, emulators.batch))


@pytest.mark.parametrize("agent", ["fun", "lstm"])
def test_atari_keeps_the_contract_of_tasks(agent):
    """Deterministic, exact after a reload, in the middle of episodes; hyperparameters rule."""
    task = Atari(agent=agent, **TINY)
    if agent == "lstm":  # which has no intrinsic reward, so that its weight cannot matter
        with pytest.raises(AssertionError, match="intrinsic_cost: changing it"):
            check_task(task, steps=40)
    else:
        check_task(task, steps=40)


@pytest.mark.parametrize("agent", ["fun", "lstm"])
def test_members_play_as_one_program_as_they_play_alone(agent, caplog):
    """Up to rounding, each in emulators of its own; epsilon as in ``test_rl_batched``.

    Relative 1e-4 or absolute 1e-4: the intrinsic reward has cosines of differences that are small themselves.
    """
    check_population(Atari(agent=agent, epsilon=1e-2, **TINY), steps=4 * 13, absolute=1e-4)
    assert not caplog.records


@pytest.mark.parametrize("game", ["ms_pacman", "amidar", "gravitar", "enduro"])
@pytest.mark.parametrize("sticky", [0.0, 0.25])
def test_saved_games_go_on_exactly_in_other_emulators(game, sticky):
    """Rewards, ends, and every pixel; through the ends of episodes too."""
    one, other = Emulators(game, 2, 42, sticky), Emulators(game, 2, 42, sticky)
    one.begin(1)
    other.begin(2)
    play(one, actions(one, 150))
    other.load(one.save())
    following = actions(one, 200, seed=1)
    assert equal(play(one, following), play(other, following))


def test_the_preprocessing_is_that_of_gymnasium():
    """Oracle: its wrapper over the same game, frame by frame, up to the end of an episode."""
    ours = Emulators("ms_pacman", 1, 84)
    ours.begin(0)
    game = gymnasium.make("ALE/MsPacman-v5", frameskip=1, repeat_action_probability=0.0)
    theirs = gymnasium.wrappers.AtariPreprocessing(game, noop_max=0, frame_skip=4, screen_size=84)
    theirs.reset(seed=0)
    theirs.unwrapped.ale.restoreState(ours._games[0].cloneState(include_rng=True))
    rng = np.random.default_rng(0)
    for _ in range(2000):
        action = rng.integers(ours.actions.n)
        seen, reward, ended, _, _ = theirs.step(action)
        (ours_reward,), (ours_ended,) = ours.step(np.array([action]))
        assert (ours_reward, ours_ended) == (reward, ended)
        if ended:
            break
        np.testing.assert_array_equal(ours.observe()["pixels"][0, -1], seen)
    assert ended


def test_episodes_begin_differently_and_the_same_for_a_seed():
    """Up to thirty frames late, drawn for each environment and each of its episodes."""
    emulators = Emulators("ms_pacman", 8, 42)
    beginnings = []
    for seed in (0, 0, 1):
        emulators.begin(seed)
        beginnings.append([game.getFrameNumber() for game in emulators._games])
        play(emulators, actions(emulators, 20))
    assert len(set(beginnings[0])) > 3
    emulators.begin(0)
    first = play(emulators, actions(emulators, 30))
    emulators.begin(0)
    assert equal(first, play(emulators, actions(emulators, 30)))


@pytest.mark.parametrize("game", ["combat", "joust", "maze_craze", "warlords"])
def test_a_game_that_nobody_plays_alone_is_refused(game):
    """Loading it would end the process, and with it all runs that it serves."""
    with pytest.raises(
        ConfigError, match=rf"task\.game = '{game}' must be one of the 104 of ale_py\.roms for one player"
    ):
        Atari(game=game, **TINY).prepare(Plan(population=2, steps=80, interval=40))


def test_an_unknown_game_and_broken_steps_are_refused_before_any_work():
    """One line with the key, the value and the rule."""
    plan = Plan(population=2, steps=80, interval=40)
    with pytest.raises(
        ConfigError,
        match=r"task.game = 'tetris_99' must be one of the 104 of ale_py.roms for one player, such as tetris",
    ):
        Atari(game="tetris_99", **TINY).prepare(plan)
    Atari(**{**TINY, "unroll": 7}).prepare(plan)  # the last rollout of an interval may be shorter
    with pytest.raises(ConfigError, match=r"interval = 40 must be a multiple of task.batch = 3 environments"):
        Atari(**{**TINY, "batch": 3}).prepare(plan)
    with pytest.raises(ConfigError, match=r"task\.batch = 1 must be at least 2"):
        Atari(**{**TINY, "batch": 1}).prepare(plan)


def test_runs_are_the_same_for_any_number_of_workers(tmp_path):
    """Emulators are shared by the members of a worker, and yet every game goes on where it was."""
    plan = Plan(population=4, steps=960, interval=320, seed=0)
    method = PBT(ready=320)
    runs = [
        engine.run(Atari(**TINY), method, plan, tmp_path / str(index))
        for index, engine in enumerate((Serial(), Processes(workers=2)))
    ]
    assert runs[0].events == runs[1].events
    assert any(event["event"] == "cloned" for event in runs[0].events)


def test_environments_keep_running_across_a_clone():
    """The child has its parent's weights, optimiser, memory and returns, and its own games."""
    from pbt_core import Stream

    task, h = Atari(**TINY), {"lr": 1e-3, "entropy_cost": 0.01, "intrinsic_cost": 0.5}
    states = [task.step(task.init(Stream(seed), h), h, 40, Stream(seed)) for seed in (0, 1)]
    parent, child = (task.save(state) for state in states)
    adopted = task.save(task.load(parent.adopted_by(child), h))
    for name in parent.tensors:
        source = child if name.startswith("own.") else parent
        np.testing.assert_array_equal(adopted.tensors[name], source.tensors[name])
    assert not np.array_equal(parent.tensors["own.frames"], child.tensors["own.frames"])


def test_figures_and_settings_need_no_emulator():
    """Only the task imports it."""
    program = (
        "import sys; import reproductions.atari.sweep, reproductions.atari.analysis; print('ale_py' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
