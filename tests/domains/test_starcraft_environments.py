"""What all simulated mini-games promise as environments: saved games, seeds, what is seen, what is refused."""

import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip(
    "numba", reason="the extra starcraft is not installed: pip install -c constraints.txt -e '.[starcraft]'"
)

from mini_games import at, call, can, games, put, random_actions, scene, view

from reproductions.starcraft import kinds, maps, specification
from reproductions.starcraft.environments import MiniGames
from reproductions.starcraft.simulation import state
from reproductions.starcraft.specification import FUNCTIONS, NEUTRAL, SCREEN, SELF


@pytest.mark.parametrize("name", maps.MAPS)
def test_saved_games_go_on_exactly_in_other_environments(name):
    """Rewards, ends and everything that is seen, also through the ends of episodes."""
    one, other = games(name, 3, 16, seed=1), games(name, 3, 16, seed=2)
    rng = np.random.default_rng(0)
    for _ in range(60):
        one.step(random_actions(one, rng))
    one.games["loop"][1] = one.map.loops - 80
    saved = one.save()
    for _ in range(5):
        other.step(random_actions(other, rng))
    other.load({key: array.copy() for key, array in saved.items()})
    assert all(np.array_equal(saved[key], array) for key, array in other.save().items())
    ends = 0
    for _ in range(60):
        actions = random_actions(one, rng)
        (reward, end), (reward_again, end_again) = one.step(actions), other.step(actions)
        assert np.array_equal(reward, reward_again)
        assert np.array_equal(end, end_again)
        ends += end.sum()
        for key, array in one.observe().items():
            assert np.array_equal(array, other.observe()[key]), key
    assert ends > 0


@pytest.mark.parametrize("name", maps.MAPS)
def test_a_game_depends_on_its_seed_and_actions_alone(name):
    """The first two of five games are the two games of a smaller batch."""
    small, large = games(name, 2, 16, seed=3), games(name, 5, 16, seed=3)
    rng = np.random.default_rng(0)
    for _ in range(60):
        actions = random_actions(large, rng)
        few = {part: values[:2] for part, values in actions.items()}
        (reward, end), (reward_again, end_again) = large.step(actions), small.step(few)
        assert np.array_equal(reward[:2], reward_again)
        assert np.array_equal(end[:2], end_again)
        for key, array in small.observe().items():
            assert np.array_equal(large.observe()[key][:2], array), key
    assert not np.array_equal(large.units["x"][0], large.units["x"][1])


PLAYED = """
import hashlib, numpy as np
from reproductions.starcraft.environments import MiniGames
from reproductions.starcraft.maps import MAPS
for name in MAPS:
    games = MiniGames(name, 2, 16)
    games.begin(7)
    games.units["x"][games.units["owner"] == 2] = games.units["x"][:, :1].max() + 6  # so that they fight
    rng = np.random.default_rng(0)
    digest = hashlib.sha256()
    for _ in range(15):
        mask = games.observe()["available_actions"]
        actions = {part: rng.integers(space.n, size=2) for part, space in games.actions.parts.items()}
        actions["function"] = np.array([rng.choice(np.flatnonzero(row)) for row in mask])
        games.step(actions)
    for array in (*games.save().values(), *games.observe().values()):
        digest.update(array.tobytes())
    print(name, digest.hexdigest())
"""


def played(*options, **variables):
    environment = {**os.environ, **variables}
    command = [sys.executable, *options, "-c", PLAYED]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


def test_games_are_the_same_in_every_process_and_what_is_compiled_does_what_the_same_python_does():
    """To the last bit, on all maps. Python warns where numbers of 64 bits run over, which they are meant to."""
    compiled = played()
    assert len(compiled.splitlines()) == len(maps.MAPS)
    assert compiled == played()
    assert compiled == played("-W", "ignore::RuntimeWarning", NUMBA_DISABLE_JIT="1")


@pytest.mark.parametrize("name", maps.MAPS)
@pytest.mark.parametrize("size", [16, 32, 64])
def test_what_is_seen_keeps_the_specification(name, size):
    environments = games(name, 2, size)
    rng = np.random.default_rng(0)
    for _ in range(5):
        seen = environments.observe()
        assert {key: (array.shape[1:], array.dtype) for key, array in seen.items()} == {
            key: (array.shape, array.dtype) for key, array in environments.observations.items()
        }
        for key, layers in (("feature_screen", SCREEN), ("feature_minimap", specification.MINIMAP)):
            for place, layer in enumerate(layers):
                values = seen[key][:, place]
                assert 0 <= values.min() <= values.max() < layer.scale, layer.name
        assert seen["available_actions"][:, environments.functions.index("no_op")].all()
        environments.step(random_actions(environments, rng))


@pytest.mark.parametrize("name", maps.MAPS)
def test_no_unit_is_too_small_to_be_seen_or_clicked(name):
    """At the coarsest size every unit of the agent's on the screen covers a cell, and a click there selects one of its kind."""
    environments = games(name, 1, 16)
    mine = (environments.units[0]["owner"] == 1) & (environments.units[0]["kind"] != 0)
    for slot in np.flatnonzero(mine)[:4]:
        unit = environments.units[0][slot]
        cell = at(environments, unit["x"], unit["y"])
        assert view(environments, "player_relative").reshape(-1)[cell] == SELF
        shown = view(environments, "unit_type").reshape(-1)[cell]
        call(environments, "select_point", screen=cell)
        chosen = environments.units[0][environments.units[0]["selected"]]
        assert [kinds.TYPE[kind] for kind in chosen["kind"]] == [shown]


@pytest.mark.parametrize("size", [16, 32, 64])
def test_cells_whose_middle_is_playable_are_visible_and_the_minimap_marks_what_the_screen_shows(size):
    """Held against the definition, cell by cell."""
    environments = games("MoveToBeacon", 1, size)
    seen, area, (x, y) = environments.observe(), environments.map.playable, environments.map.camera
    middles = (np.arange(size) + 0.5) / size

    def inside(columns, rows):
        return (
            (columns[None] >= area.x0)
            & (columns[None] <= area.x1)
            & (rows[:, None] >= area.y0)
            & (rows[:, None] <= area.y1)
        )

    screen = inside(x + (middles - 0.5) * maps.VIEW, y - (middles - 0.5) * maps.VIEW)
    columns, rows = middles * maps.MAP_SIZE, maps.MAP_SIZE - middles * maps.MAP_SIZE
    assert np.array_equal(view(environments, "visibility_map"), 2 * screen)
    assert np.array_equal(seen["feature_minimap"][0, 0], 2 * inside(columns, rows))
    shown = (np.abs(columns[None] - x) <= 12) & (np.abs(rows[:, None] - y) <= 12)
    assert np.array_equal(seen["feature_minimap"][0, 1], shown)


def test_nothing_can_be_ordered_before_something_is_selected():
    environments = games("MoveToBeacon")
    assert can(environments) == {"no_op", "select_point", "select_rect", "select_army"}
    call(environments, "select_army")
    assert can(environments) == set(maps.MAPS["MoveToBeacon"].functions)


def test_a_rectangle_selects_whom_it_touches_and_an_empty_one_changes_nothing():
    environments = games("CollectMineralShards")
    one, other, _ = scene(
        environments, (kinds.MARINE, 1, 26.0, 30.0), (kinds.MARINE, 1, 40.0, 22.0), (kinds.SHARD, 0, 33.0, 34.0)
    )
    around = {"screen": at(environments, 25.0, 31.0), "screen2": at(environments, 27.0, 29.0)}
    call(environments, "select_rect", **around)
    assert environments.units["selected"][0, [one, other]].tolist() == [True, False]
    empty = {"screen": at(environments, 31.0, 31.0), "screen2": at(environments, 32.0, 29.0)}
    call(environments, "select_rect", **empty)
    assert environments.units["selected"][0, [one, other]].tolist() == [True, False]
    beside = {"screen": at(environments, 39.0, 23.0), "screen2": at(environments, 41.0, 21.0), "select_add": 1}
    call(environments, "select_rect", **beside)
    assert environments.units["selected"][0, [one, other]].tolist() == [True, True]


def test_queued_orders_follow_each_other():
    environments = games("MoveToBeacon")
    put(environments, 0, x=42.0, y=34.0)
    put(environments, 1, x=30.0, y=24.0)
    call(environments, "select_army")
    call(environments, "Move_screen", screen=at(environments, 34.0, 24.0))
    call(environments, "Move_screen", screen=at(environments, 34.0, 28.0), queued=1)
    for _ in range(12):
        call(environments)
    unit = environments.units[0][1]
    assert (unit["x"], unit["y"]) == pytest.approx((34.0, 28.0), abs=0.4)
    assert unit["order"] == state.IDLE


def test_clicks_toggle_and_select_all_of_a_type():
    environments = games("CollectMineralShards")
    one, other = scene(environments, (kinds.MARINE, 1, 26.0, 30.0), (kinds.MARINE, 1, 40.0, 22.0))
    first = at(environments, 26.0, 30.0)
    call(environments, "select_point", screen=first, select_point_act=2)
    assert environments.units["selected"][0, [one, other]].tolist() == [True, True]
    call(environments, "select_point", screen=first, select_point_act=1)
    assert environments.units["selected"][0, [one, other]].tolist() == [False, True]
    call(environments, "select_point", screen=first)
    assert environments.units["selected"][0, [one, other]].tolist() == [True, False]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"function": 6}, r"game 1: function = 6 must be from 0 to 5"),
        ({"function": -1}, r"game 1: function = -1 must be from 0 to 5"),
        ({"function": 1, "screen": 4096}, r"game 1: screen = 4096 must be from 0 to 4095"),
        ({"function": 4}, r"game 1: the function Move_screen is not available now"),
    ],
)
def test_wrong_actions_are_refused_by_name_and_nothing_happens(change, message):
    environments = games("MoveToBeacon", 2)
    before = environments.save()
    actions = {name: np.zeros(2, np.int64) for name in environments.actions.parts}
    for part, value in change.items():
        actions[part][1] = value
    with pytest.raises(ValueError, match=message):
        environments.step(actions)
    assert all(np.array_equal(before[key], array) for key, array in environments.save().items())


def test_arguments_that_a_function_does_not_take_do_not_matter():
    environments = games("MoveToBeacon")
    call(environments, "no_op", screen=-5)


def test_actions_of_another_form_are_refused():
    environments = games("MoveToBeacon")
    actions = {name: np.zeros(1, np.int64) for name in environments.actions.parts}
    with pytest.raises(ValueError, match="the parts of an action must be"):
        environments.step({"function": actions["function"]})
    with pytest.raises(ValueError, match=r"screen must be 1 integers, not float64 \(1,\)"):
        environments.step({**actions, "screen": np.zeros(1)})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "Simple64"}, "map = 'Simple64' must be one of"),
        ({"size": 17}, r"size = 17 must be one of \[16, 32, 64\]"),
        ({"batch": 0}, "batch = 0 must be at least 1"),
        ({"step_mul": 0}, "step_mul = 0 must be at least 1"),
    ],
)
def test_wrong_settings_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        MiniGames(**{"name": "MoveToBeacon", "batch": 1, **arguments})


def test_saved_games_of_another_batch_are_refused():
    with pytest.raises(ValueError, match=r"must be \(2,"):
        games("MoveToBeacon", 2).load(games("MoveToBeacon", 3).save())


def test_every_function_of_a_map_is_known_and_each_map_has_what_its_goal_needs():
    needs = {
        "MoveToBeacon": {"select_army", "Move_screen"},
        "CollectMineralShards": {"select_army", "select_point", "Move_screen"},
        "DefeatRoaches": {"Attack_screen", "Move_screen"},
        "DefeatZerglingsAndBanelings": {"Attack_screen", "Move_screen", "select_rect"},
        "FindAndDefeatZerglings": {"Attack_screen", "Attack_minimap", "move_camera"},
        "CollectMineralsAndGas": {
            "Harvest_Gather_screen",
            "Build_Refinery_screen",
            "Train_SCV_quick",
            "select_idle_worker",
        },
        "BuildMarines": {
            "Build_SupplyDepot_screen",
            "Build_Barracks_screen",
            "Train_Marine_quick",
            "Harvest_Gather_screen",
        },
    }
    for name, game in maps.MAPS.items():
        assert set(game.functions) <= set(FUNCTIONS)
        assert needs[name] | {"no_op"} <= set(game.functions)


def test_neutral_things_are_shown_as_neutral():
    environments = games("MoveToBeacon")
    beacon = environments.units[0][0]
    cell = at(environments, beacon["x"], beacon["y"])
    assert view(environments, "player_relative").reshape(-1)[cell] == NEUTRAL
    assert view(environments, "player_id").reshape(-1)[cell] == 16
    assert view(environments, "unit_type").reshape(-1)[cell] == kinds.KINDS[kinds.BEACON].type


@pytest.mark.parametrize("name", maps.MAPS)
def test_new_games_are_the_same_whoever_played_here_before(name):
    """Every field of the state, also those that no rule reads yet: it is saved, and members share the games."""
    used, new = MiniGames(name, 2, 16), MiniGames(name, 2, 16)
    used.begin(1)
    rng = np.random.default_rng(0)
    for _ in range(60):
        available = used.observe()["available_actions"]
        actions = {part: rng.integers(space.n, size=2) for part, space in used.actions.parts.items()}
        actions["function"] = np.array([rng.choice(np.flatnonzero(row)) for row in available])
        used.step(actions)
    for environments in (used, new):
        environments.begin(2)
    saved = new.save()
    assert all(np.array_equal(array, saved[key]) for key, array in used.save().items())
