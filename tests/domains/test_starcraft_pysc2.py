"""Our specification, map constants and adapter, held to the installed pysc2 and the maps in its wheel; no game is needed."""

import io
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip(
    "numba", reason="the extra starcraft is not installed: pip install -c constraints.txt -e '.[starcraft]'"
)
pytest.importorskip(
    "pysc2_evolved", reason="the extra starcraft is not installed: pip install -c constraints.txt -e '.[starcraft]'"
)

import mpyq
import pysc2_evolved
from pysc2_evolved.env import mock_sc2_env, sc2_env
from pysc2_evolved.lib import actions, features, protocol, remote_controller, sc_process, units
from pysc2_evolved.lib.features_types import PlayerRelative
from pysc2_evolved.tests import dummy_observation

from pbt_core import Plan
from reproductions.starcraft import kinds, maps, pysc2_adapter, specification
from reproductions.starcraft.pysc2_adapter import RealMiniGames, interface, make_game, missing
from reproductions.starcraft.task import StarCraft
from reproductions.suite.study.registry import ConfigError

MAPS = Path(pysc2_evolved.__file__).parent / "maps" / "mini_games"


def opened(name):
    """The script, the regions by their names as lists of numbers, and the placed objects of a map's archive."""
    archive = mpyq.MPQArchive(io.BytesIO((MAPS / f"{name}.SC2Map").read_bytes()))
    script, regions, objects = (
        (archive.read_file(part) or b"").decode() for part in ("MapScript.galaxy", "Regions", "Objects")
    )
    named = {}
    for text in regions.split("<region ")[1:]:
        values = re.findall(r'<(?:quad|center|radius) value="([^"]+)"', text)
        named[re.search(r'<name value="([^"]+)"', text)[1]] = [
            [float(number) for number in value.split(",")] for value in values
        ]
    return script, named, objects


def placed(objects, kind):
    pattern = rf'Position="([0-9.]+),([0-9.]+),[^"]*"[^>]*UnitType="{kind}"'
    return {(float(x), float(y)) for x, y in re.findall(pattern, objects)}


@pytest.mark.parametrize("name", maps.MAPS)
def test_region_time_and_camera_of_each_map_are_its_archives(name):
    script, regions, _ = opened(name)
    game = maps.MAPS[name]
    assert regions["Playable Space"] == [list(game.playable)]
    limits = re.findall(
        r"TimerStart\(gv_episodeCountdownTimer, ([0-9.]+|gv_episodeTimeSec), false, c_timeGame\)", script
    )
    constant = re.search(r"gv_episodeTimeSec = (\d+);", script)
    assert limits
    assert {float(constant[1] if "gv" in limit else limit) for limit in limits} == {game.seconds}
    if "CameraPan" in script:
        centre = r"CameraPan\(1, PointWithOffsetPolar\(RegionGetCenter\(RegionFromId\(1\)\), ([0-9.]+), 270.0\)"
        assert {float(down) for down in re.findall(centre, script)} == {maps.CAMERA_BELOW_CENTRE}


def test_the_beacons_numbers_are_its_archives():
    script, regions, _ = opened("MoveToBeacon")
    beacon = maps.BEACON
    hole = [[beacon.hole_x, beacon.hole_y], [beacon.hole_radius]]
    assert regions["Beacon Spawn Region"] == [list(beacon.region), *hole]
    assert regions["Beacon Area"][1] == [beacon.reach]
    assert {float(least) for least in re.findall(r"UnitGetPosition\(gv_beacon\)\) < ([0-9.]+)\)", script)} == {
        beacon.from_marine
    }


def test_the_shards_numbers_are_its_archives():
    script, regions, _ = opened("CollectMineralShards")
    shards = maps.SHARDS
    assert regions["Mineral Area"] == [list(shards.region)]
    assert {float(least) for least in re.findall(r"lv_currentPoint\) (?:<|>=) ([0-9.]+)\)", script)} == {
        shards.from_marine
    }
    assert {int(most) for most in re.findall(r"UnitGroupCount\(gv_minerals, c_unitCountAll\) >= (\d+)", script)} == {
        shards.shards
    }
    setup = script[: script.index("TimerStart")]
    assert setup.count('CreateUnitsWithDefaultFacing(1, "Marine"') == shards.marines


@pytest.mark.parametrize(
    ("name", "rules"), [("DefeatRoaches", maps.ROACHES), ("DefeatZerglingsAndBanelings", maps.BANELINGS)]
)
def test_waves_are_their_archives(name, rules):
    """Sides, marines at first and added, scores, and where or how many the enemies are."""
    script, regions, _ = opened(name)
    assert (regions["Spawn Region Left"], regions["Spawn Region Right"]) == ([list(rules.left)], [list(rules.right)])
    assert {int(value) for value in re.findall(r"OperAdd, (\d+)", script)} == {rules.kill}
    assert {-int(value) for value in re.findall(r"OperSubtract, (\d+)", script)} == {rules.loss}
    setup, later = script[: script.index("TimerStart")], script[script.index("OperAdd") :]

    def repeats(text, kind):
        """How often a loop of the script makes this kind: the bound of the last loop before."""
        before = text[: text.index(f'Facing(1, "{kind}"')]
        return int(re.findall(r"_ae = (\d+);", before)[-1])

    assert repeats(setup, "Marine") == rules.marines
    line = "((lv_i / 2) * (1 + (ModI(lv_i, 2) * -2)))"
    assert line in setup
    added = later[: later.index('Facing(1, "Zergling"' if "Zergling" in name else 'Facing(1, "Roach"')]
    assert int(re.findall(r"_ae = (\d+);", added[: added.rindex('Facing(1, "Marine"')])[-1]) == rules.added
    if name == "DefeatRoaches":
        rows = re.findall(r'"Roach", 0, 2, PointWithOffset\(lv_randomPointRoaches, 0.0, (-?[0-9.]+)\)', setup)
        assert tuple(float(row) for row in rows) == maps.ROACH_ROWS
    else:
        assert (repeats(setup, "Zergling"), repeats(setup, "Baneling")) == (maps.ZERGLING_COUNT, maps.BANELING_COUNT)


def test_the_zerglings_numbers_are_their_archives():
    script, regions, _ = opened("FindAndDefeatZerglings")
    find = maps.FIND
    assert regions["Zergling Spawn Region"] == [list(find.region), [32, 28], [find.hole_radius]]
    assert regions["Zergling Spawn Inner"] == [[32, 28], [find.ring_outer], [32, 28], [find.ring_inner]]
    assert f"RandomFixed({find.first_nearest}, {find.first_farthest})" in script
    assert f"{find.marine_distance}, ((120 * lv_i) + 90)" in script
    assert {int(value) for value in re.findall(r"lv_zerglingSpawnCount >= (\d+)", script)} == {2, find.zerglings}
    assert {int(value) for value in re.findall(r"OperAdd, (\d+)", script)} == {find.kill}
    assert {-int(value) for value in re.findall(r"OperSubtract, (\d+)", script)} == {find.loss}
    assert f"lv_currentPoint))) >= {find.apart})" in script
    assert f"lv_currentPoint))) < {find.from_marine})" in script


@pytest.mark.parametrize(("name", "base"), [("CollectMineralsAndGas", maps.GAS), ("BuildMarines", maps.MARINES)])
def test_bases_are_their_archives(name, base):
    script, _, objects = opened(name)
    assert placed(objects, "MineralField") == set(base.patches)
    assert placed(objects, "VespeneGeyser") == set(base.geysers)
    centre = re.search(r'<ObjectPoint Id="583493956" Position="([0-9.]+),([0-9.]+)', objects)
    assert (float(centre[1]), float(centre[2])) == base.command_center
    setup = script[: script.index("TimerStart")]
    offsets = re.findall(
        r'"SCV", 0, 1, PointWithOffset\(PointFromId\(583493956\), \(([0-9.]+) \* \w+\), (-?[0-9.]+)\)', setup
    )
    rows = [(column, row) for row in base.worker_rows for column in base.worker_columns]
    assert [(float(column), float(row)) for column, row in offsets] == rows
    assert {int(value) for value in re.findall(r"c_playerPropMinerals, c_playerPropOperSetTo, (\d+)", script)} == {
        base.minerals
    }


def test_the_first_patch_is_the_one_that_the_archive_orders_to():
    script, _, objects = opened("BuildMarines")
    ordered = set(re.findall(r'AbilityCommand\("(?:Rally|SCVHarvest)", 0\), UnitFromId\((\d+)\)', script))
    assert len(ordered) == 1
    place = re.search(rf'Id="{ordered.pop()}"[^>]*Position="([0-9.]+),([0-9.]+)', objects)
    assert (float(place[1]), float(place[2])) == maps.FIRST_PATCH


@pytest.mark.parametrize("name", specification.FUNCTIONS)
def test_functions_are_pysc2s(name):
    ours, theirs = specification.FUNCTIONS[name], actions.FUNCTIONS[specification.FUNCTIONS[name].id]
    assert theirs.name == name
    assert theirs.general_id == 0  # pysc2 hides those that another stands for
    assert tuple(argument.name for argument in theirs.args) == ours.arguments


def test_arguments_layers_and_vectors_are_pysc2s():
    for name, values in specification.ARGUMENTS.items():
        assert getattr(actions.TYPES, name).sizes == ((0, 0) if values is None else (values,)), name
    for ours, theirs in (
        (specification.SCREEN, features.SCREEN_FEATURES),
        (specification.MINIMAP, features.MINIMAP_FEATURES),
    ):
        for layer in ours:
            known = getattr(theirs, layer.name)
            categorical = known.type == features.FeatureType.CATEGORICAL
            assert (layer.scale, layer.categorical) == (known.scale, categorical), layer.name
    assert tuple(entry.name for entry in features.Player) == specification.PLAYER
    assert tuple(entry.name for entry in features.ScoreCumulative) == specification.SCORE_CUMULATIVE
    relations = (PlayerRelative.SELF, PlayerRelative.NEUTRAL, PlayerRelative.ENEMY)
    assert relations == (specification.SELF, specification.NEUTRAL, specification.ENEMY)


def test_unit_types_are_pysc2s():
    """All but the beacon and the shards, which pysc2 does not name."""
    known = {kind.name: kind.value for race in (units.Neutral, units.Terran, units.Zerg) for kind in race}
    unnamed = {"nothing", "Beacon_Terran", "NaturalMinerals"}
    assert {kind.name: kind.type for kind in kinds.KINDS if kind.name not in unnamed} == {
        kind.name: known[kind.name] for kind in kinds.KINDS if kind.name not in unnamed
    }


def mocked(name, size, step_mul, seed):
    return mock_sc2_env.SC2TestEnv(
        map_name=name, players=[sc2_env.Agent(sc2_env.Race.terran)], agent_interface_format=interface(size)
    )


@pytest.fixture
def mock():
    adapter = RealMiniGames("MoveToBeacon", 2, 16, make=mocked)
    adapter.begin(0)
    yield adapter
    adapter.close()


def parts(adapter, **values):
    return {name: np.full(adapter.batch, values.get(name, 0), np.int64) for name in adapter.actions.parts}


def test_the_adapter_gives_the_simulations_specification(mock):
    """Names, shapes and types of what is seen, masks by name although pysc2 lists identifiers unsorted."""
    seen = mock.observe()
    assert {name: (array.shape[1:], array.dtype) for name, array in seen.items()} == {
        name: (array.shape, array.dtype) for name, array in mock.observations.items()
    }
    can = {name for name, possible in zip(mock.functions, seen["available_actions"][0], strict=True) if possible}
    assert can == {"no_op", "select_point", "select_rect", "select_army", "Smart_screen"}
    camera = [layer.name for layer in specification.MINIMAP].index("camera")
    assert seen["feature_minimap"][0, camera, :8, :8].all()
    assert seen["feature_minimap"][0, camera].sum() == 64
    assert seen["player"][0, specification.PLAYER.index("minerals")] == 20
    assert seen["score_cumulative"][0, specification.SCORE_CUMULATIVE.index("score")] == 300


def test_an_episode_ends_when_pysc2_says_last(mock):
    """The mock's after ten steps, with a new one at once."""
    assert [mock.step(parts(mock))[1].tolist() for _ in range(10)] == [[False, False]] * 9 + [[True, True]]
    assert not mock.step(parts(mock))[1].any()


def test_rewards_are_the_games(mock):
    game = mock._games[1]
    game.next_timestep = [game.next_timestep[0]._replace(reward=7.0)]
    assert mock.step(parts(mock))[0].tolist() == [0.0, 7.0]


def test_a_lost_connection_makes_the_episode_void_and_the_game_new(mock):
    broken = mock._games[0]

    def break_off(calls):
        raise protocol.ConnectionError("Websocket timed out.")

    broken.step = break_off
    rewards, ended = mock.step(parts(mock))
    assert np.isnan(rewards[0])
    assert rewards[1] == 0
    assert ended.tolist() == [True, False]
    assert mock._games[0] is not broken
    assert np.isfinite(mock.step(parts(mock))[0]).all()


def test_pysc2_itself_accepts_every_call_of_the_adapter():
    """Through its own check of actions, which the mock leaves out: each function of each map with its largest arguments."""
    for name in maps.MAPS:
        adapter = RealMiniGames(name, 1, 16, make=mocked)
        adapter.begin(0)
        game = adapter._games[0]
        proto = dummy_observation.Builder(game.observation_spec()[0]).build()
        everything = np.ones((1, len(adapter.functions)), np.bool_)
        for place, function in enumerate(adapter.functions):
            largest = {part: space.n - 1 for part, space in adapter.actions.parts.items()}
            row = adapter._checked.rows(parts(adapter, **(largest | {"function": place})), everything)[0]
            call = adapter.call(row)
            assert call.function == specification.FUNCTIONS[function].id
            for argument, value in zip(specification.FUNCTIONS[function].arguments, call.arguments, strict=True):
                assert value == ([15, 15] if argument in ("screen", "screen2", "minimap") else [largest[argument]])
            game._features[0].transform_action(proto, call, skip_available=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"function": 99}, r"game 0: function = 99 must be from 0 to 5"),
        ({"function": 1, "screen": 256}, r"game 0: screen = 256 must be from 0 to 255"),
        ({"function": 4}, r"game 0: the function Move_screen is not available now"),
    ],
)
def test_wrong_actions_are_refused_before_the_game_sees_them(mock, change, message):
    with pytest.raises(ValueError, match=message):
        mock.step(parts(mock, **change))


def test_without_the_game_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("SC2PATH", str(tmp_path))
    assert "StarCraft II" in missing("MoveToBeacon")
    with pytest.raises(FileNotFoundError, match=r"map 'MoveToBeacon' of the game needs StarCraft II .* SC2PATH"):
        make_game("MoveToBeacon", 16, 8, 0)
    binary = tmp_path / "Versions" / "Base75689" / "SC2_x64"
    binary.parent.mkdir(parents=True)
    binary.touch()
    assert "mini_games/MoveToBeacon.SC2Map" in missing("MoveToBeacon")
    path = tmp_path / "Maps" / "mini_games" / "MoveToBeacon.SC2Map"
    path.parent.mkdir(parents=True)
    path.touch()
    assert missing("MoveToBeacon") is None


class Refusing:
    """A game that starts and begins no episode."""

    def __init__(self, error, **options):
        self.error, self.closed = error, False

    def reset(self):
        raise self.error

    def close(self):
        self.closed = True


def test_a_game_that_begins_no_episode_is_found_before_any_work(monkeypatch):
    """SC2_x64 is there and ends at once, or answers nothing that can be understood."""
    monkeypatch.setattr(pysc2_adapter, "missing", lambda name: None)
    task, plan = StarCraft(map="MoveToBeacon", engine="pysc2"), Plan(population=2, steps=64, interval=32)
    said = r"^task\.engine = 'pysc2', task\.map = 'MoveToBeacon': no episode of it begins: "
    for error in (remote_controller.ConnectError("Failed to connect"), sc_process.SC2LaunchError("Failed to launch")):

        def ends(error=error, **options):
            raise error

        monkeypatch.setattr(sc2_env, "SC2Env", ends)
        with pytest.raises(ConfigError, match=rf"{said}map 'MoveToBeacon': the game cannot be started: Failed to"):
            task.prepare(plan)
    game = Refusing(protocol.ConnectionError("no answer"))
    monkeypatch.setattr(sc2_env, "SC2Env", lambda **options: game)
    with pytest.raises(ConfigError, match=rf"{said}no answer$"):
        task.prepare(plan)
    assert game.closed
