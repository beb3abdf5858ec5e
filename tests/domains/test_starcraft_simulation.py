"""The rules of each simulated mini-game, in small scenes."""

import numpy as np
import pytest

pytest.importorskip(
    "numba", reason="the extra starcraft is not installed: pip install -c constraints.txt -e '.[starcraft]'"
)

from mini_games import at, call, can, games, on_minimap, put, scene, units, view

from reproductions.starcraft import kinds, maps
from reproductions.starcraft.simulation import state
from reproductions.starcraft.specification import ENEMY, SELF

# MoveToBeacon


def test_a_marine_walks_at_its_speed_and_the_beacon_scores_once_and_moves():
    environments = games("MoveToBeacon")
    beacon, marine = 0, 1
    put(environments, marine, x=24.0, y=28.0)
    put(environments, beacon, x=42.0, y=28.0)
    call(environments, "select_army")
    target = at(environments, 42.0, 28.0)
    rewards = [call(environments, "Move_screen", screen=target)[0][0] for _ in range(16)]
    # 18 units less the 1.25 of its reach at 0.140625 a loop are 119.1 loops: the fifteenth step of eight.
    assert rewards == [0.0] * 14 + [1.0, 0.0]
    moved = environments.units[0][beacon]
    assert np.hypot(moved["x"] - 42, moved["y"] - 28) > 0
    assert environments.observe()["score_cumulative"][0, 0] == 1


@pytest.mark.parametrize("seed", range(3))
def test_beacons_keep_their_distances(seed):
    environments = games("MoveToBeacon", batch=200, seed=seed)
    x, y = environments.units["x"], environments.units["y"]
    rules = maps.BEACON
    assert ((x[:, 0] >= rules.region.x0) & (x[:, 0] <= rules.region.x1)).all()
    assert ((y[:, 0] >= rules.region.y0) & (y[:, 0] <= rules.region.y1)).all()
    assert (np.hypot(x[:, 0] - rules.hole_x, y[:, 0] - rules.hole_y) >= rules.hole_radius).all()
    assert (np.hypot(x[:, 0] - x[:, 1], y[:, 0] - y[:, 1]) >= rules.from_marine).all()


@pytest.mark.parametrize(("name", "steps"), [("MoveToBeacon", 240), ("CollectMineralsAndGas", 840)])
def test_an_episode_lasts_as_long_as_the_maps_timer(name, steps):
    environments = games(name)
    ends = [bool(call(environments)[1][0]) for _ in range(steps + 1)]
    assert ends == [False] * (steps - 1) + [True, False]
    assert environments.games["loop"][0] == 8


# CollectMineralShards


def test_a_shard_scores_one_from_the_distance_of_its_pick_up_and_is_gone():
    environments = games("CollectMineralShards")
    marine, _, near, far = scene(
        environments, (kinds.MARINE, 1, 30.0, 28.0), (kinds.MARINE, 1, 24.0, 21.0), (kinds.SHARD, 0, 31.87, 28.0),
        (kinds.SHARD, 0, 30.0, 29.9),
    )  # fmt: skip
    assert call(environments)[0][0] == 1.0
    assert list(units(environments, kinds.SHARD)) == [far]
    assert near != far
    assert marine == 0


def test_when_all_shards_are_gone_twenty_more_appear_away_from_the_marines():
    environments = games("CollectMineralShards")
    scene(environments, (kinds.MARINE, 1, 30.0, 28.0), (kinds.MARINE, 1, 24.0, 21.0), (kinds.SHARD, 0, 31.0, 28.0))
    assert call(environments)[0][0] >= 1.0
    shards = environments.units[0][units(environments, kinds.SHARD)]
    assert len(shards) == maps.SHARDS.shards
    for x, y in ((30.0, 28.0), (24.0, 21.0)):
        assert (np.hypot(shards["x"] - x, shards["y"] - y) >= maps.SHARDS.from_marine).all()


# Fights


def duel(environments, kind, away, steps=200):
    """Loops until one of a marine and an enemy, this far apart between edges and standing, is dead; and who is left."""
    room = kinds.RADIUS[kinds.MARINE] + kinds.RADIUS[kind] + away
    scene(environments, (kinds.MARINE, 1, 30.0, 28.0), (kind, 2, 30.0 + room, 28.0))
    for loop in range(steps):
        call(environments)
        left = environments.units[0]["kind"][:2]
        if (left == 0).any() or environments.games["loop"][0] == 0:
            return loop + 1, left
    return steps, environments.units[0]["kind"][:2]


def test_marines_shoot_after_their_damage_point_and_then_every_period_with_its_jitter():
    environments = games("DefeatRoaches", step_mul=1)
    scene(environments, (kinds.MARINE, 1, 30.0, 28.0), (kinds.ROACH, 2, 35.8, 28.0))
    hits, before = [], 145.0
    put(environments, 1, speed=0.0)
    for loop in range(1, 60):
        call(environments)
        health = environments.units["hit_points"][0, 1]
        if health < before - 1:
            hits.append(loop)
            assert before - health == pytest.approx(6 - 1 - kinds.REGENERATION[kinds.ROACH], abs=1e-9)
        before = health
    assert hits[0] == 2  # chosen and raised in the first loop; 0.8 loops of damage point end in the second
    # The period is 13.77 loops and -1..+2 more; the damage point's whole loop is part of it.
    assert all(13 <= gap <= 17 for gap in np.diff(hits))
    assert len(hits) >= 4


def test_a_roachs_missile_arrives_later_also_when_the_roach_is_dead_by_then():
    environments = games("DefeatRoaches", step_mul=1)
    scene(environments, (kinds.MARINE, 1, 30.0, 28.0), (kinds.ROACH, 2, 34.8, 28.0), (kinds.ROACH, 2, 42.0, 35.0))
    while environments.units["missile_target"][0, 1] < 0:
        call(environments)
    assert environments.units["hit_points"][0, 0] == 45
    environments.units["kind"][0, 1] = 0
    waited = 0
    while environments.units["hit_points"][0, 0] == 45:
        call(environments)
        waited += 1
    assert waited == 5  # nearly 4.875 units, from middle to middle, at 1.17 a loop
    assert environments.units["hit_points"][0, 0] == 45 - 16


def test_who_is_hurt_calls_comrades_within_four_for_help():
    environments = games("DefeatRoaches", step_mul=1)
    scene(
        environments, (kinds.MARINE, 1, 24.0, 28.0), (kinds.ROACH, 2, 29.8, 28.0), (kinds.ROACH, 2, 33.4, 28.0),
        (kinds.ROACH, 2, 38.0, 28.0),
    )  # fmt: skip
    for _ in range(8):
        call(environments)
    x = environments.units["x"][0]
    assert x[2] < 33.4 - 0.5
    assert x[3] == 38.0


def test_roaches_score_ten_and_a_new_wave_brings_five_marines_and_keeps_hit_points():
    environments = games("DefeatRoaches")
    assert len(units(environments, kinds.MARINE)) == maps.ROACHES.marines
    marines, roaches = units(environments, kinds.MARINE), units(environments, kinds.ROACH)
    put(environments, marines[0], hit_points=20.0)
    call(environments, "select_rect", screen=0, screen2=0)
    environments.units["kind"][0, roaches[1:]] = 0
    put(environments, roaches[0], hit_points=1.0, x=30.0, y=28.0)
    for place, marine in enumerate(marines):
        put(environments, marine, x=27.0, y=24.0 + place)
    assert call(environments)[0][0] == maps.ROACHES.kill
    now = environments.units[0][units(environments, kinds.MARINE)]
    assert len(now) == maps.ROACHES.marines + maps.ROACHES.added
    assert sorted(now["hit_points"])[0] == 20.0
    assert now["selected"].all()
    assert len(set(now["x"])) == 1
    assert len(units(environments, kinds.ROACH)) == 4


def test_an_episode_ends_when_all_marines_are_dead():
    environments = games("DefeatRoaches")
    marines = units(environments, kinds.MARINE)
    environments.units["kind"][0, marines[1:]] = 0
    roaches = units(environments, kinds.ROACH)
    put(environments, marines[0], x=30.0, y=28.0, hit_points=1.0)
    for place, roach in enumerate(roaches):
        put(environments, roach, x=33.0, y=26.0 + place)
    rewards, ended = call(environments)
    while not ended[0]:
        rewards, ended = call(environments)
    assert rewards[0] == maps.ROACHES.loss
    assert len(units(environments, kinds.MARINE)) == maps.ROACHES.marines


def test_a_baneling_kills_itself_scores_and_burns_all_enemies_around_but_no_comrade():
    environments = games("DefeatZerglingsAndBanelings", step_mul=1)
    scene(
        environments, (kinds.MARINE, 1, 30.0, 28.0), (kinds.MARINE, 1, 31.0, 29.5), (kinds.MARINE, 1, 36.0, 28.0),
        (kinds.BANELING, 2, 30.9, 28.0), (kinds.ZERGLING, 2, 31.5, 27.0),
    )  # fmt: skip
    rewards = call(environments)[0]
    health = environments.units["hit_points"][0]
    assert rewards[0] == maps.BANELINGS.kill
    assert (health[0], health[1]) == (10.0, 10.0)
    assert health[2] == 45.0
    assert health[4] == 35.0


def test_enemies_of_a_wave_at_one_point_are_pushed_apart():
    environments = games("DefeatZerglingsAndBanelings", batch=20)
    for game in range(20):
        swarm = np.concatenate([units(environments, kind, game) for kind in (kinds.ZERGLING, kinds.BANELING)])
        assert len(swarm) == maps.ZERGLING_COUNT + maps.BANELING_COUNT
        x, y = environments.units["x"][game, swarm], environments.units["y"][game, swarm]
        away = np.hypot(x[:, None] - x, y[:, None] - y) + np.eye(len(swarm))
        assert away.min() > 0.74
        assert away.max() < 4.0


def test_a_move_past_enemies_does_not_stop_and_an_attack_does():
    for function, shots in (("Move_screen", False), ("Attack_screen", True)):
        environments = games("DefeatRoaches")
        scene(environments, (kinds.MARINE, 1, 24.0, 28.0), (kinds.ROACH, 2, 34.0, 33.0), (kinds.ROACH, 2, 42.0, 22.0))
        call(environments, "select_army")
        for _ in range(8):
            call(environments, function, screen=at(environments, 43.0, 33.0))
        assert (environments.units["hit_points"][0, 1] < 145) == shots


# FindAndDefeatZerglings


def test_only_what_the_marines_see_is_shown_and_what_they_saw_is_remembered():
    environments = games("FindAndDefeatZerglings")
    assert (view(environments, "player_relative") == ENEMY).any() == any(
        np.hypot(*(environments.units[axis][0, 0] - environments.units[axis][0, zergling] for axis in "xy")) <= 10
        for zergling in units(environments, kinds.ZERGLING)
    )
    scene(environments, (kinds.MARINE, 1, 32.0, 28.0), (kinds.ZERGLING, 2, 40.0, 28.0), (kinds.ZERGLING, 2, 42.5, 28.0))
    seen = view(environments, "player_relative").reshape(-1)
    assert seen[at(environments, 40.0, 28.0)] == ENEMY
    assert seen[at(environments, 42.5, 28.0)] != ENEMY
    visibility = view(environments, "visibility_map").reshape(-1)
    assert visibility[at(environments, 40.0, 28.0)] == 2
    assert visibility[at(environments, 43.5, 28.0)] == 0
    put(environments, 0, x=20.0, y=28.0)
    assert view(environments, "visibility_map").reshape(-1)[at(environments, 40.0, 28.0)] == 1


def test_the_camera_goes_where_the_minimap_is_clicked_and_the_screen_with_it():
    environments = games("FindAndDefeatZerglings")
    scene(environments, (kinds.MARINE, 1, 14.0, 40.0), (kinds.ZERGLING, 2, 50.0, 14.0))
    assert not (view(environments, "player_relative") == SELF).any()
    call(environments, "move_camera", minimap=on_minimap(environments, 14.5, 39.5))
    assert view(environments, "player_relative").reshape(-1)[at(environments, 14.0, 40.0)] == SELF
    assert abs(environments.games["camera_x"][0] - 14.5) < 0.51


def test_dead_zerglings_score_one_and_the_last_brings_twenty_five_more():
    environments = games("FindAndDefeatZerglings")
    scene(environments, (kinds.MARINE, 1, 32.0, 28.0), (kinds.ZERGLING, 2, 36.0, 28.0))
    put(environments, 1, hit_points=1.0)
    assert call(environments)[0][0] == 1.0
    zerglings = environments.units[0][units(environments, kinds.ZERGLING)]
    assert len(zerglings) == maps.FIND.zerglings
    assert (np.hypot(zerglings["x"] - 32, zerglings["y"] - 28) >= maps.FIND.from_marine).all()


def test_marines_attack_by_the_minimap():
    environments = games("FindAndDefeatZerglings")
    scene(environments, (kinds.MARINE, 1, 32.0, 28.0), (kinds.ZERGLING, 2, 12.0, 14.0))
    call(environments, "select_army")
    call(environments, "Attack_minimap", minimap=on_minimap(environments, 50.0, 28.0))
    for _ in range(5):
        call(environments)
    assert environments.units["x"][0, 0] == pytest.approx(32.0 + 48 * 0.140625, abs=0.01)


# CollectMineralsAndGas and BuildMarines


def test_workers_bring_five_minerals_a_trip_and_the_score_is_what_was_collected():
    environments = games("CollectMineralsAndGas")
    assert "Harvest_Gather_screen" not in can(environments)
    call(environments, "select_idle_worker", select_worker=2)
    call(environments, "Harvest_Gather_screen", screen=at(environments, 24.0, 25.5))
    for _ in range(30):
        assert call(environments)[0][0] % 5 == 0
    seen = environments.observe()
    score = seen["score_cumulative"][0, 0]
    assert 40 <= score <= 100  # twelve workers, about two trips each
    assert seen["player"][0, 1] == 50 + score
    assert seen["player"][0, 7] == 0


def test_one_worker_at_a_patch_and_the_others_find_another():
    environments = games("CollectMineralsAndGas", step_mul=1)
    call(environments, "select_idle_worker", select_worker=2)
    call(environments, "Harvest_Gather_screen", screen=at(environments, 24.0, 25.5))
    most = 0
    for _ in range(300):
        call(environments)
        unit = environments.units[0]
        targets = unit["target"][unit["busy"] & (unit["kind"] == kinds.SCV)]
        assert len(targets) == len(set(targets))
        most = max(most, len(targets))
    assert most >= 6


def selected_worker(environments):
    scv = environments.units[0][units(environments, kinds.SCV)[0]]
    call(environments, "select_point", screen=at(environments, scv["x"], scv["y"]))


def test_gas_needs_a_refinery_whose_builder_then_harvests_it():
    environments = games("CollectMineralsAndGas")
    selected_worker(environments)
    assert "Build_Refinery_screen" not in can(environments)
    environments.games["minerals"] = 75
    environments._fresh = False
    call(environments, "Build_Refinery_screen", screen=at(environments, 39.5, 20.5))
    for _ in range(110):
        call(environments)
    assert len(units(environments, kinds.REFINERY)) == 1
    assert len(units(environments, kinds.GEYSER)) == 3
    seen = environments.observe()
    assert seen["player"][0, 1] == 0
    assert seen["player"][0, 2] >= 8
    assert seen["score_cumulative"][0, 8] == seen["score_cumulative"][0, 0]


def test_a_building_is_refused_where_another_stands_and_outside_the_region():
    environments = games("CollectMineralsAndGas")
    environments.games["minerals"] = 1000
    selected_worker(environments)
    for x, y in ((30.0, 28.0), (24.0, 25.5), (44.0, 14.0)):  # the command center, a patch, outside
        call(environments, "Build_SupplyDepot_screen", screen=at(environments, x, y))
        assert (environments.units["order"][0] != state.BUILD).all()
    # A command center keeps three from resources; a depot need not.
    call(environments, "Build_CommandCenter_screen", screen=at(environments, 28.0, 34.0))
    assert (environments.units["order"][0] != state.BUILD).all()
    call(environments, "Build_CommandCenter_screen", screen=at(environments, 35.5, 27.5))
    assert np.isin(environments.units["order"][0], (state.BUILD, state.CONSTRUCT)).sum() == 1


def test_marines_are_built_by_supply_depot_barracks_and_training_which_scores_one():
    """The whole chain, by the functions of the map: its goal can be reached with them."""
    environments = games("BuildMarines")
    assert environments.observe()["player"][0, 7] == 0  # every worker harvests from the beginning
    assert "Train_Marine_quick" not in can(environments)
    environments.games["minerals"] = 300
    environments._fresh = False
    selected_worker(environments)
    assert "Build_Barracks_screen" not in can(environments)
    call(environments, "Build_SupplyDepot_screen", screen=at(environments, 36.0, 24.0))
    for _ in range(75):
        call(environments)
    assert environments.observe()["player"][0, 4] == 23
    selected_worker(environments)
    environments.games["minerals"] = 300
    environments._fresh = False
    call(environments, "Build_Barracks_screen", screen=at(environments, 36.5, 29.5))
    for _ in range(150):
        call(environments)
    call(environments, "select_point", screen=at(environments, 36.5, 29.5))
    assert "Train_Marine_quick" in can(environments)
    rewards = [call(environments, "Train_Marine_quick")[0][0]]
    rewards += [call(environments)[0][0] for _ in range(51)]
    assert sum(rewards) == 1.0
    assert rewards.index(1.0) in (49, 50)  # 400 loops
    assert environments.observe()["player"][0, 8] == 1


def test_new_workers_of_build_marines_harvest_by_the_rally_point():
    environments = games("BuildMarines")
    call(environments, "select_point", screen=at(environments, 29.8, 28.0))
    call(environments, "Train_SCV_quick")
    for _ in range(36):
        call(environments)
    seen = environments.observe()["player"][0]
    assert seen[6] == 13
    assert seen[7] == 0
