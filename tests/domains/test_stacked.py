"""The stacked optimisers of a population form, held against torch's."""

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, RMSprop

from reproductions.shared.stacked import Stacked

RATES = (1e-1, 1e-3, 0.0)
KINDS = {
    "rmsprop": lambda parameters: RMSprop(parameters, lr=1.0, alpha=0.9, eps=1e-5),
    "adam": lambda parameters: Adam(parameters, lr=1.0, betas=(0.5, 0.999)),
    "fused adam": lambda parameters: Adam(parameters, lr=1.0, betas=(0.0, 0.99), fused=True),
}


def members(kind, history=(0, 3, 1)):
    """Networks with optimisers that have taken so many steps each before, the same at each call."""
    made = []
    for member, (steps, lr) in enumerate(zip(history, RATES, strict=True)):
        rng = torch.Generator().manual_seed(member)
        network = nn.ParameterDict(
            {name: nn.Parameter(torch.randn(shape, generator=rng)) for name, shape in (("w", (4, 3)), ("b", (3,)))}
        )
        optimizer = KINDS[kind](network.parameters())
        for _ in range(steps):
            moved(network, optimizer, rng)
        optimizer.param_groups[0]["lr"] = lr
        made.append((network, optimizer, rng))
    return made


def gradients(network, rng):
    return [torch.randn(weight.shape, generator=rng) for weight in network.parameters()]


def moved(network, optimizer, rng):
    for weight, gradient in zip(network.parameters(), gradients(network, rng), strict=True):
        weight.grad = gradient
    optimizer.step()


@pytest.mark.parametrize("kind", KINDS)
def test_each_member_takes_the_steps_of_its_own_optimiser(kind):
    """By its own rate and from its own history, none included; relative 1e-5 and absolute 1e-6 after four steps."""
    alone, together = members(kind), members(kind)
    networks, optimizers, rngs = zip(*together, strict=True)
    stacked = Stacked(networks, optimizers)
    for _ in range(4):
        for one in alone:
            moved(*one)
        stacked.step([torch.stack(each) for each in zip(*map(gradients, networks, rngs), strict=True)])
    stacked.give_back()
    for (network, optimizer, _), (expected, by, _) in zip(together, alone, strict=True):
        torch.testing.assert_close(dict(network), dict(expected), rtol=1e-5, atol=1e-6)
        got, want = optimizer.state_dict(), by.state_dict()
        assert [list(slots) for slots in got["state"].values()] == [list(slots) for slots in want["state"].values()]
        torch.testing.assert_close(got["state"], want["state"], rtol=1e-5, atol=1e-6)
        assert got["param_groups"] == want["param_groups"]


def test_a_weight_without_a_gradient_stays_as_it_is_and_gets_no_state():
    """As in torch."""
    (network, optimizer, _), *_ = members("adam", (0, 0, 0))
    before = network["b"].clone()
    stacked = Stacked([network], [optimizer])
    stacked.step([torch.ones(1, 4, 3) if name == "w" else None for name in stacked.weights])
    stacked.give_back()
    assert torch.equal(network["b"], before)
    assert list(optimizer.state) == [network["w"]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda weights: SGD(weights, lr=1.0), "SGD has no stacked form: only RMSprop, Adam have"),
        (lambda weights: RMSprop(weights, momentum=0.9), "RMSprop with momentum = 0.9 has no stacked form"),
        (lambda weights: Adam([{"params": [weight]} for weight in weights]), "Adam has groups of parameters"),
    ],
)
def test_an_optimiser_that_has_no_stacked_form_is_refused(make, message):
    """One line that says which and why."""
    network = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=message):
        Stacked([network], [make(list(network.parameters()))])


def test_optimisers_that_differ_in_more_than_the_rate_are_refused():
    """Here in what is added to the deviation."""
    networks = [nn.Linear(2, 2) for _ in range(2)]
    optimizers = [Adam(network.parameters(), eps=eps) for network, eps in zip(networks, (1e-8, 1e-5), strict=True)]
    with pytest.raises(ValueError, match="differ in more than their learning rates"):
        Stacked(networks, optimizers)
