"""The agents of the mini-games against slow loops written from the equations, and what they are shown of each map."""

import math

import numpy as np
import pytest

pytest.importorskip(
    "numba", reason="the extra starcraft is not installed: pip install -c constraints.txt -e '.[starcraft]'"
)

import torch

from reproductions.shared.rl.agent import Rollout
from reproductions.starcraft import policies
from reproductions.starcraft.agents import AGENTS, FullyConvLstm
from reproductions.starcraft.environments import MiniGames
from reproductions.starcraft.layers import Planes, categories, minimap_layers, screen_layers
from reproductions.starcraft.maps import MAPS, mini_game
from reproductions.starcraft.specification import ARGUMENTS, FUNCTIONS, SCREEN

BATCH, SIZE = 4, 16


def made(name, agent="fully_conv", **settings):
    """An agent on a map, and what it sees after some random play."""
    torch.manual_seed(0)
    games = MiniGames(name, BATCH, SIZE)
    games.begin(0)
    policies.episodes(Cut(games, 30), policies.random_play(games.actions), 1, seed=0)
    seen = {key: torch.from_numpy(array.copy()) for key, array in games.observe().items()}
    return AGENTS[agent](mini_game(name), games.actions, SIZE, (4, 6), 16, **settings), seen


class Cut:
    """Games whose every episode is said to end after so many steps."""

    def __init__(self, games, steps):
        self.games, self.left = games, steps

    def __getattr__(self, name):
        return getattr(self.games, name)

    def step(self, actions):
        rewards, _ = self.games.step(actions)
        self.left -= 1
        return rewards, np.full(self.games.batch, self.left == 0)


def output(agent, seen):
    """Of one step, by weights that get a gradient."""
    return agent.step(seen, agent.initial(BATCH), torch.Generator())[0]


def chosen(agent, name):
    """The action that calls this function in all games, with arguments of 1."""
    taken = {part: torch.ones(BATCH, dtype=torch.int64) for part in agent.actions.parts}
    return {**taken, "function": torch.full((BATCH,), agent.functions.index(name))}


def softmax(logits):
    weights = [math.exp(value - max(logits)) for value in logits]
    return [weight / sum(weights) for weight in weights]


def of_part(policy, part, game):
    """The probabilities of one part of one game's action, over what is available: a loop."""
    logits, mask = policy.parts[part].logits[game].detach().tolist(), policy.parts[part].mask
    allowed = [True] * len(logits) if mask is None else mask[game].tolist()
    likely = iter(softmax([value for value, ok in zip(logits, allowed, strict=True) if ok]))
    return [next(likely) if ok else 0.0 for ok in allowed]


def entropy(probabilities):
    return -sum(p * math.log(p) for p in probabilities if p > 0)


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("name", MAPS)
def test_likelihood_and_entropy_are_those_of_the_function_and_of_the_arguments_that_it_takes(name, agent):
    """log pi(a) = log pi(f) + sum over f's arguments of log pi(argument), and H alike, for every function of every map."""
    agent, seen = made(name, agent)
    policy = output(agent, seen).policy
    for place, function in enumerate(agent.functions):
        taken = chosen(agent, function)
        likelihoods, entropies = policy.log_likelihood(taken).detach(), policy.entropy(taken).detach()
        for game in range(BATCH):
            counted = ["function", *FUNCTIONS[function].arguments]
            likely = [of_part(policy, part, game)[int(taken[part][game])] for part in counted]
            expected = sum(math.log(p) if p else -math.inf for p in likely)
            assert float(likelihoods[game]) == pytest.approx(expected, rel=1e-4)
            total = sum(entropy(of_part(policy, part, game)) for part in counted)
            assert float(entropies[game]) == pytest.approx(total, rel=1e-4)
            assert bool(seen["available_actions"][game, place]) == (likely[0] > 0)


def test_a_function_that_is_not_available_is_never_drawn_and_has_no_gradient():
    """Its row of the last layer stays as it is, whatever is learned; the others' change."""
    agent, seen = made("MoveToBeacon")
    place = agent.functions.index("Smart_screen")
    seen["available_actions"][:] = True
    seen["available_actions"][:, place] = False
    with torch.no_grad():
        agent.policy.parts[0].bias[place] = 50.0
    policy = output(agent, seen).policy
    rng = torch.Generator().manual_seed(0)
    drawn = torch.stack([policy.sample(rng)["function"] for _ in range(200)])
    assert place not in drawn
    taken = chosen(agent, "Move_screen")
    (policy.log_likelihood(taken).sum() + policy.entropy(taken).sum()).backward()
    gradient = agent.policy.parts[0].weight.grad
    assert not gradient[place].any()
    assert gradient[agent.functions.index("no_op")].any()
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(
    "function", ["no_op", "select_army", "Stop_quick", "Move_screen", "select_rect", "move_camera"]
)
def test_arguments_that_the_function_does_not_take_have_no_gradient(function):
    """Each argument's own last layer: a row of the spatial convolution, or a linear layer."""
    agent, seen = made("FindAndDefeatZerglings")
    seen["available_actions"][:] = True
    policy = output(agent, seen).policy
    taken = chosen(agent, function)
    (policy.log_likelihood(taken).sum() + policy.entropy(taken).sum()).backward()
    heads = dict(zip(agent.policy.names, (part.weight.grad for part in agent.policy.parts), strict=True))
    spatial = agent.spatial.weight.grad
    heads |= {name: None if spatial is None else spatial[row] for row, name in enumerate(agent.points)}
    for argument in set(ARGUMENTS) & set(agent.actions.parts):
        gradient = heads[argument]
        moved = gradient is not None and bool(gradient.any())
        assert moved == (argument in FUNCTIONS[function].arguments), argument


@pytest.mark.parametrize("name", MAPS)
def test_layers_that_are_left_out_are_constant_or_say_what_others_do(name):
    """Over random play: a cell's place and its values of the layers that are shown decide those of the others."""
    games = MiniGames(name, 2, SIZE)
    games.begin(0)
    shown = [SCREEN.index(layer) for layer in screen_layers(games.map)]
    hidden = [place for place in range(len(SCREEN)) if place not in shown]
    place_of_types, types = [layer.name for layer in SCREEN].index("unit_type"), set()
    told = {}
    player = policies.random_play(games.actions)
    streams = np.random.default_rng(0).spawn(2)
    players = [policies.Player(games.functions, SIZE, stream) for stream in streams]
    for _ in range(120):
        seen = games.observe()
        types |= set(np.unique(seen["feature_screen"][:, place_of_types]))
        cells = seen["feature_screen"].transpose(0, 2, 3, 1).reshape(2, -1, len(SCREEN))
        for place, cell in enumerate(cells.transpose(1, 0, 2)):
            for values in cell:
                kept = (place, *values[shown])
                assert told.setdefault(kept, tuple(values[hidden])) == tuple(values[hidden]), (kept, values)
        calls = [player(each, {key: array[i] for key, array in seen.items()}) for i, each in enumerate(players)]
        games.step(policies.rows(games, calls))
    assert len(told) > SIZE * SIZE
    assert types - {0} <= set(categories(games.map, SCREEN[place_of_types]))


def test_the_minimap_is_looked_at_where_the_camera_moves_or_where_it_is_asked_for():
    assert [name for name in MAPS if minimap_layers(mini_game(name))] == ["FindAndDefeatZerglings"]
    assert made("MoveToBeacon")[0].minimap is None
    whole, seen = made("MoveToBeacon", whole_minimap=True)
    output(whole, seen).value.sum().backward()
    assert whole.minimap.embedding.weight.grad.any()


def test_planes_are_one_of_n_of_categories_and_the_logarithm_of_amounts():
    """Cell by cell, value by value."""
    names = [layer.name for layer in SCREEN]
    chosen = tuple(layer for layer in SCREEN if layer.name in ("player_relative", "unit_type", "unit_hit_points"))
    planes = Planes(mini_game("DefeatRoaches"), SCREEN, chosen)
    layers = torch.zeros(1, len(SCREEN), 2, 2, dtype=torch.int32)
    layers[0, names.index("player_relative")] = torch.tensor([[0, 1], [4, 3]])
    layers[0, names.index("unit_type")] = torch.tensor([[0, 48], [110, 999]])  # ground, marine, roach, and nobody here
    layers[0, names.index("unit_hit_points")] = torch.tensor([[0, 45], [145, 1599]])
    shown = planes(layers)
    assert shown.shape == (1, 4 + 2 + 1, 2, 2)
    for cell, relative, kind, points in (
        ((0, 0), 0, 0, 0),
        ((0, 1), 1, 48, 45),
        ((1, 0), 4, 110, 145),
        ((1, 1), 3, 999, 1599),
    ):
        expected = [
            *(float(relative == value) for value in (1, 2, 3, 4)),
            *(float(kind == value) for value in (48, 110)),
        ]
        amount = math.log(1 + points) / math.log(1600)
        assert shown[0, :, *cell].tolist() == pytest.approx([*expected, amount])


def test_embedding_and_first_convolution_are_computed_as_one_and_are_two():
    """One after the other, on planes of one of n: the same features and the same gradients."""
    agent, seen = made("CollectMineralsAndGas")
    part = agent.screen
    planes = part.planes(seen["feature_screen"])
    of_categories, amounts = planes.split([part.planes.categories, part.planes.amounts], 1)
    embedded = part.embedding(of_categories.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    slow = torch.relu(part.second(torch.relu(part.first(torch.cat([embedded, amounts], 1)))))
    fast = part(seen["feature_screen"])
    torch.testing.assert_close(fast, slow, rtol=1e-4, atol=1e-5)
    weights = [*part.parameters()]
    for one, other in zip(*(torch.autograd.grad(x.square().sum(), weights) for x in (fast, slow)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_numbers_given_to_the_connected_layer_are_the_papers_planes():
    """FullyConv with a plane in all cells for each number: the same features, and the same policy over cells."""
    agent, seen = made("CollectMineralsAndGas")
    ours = output(agent, seen)
    state = agent.screen(seen["feature_screen"])
    numbers = torch.cat([seen["player"].float().log1p(), seen["available_actions"].float()], 1)
    planes = torch.cat([state, numbers[:, :, None, None].expand(-1, -1, SIZE, SIZE)], 1)
    n, cells = numbers.shape[1], SIZE * SIZE
    weight = agent.connected.weight
    spread = weight[:, -n:, None].expand(-1, -1, cells) / cells  # any weights of a plane with these sums
    everywhere = torch.cat([weight[:, :-n] / SIZE, spread.flatten(1)], 1)
    features = torch.relu(planes.flatten(1) @ everywhere.T + agent.connected.bias)
    torch.testing.assert_close(agent.value(features).squeeze(1), ours.value, rtol=1e-4, atol=1e-5)
    kernel = torch.cat([agent.spatial.weight, torch.randn(len(agent.points), n, 1, 1)], 1)
    points = 4 * torch.nn.functional.conv2d(planes, kernel, agent.spatial.bias).flatten(2)
    for row, name in enumerate(agent.points):
        ours_of_cells = ours.policy.parts[name].log_probabilities
        torch.testing.assert_close(torch.log_softmax(points[:, row], -1), ours_of_cells, rtol=1e-4, atol=1e-4)


def test_the_convolutional_lstm_is_an_lstm_in_every_cell_on_its_neighbourhood():
    """Gate by gate, from the equations, in some cells, an edge among them; over two steps."""
    torch.manual_seed(0)
    games = MiniGames("MoveToBeacon", BATCH, SIZE)
    agent = FullyConvLstm(mini_game("MoveToBeacon"), games.actions, SIZE, (2, 2), 4)
    channels, n = 2, agent.numbers
    seen, numbers = torch.rand(2, 1, channels, SIZE, SIZE), torch.rand(2, 1, n)
    carried = {name: value[:1] for name, value in agent.initial(1).items()}
    before = carried
    for step in range(2):
        before = carried
        with torch.no_grad():
            _, carried = agent._state(seen[step], numbers[step], before)
    kernel, bias = agent.gates.weight.detach(), agent.gates.bias.detach()
    stacked = [seen[1, 0], numbers[1, 0][:, None, None].expand(n, SIZE, SIZE), before["hidden"][0]]
    field = torch.zeros(2 * channels + n, SIZE + 2, SIZE + 2)
    field[:, 1:-1, 1:-1] = torch.cat(stacked)

    def sigmoid(x):
        return 1 / (1 + math.exp(-x))

    for y, x in ((0, 0), (7, 3), (15, 8)):
        near = field[:, y : y + 3, x : x + 3]
        sums = [float((kernel[gate] * near).sum() + bias[gate]) for gate in range(4 * channels)]
        for channel in range(channels):
            entering, kept, shown, new = (sums[gate * channels + channel] for gate in range(4))
            cell = sigmoid(kept) * float(before["cell"][0, channel, y, x]) + sigmoid(entering) * math.tanh(new)
            assert float(carried["cell"][0, channel, y, x]) == pytest.approx(cell, abs=1e-5)
            hidden = sigmoid(shown) * math.tanh(cell)
            assert float(carried["hidden"][0, channel, y, x]) == pytest.approx(hidden, abs=1e-5)


def test_shares_of_functions_and_the_entropy_of_their_choice_are_metrics():
    """Counted by hand; a policy that does nothing but no_op is seen."""
    agent, seen = made("MoveToBeacon")
    outputs = [output(agent, seen) for _ in range(2)]
    functions = [[0, 0, 3, 0], [0, 3, 0, 0]]
    taken = {part: torch.zeros(2, BATCH, dtype=torch.int64) for part in agent.actions.parts}
    taken["function"] = torch.tensor(functions)
    rollout = Rollout(taken, torch.zeros(2, BATCH), torch.zeros(2, BATCH, dtype=torch.bool))
    _, metrics = agent.loss(outputs, outputs[0], rollout, {"entropy_cost": 0.0})
    shares = {name: float(metrics[f"share_of_{name}"]) for name in agent.functions}
    assert shares == {**dict.fromkeys(agent.functions, 0.0), "no_op": 0.75, "select_army": 0.25}
    of_games = [entropy(of_part(outputs[0].policy, "function", game)) for game in range(BATCH)]
    assert float(metrics["function_entropy"]) == pytest.approx(sum(of_games) / BATCH, rel=1e-4)
    with torch.no_grad():
        agent.policy.parts[0].bias[0] = 50.0
    collapsed = [output(agent, seen)]
    first = {part: values[:1] for part, values in taken.items()}
    once = Rollout(first, torch.zeros(1, BATCH), torch.zeros(1, BATCH, dtype=torch.bool))
    assert float(agent.loss(collapsed, collapsed[0], once, {"entropy_cost": 0.0})[1]["function_entropy"]) < 1e-6


@pytest.mark.parametrize(
    ("name", "policy", "steps"),
    [
        ("MoveToBeacon", policies.to_beacon, 30),
        ("CollectMineralShards", policies.shards_together, 20),
        ("DefeatRoaches", policies.lowest_enemy, 60),
        ("DefeatZerglingsAndBanelings", policies.bait, 60),
        ("FindAndDefeatZerglings", policies.search, 60),
        ("CollectMineralsAndGas", policies.send_workers, 60),
        ("BuildMarines", policies.train_marines, 700),
    ],
)
def test_the_goal_of_each_map_can_be_reached_with_the_functions_that_are_derived_from_it(name, policy, steps):
    """A call outside of them would be an error: a public implementation left Train_Marine out, and could not score."""
    games = Counting(MiniGames(name, 2, 32))
    policies.episodes(Cut(games, steps), policy, 1, seed=0)
    assert games.gained > 0
    assert set(games.actions.parts) == {"function"} | {a for f in games.functions for a in FUNCTIONS[f].arguments}


class Counting:
    """Games that add up what was gained."""

    def __init__(self, games):
        self.games, self.gained = games, 0.0

    def __getattr__(self, name):
        return getattr(self.games, name)

    def step(self, actions):
        rewards, ended = self.games.step(actions)
        self.gained += float(np.clip(rewards, 0, None).sum())
        return rewards, ended
