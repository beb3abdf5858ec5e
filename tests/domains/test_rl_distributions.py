"""Policies against slow loops written from the definitions."""

import math

import pytest
import torch

from reproductions.shared.rl.distributions import Categorical, Joint, distribution, stacked, usage
from reproductions.shared.rl.environments import Composite, Discrete

#: A function and its arguments, as in StarCraft II: wait takes none, move a place, select a unit and whether to add it.
GAME = Composite(
    {"function": Discrete(3, mask="available"), "place": Discrete(4), "unit": Discrete(2), "add": Discrete(2)},
    chooser="function",
    arguments=((), ("place",), ("unit", "add")),
)


def softmax(logits, allowed):
    weights = [math.exp(value) if ok else 0.0 for value, ok in zip(logits, allowed, strict=True)]
    return [weight / sum(weights) for weight in weights]


def entropy(probabilities):
    return -sum(p * math.log(p) for p in probabilities if p > 0)


@pytest.fixture
def policy():
    rng = torch.manual_seed(0)
    logits = {name: torch.randn(6, part.n, generator=rng).requires_grad_() for name, part in GAME.parts.items()}
    available = torch.tensor([[True, True, False], [True, True, True]]).repeat(3, 1)
    return distribution(GAME, logits, {"available": available}, usage(GAME)), logits, available


def test_a_masked_policy_is_the_softmax_over_what_is_available():
    """Probabilities, likelihood and entropy of each row, on any leading axes."""
    logits = torch.randn(3, 2, 5, generator=torch.manual_seed(1), dtype=torch.float64)
    mask = torch.rand(3, 2, 5, generator=torch.manual_seed(2)) < 0.5
    mask[..., 0] = True
    policy = Categorical(logits, mask)
    actions = policy.sample(torch.Generator().manual_seed(0))
    for t in range(3):
        for b in range(2):
            expected = softmax(logits[t, b].tolist(), mask[t, b].tolist())
            assert policy.log_probabilities[t, b].exp().tolist() == pytest.approx(expected)
            assert float(policy.entropy()[t, b]) == pytest.approx(entropy(expected))
            assert float(policy.log_likelihood(actions)[t, b]) == pytest.approx(math.log(expected[actions[t, b]]))


def test_what_is_not_available_is_never_drawn_and_has_no_gradient():
    """And nothing turns into no number on the way."""
    logits = torch.tensor([[50.0, 0.0, 0.5]] * 1000, requires_grad=True)
    mask = torch.tensor([[False, True, True]] * 1000)
    policy = Categorical(logits, mask)
    actions = policy.sample(torch.Generator().manual_seed(0))
    assert set(actions.tolist()) == {1, 2}
    (policy.log_likelihood(actions).sum() + policy.entropy().sum()).backward()
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad[:, 0] == 0).all()
    assert (logits.grad[:, 1:] != 0).any()


def test_a_mask_that_allows_all_changes_nothing():
    """The masked and the plain arithmetic are one."""
    logits, actions = torch.randn(7, 4), torch.randint(0, 4, (7,))
    plain, masked = Categorical(logits), Categorical(logits, torch.ones(7, 4, dtype=torch.bool))
    torch.testing.assert_close(masked.entropy(), plain.entropy())
    torch.testing.assert_close(masked.log_likelihood(actions), plain.log_likelihood(actions))


def test_draws_follow_the_probabilities():
    """20,000 draws: three standard deviations."""
    logits = torch.tensor([0.0, 1.0, 2.0])
    drawn = Categorical(logits.expand(20_000, 3)).sample(torch.Generator().manual_seed(0))
    shares = torch.bincount(drawn) / 20_000
    for share, p in zip(shares.tolist(), softmax(logits.tolist(), [True] * 3), strict=True):
        assert share == pytest.approx(p, abs=3 * math.sqrt(p * (1 - p) / 20_000))


def test_only_the_arguments_of_the_chosen_function_count(policy):
    """In the likelihood and in the entropy of each row: from the definition, part by part."""
    joint, logits, available = policy
    actions = joint.sample(torch.Generator().manual_seed(3))
    for b in range(6):
        function = int(actions["function"][b])
        likelihood = uncertainty = 0.0
        for name in ("function", *GAME.arguments[function]):
            row = logits[name][b].tolist()
            allowed = available[b].tolist() if name == "function" else [True] * len(row)
            p = softmax(row, allowed)
            likelihood += math.log(p[actions[name][b]])
            uncertainty += entropy(p)
        assert float(joint.log_likelihood(actions)[b].detach()) == pytest.approx(likelihood, abs=1e-5)
        assert float(joint.entropy(actions)[b].detach()) == pytest.approx(uncertainty, abs=1e-5)


def test_arguments_that_do_not_count_are_zero_and_have_no_gradient(policy):
    """Neither the likelihood nor the entropy moves them."""
    joint, logits, _ = policy
    actions = joint.sample(torch.Generator().manual_seed(3))
    (joint.log_likelihood(actions) + joint.entropy(actions)).sum().backward()
    counted = set()
    for b, function in enumerate(actions["function"].tolist()):
        for name in ("place", "unit", "add"):
            if name in GAME.arguments[function]:
                counted.add(name)
                assert logits[name].grad[b].abs().sum() > 0
            else:
                assert int(actions[name][b]) == 0
                assert logits[name].grad[b].abs().sum() == 0
    assert counted


def test_the_mean_entropy_is_that_of_the_whole_action(policy):
    """Over the policy: - sum p log p over every action there is."""
    joint, logits, available = policy
    p = {name: softmax(values[0].tolist(), [True] * len(values[0])) for name, values in logits.items()}
    p["function"] = softmax(logits["function"][0].tolist(), available[0].tolist())
    whole = expected = 0.0
    for function, names in enumerate(GAME.arguments):
        actions = {name: torch.zeros(6, dtype=torch.int64) for name in GAME.parts}
        actions["function"][:] = function
        if p["function"][function]:
            expected += p["function"][function] * float(joint.entropy(actions)[0].detach())
        each = [p["function"][function]]
        for name in names:
            each = [weight * q for weight in each for q in p[name]]
        whole += entropy(each)
    assert expected == pytest.approx(whole, abs=1e-5)


def test_without_a_chooser_all_parts_count():
    """Several joysticks."""
    actions = Composite({"x": Discrete(3), "y": Discrete(3)})
    logits = {name: torch.randn(5, 3) for name in actions.parts}
    joint = distribution(actions, logits, {}, usage(actions))
    drawn = joint.sample(torch.Generator().manual_seed(0))
    each = [Categorical(logits[name]) for name in ("x", "y")]
    total = sum(part.log_likelihood(drawn[name]) for part, name in zip(each, ("x", "y"), strict=True))
    torch.testing.assert_close(joint.log_likelihood(drawn), total)
    torch.testing.assert_close(joint.entropy(drawn), each[0].entropy() + each[1].entropy())


def test_the_steps_of_a_rollout_are_one_distribution(policy):
    """The same numbers with the time first."""
    joint, logits, available = policy
    rows = [
        distribution(
            GAME, {name: v[2 * t : 2 * t + 2] for name, v in logits.items()},
            {"available": available[2 * t : 2 * t + 2]}, usage(GAME),
        )
        for t in range(3)
    ]  # fmt: skip
    actions = joint.sample(torch.Generator().manual_seed(3))
    whole = stacked(rows).log_likelihood({name: values.view(3, 2) for name, values in actions.items()})
    torch.testing.assert_close(whole.flatten(), joint.log_likelihood(actions))
    assert isinstance(stacked([joint, joint]), Joint)


def test_descriptions_of_actions_that_make_no_sense_are_refused():
    """One line with the name and the rule."""
    parts = {"function": Discrete(2), "place": Discrete(4)}
    with pytest.raises(ValueError, match="chooser = 'verb' must be one of the parts"):
        Composite(parts, "verb", ((), ()))
    with pytest.raises(ValueError, match="arguments must be 2, one tuple for each function, not 1"):
        Composite(parts, "function", ((),))
    with pytest.raises(ValueError, match=r"arguments name \['where'\]"):
        Composite(parts, "function", ((), ("where",)))
    with pytest.raises(ValueError, match="arguments need a chooser"):
        Composite(parts, arguments=((), ()))
