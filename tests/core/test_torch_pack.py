"""What ``pack`` takes from parts comes back from a file as it was, or is refused when it is packed, with its place."""

import math
from collections import Counter, namedtuple

import numpy as np
import pytest
import torch

from pbt_core.store import Store
from pbt_core.torch import pack, unpack


class Part:
    """Anything with a ``state_dict``."""

    def __init__(self, state=None):
        self.state = state

    def state_dict(self):
        return self.state

    def load_state_dict(self, state_dict):
        self.state = state_dict


def through_disk(checkpoint, directory):
    store = Store(directory)
    return store.load(store.save(0, 0, checkpoint, {}))


def again(state, directory):
    part = Part()
    unpack(through_disk(pack(part=Part(state)), directory), part=part)
    return part.state


@pytest.mark.parametrize(
    "state",
    [
        {(0, 1): 0.5, (0, (1, "a")): [2]},
        {2: "a", "2": "b", None: "c", 1.5: "d", True: "e"},
        {np.int64(3): 1, (np.int64(1), 2): np.float32(0.5), "n": np.bool_(True)},
        {"q": {(): {(1,): (2, [3])}}},
        {"inf": math.inf, "counts": Counter([1, 1])},
        {namedtuple("Cell", "row column")(1, 2): 3},
    ],
    ids=["tuples", "scalars", "numpy", "nested", "numbers", "named tuples"],
)
def test_dictionaries_come_back_with_their_keys(state, tmp_path):
    """A Q table by state and action, for example: what is saved can be loaded."""
    assert again(state, tmp_path) == state


@pytest.mark.parametrize("key", [frozenset({1}), torch.zeros(1), b"x", (1, frozenset())], ids=str)
def test_a_key_that_cannot_be_kept_is_refused_with_its_place(key):
    """When it is packed: a checkpoint that cannot be loaded loses the model."""
    with pytest.raises(TypeError, match=r"^part\.table: the key .* keys are numbers, strings and tuples of them$"):
        pack(part=Part({"table": {key: 1}}))


def test_tensors_whose_paths_read_alike_stay_apart(tmp_path):
    """A dot in a name, an integer beside its text, one part within another's name."""
    ones, twos = torch.ones(1), torch.full((1,), 2, dtype=torch.bfloat16)
    for state in ({"a": {"b": ones}, "a.b": twos}, {0: ones, "0": twos}, {"a": {"b": twos}, "a.b": ones, "a.b'": twos}):
        got = again(state, tmp_path)
        assert str(got) == str(state)
    parts = {"a": Part({"b.c": ones}), "a.b": Part({"c": twos})}
    loaded = {name: Part() for name in parts}
    unpack(through_disk(pack(**parts), tmp_path), **loaded)
    assert (loaded["a"].state, loaded["a.b"].state) == ({"b.c": ones}, {"c": twos})


def test_a_part_stays_with_its_member_as_a_whole_or_not_at_all():
    """Tensors and what holds them together go by one name."""
    with pytest.raises(ValueError, match=r"^pack: no part may be called 'own': what stays .* is called own\.NAME$"):
        pack(own=Part({"w": torch.zeros(1)}))
    parent, child = (pack(net=Part({"w": torch.full((1,), x)}), **{"own.env": Part({"t": x})}) for x in (1.0, 2.0))
    net, env = Part(), Part()
    unpack(parent.adopted_by(child), net=net, **{"own.env": env})
    assert (net.state, env.state) == ({"w": torch.ones(1)}, {"t": 2.0})


@pytest.mark.parametrize(
    "tensor",
    [
        torch.eye(2).to_sparse(),
        torch.zeros(2).to(torch.float8_e4m3fn),
        torch.zeros(2, device="meta"),
    ],
    ids=["sparse", "float8", "meta"],
)
def test_a_tensor_that_numpy_does_not_have_is_refused_with_its_place(tensor):
    """As everything else that cannot be kept."""
    with pytest.raises(TypeError, match=r"^net\.layer\.w: a tensor of torch\..* cannot be stored: "):
        pack(net=Part({"layer": {"w": tensor}}))
