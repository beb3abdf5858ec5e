"""Scripted policies through the specification: scores near the published ones; they play the adapter too."""

import numpy as np
import pytest

pytest.importorskip(
    "numba", reason="the extra starcraft is not installed: pip install -c constraints.txt -e '.[starcraft]'"
)

from reproductions.starcraft import kinds, policies
from reproductions.starcraft.environments import MiniGames
from reproductions.starcraft.maps import VIEW
from reproductions.starcraft.rendering import picture


@pytest.mark.parametrize(
    ("name", "policy", "number", "least", "most"),
    [
        ("MoveToBeacon", policies.to_beacon, 16, 23, 29),  # published: 26
        ("CollectMineralShards", policies.shards_together, 16, 88, 120),  # 103
        ("CollectMineralShards", policies.shards_apart, 16, 120, 180),  # people 133, the best 177
        ("DefeatRoaches", policies.lowest_enemy, 16, 40, 140),  # 97 with a standard deviation of about 50
        ("DefeatZerglingsAndBanelings", policies.bait, 16, 70, 740),  # agents up to 96, people 729
        ("FindAndDefeatZerglings", policies.search, 16, 39, 53),  # 46
        ("CollectMineralsAndGas", policies.send_workers, 4, 2850, 3860),  # 3356
        ("CollectMineralsAndGas", policies.grow_economy, 4, 5800, 7600),  # people 6880, the best 7566
        ("BuildMarines", policies.train_marines, 4, 60, 140),  # people 138 with more than this policy does
    ],
)
def test_scripted_policies_score_about_as_in_the_game(name, policy, number, least, most):
    assert least < policies.episodes(MiniGames(name, number), policy, 1, seed=0).mean() < most


@pytest.mark.parametrize(("name", "most"), [("MoveToBeacon", 2), ("CollectMineralShards", 20), ("DefeatRoaches", 10)])
def test_random_play_scores_little(name, most):
    games = MiniGames(name, 16, 16)
    assert policies.episodes(games, policies.random_play(games.actions), 1, seed=0).mean() < most


def test_policies_play_the_adapter_too():
    pytest.importorskip(
        "pysc2_evolved", reason="the extra starcraft is not installed: pip install -c constraints.txt -e '.[starcraft]'"
    )
    from pysc2_evolved.env import mock_sc2_env, sc2_env

    from reproductions.starcraft.pysc2_adapter import RealMiniGames, interface

    def mocked(name, size, step_mul, seed):
        return mock_sc2_env.SC2TestEnv(
            map_name=name, players=[sc2_env.Agent(sc2_env.Race.terran)], agent_interface_format=interface(size)
        )

    games = RealMiniGames("MoveToBeacon", 2, 16, make=mocked)
    for policy in (policies.to_beacon, policies.random_play(games.actions)):
        assert (policies.episodes(games, policy, 2, seed=0) == 0).all()


def test_a_picture_shows_units_where_the_screens_cells_do():
    """Every unit's own colour at its middle, at any scale."""
    games = MiniGames("DefeatRoaches", 1)
    games.begin(0)
    for pixels in (4, 16):
        image = picture(games, pixels_a_unit=pixels)
        assert image.shape == (VIEW * pixels, VIEW * pixels, 3)
        record = games.games[0]
        colours = {}
        for unit in games.units[0][games.units[0]["kind"] != 0]:
            column = int((unit["x"] - record["camera_x"] + VIEW / 2) * pixels)
            row = int((record["camera_y"] + VIEW / 2 - unit["y"]) * pixels)
            colours.setdefault(int(unit["kind"]), set()).add(tuple(image[row, column]))
        assert all(len(shades) == 1 for shades in colours.values())
        assert colours[kinds.MARINE] != colours[kinds.ROACH]


def test_a_picture_hides_what_the_fog_hides():
    games = MiniGames("FindAndDefeatZerglings", 1)
    games.begin(0)
    before = picture(games)
    zerglings = np.flatnonzero(games.units[0]["kind"] == kinds.ZERGLING)
    away = np.hypot(*(games.units[axis][0, zerglings] - games.units[axis][0, :1] for axis in "xy"))
    games.units["kind"][0, zerglings[away > 12]] = 0
    assert np.array_equal(before, picture(games))
    games.units["kind"][0, zerglings] = 0
    assert not np.array_equal(before, picture(games))
