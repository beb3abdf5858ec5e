import enum
import http
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from safetensors import TensorSpec, serialize

from pbt_core import Checkpoint, CheckpointError
from pbt_core.layout import TYPES, file_bytes
from pbt_core.store import Store, prepared


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def example():
    rng = np.random.default_rng(0)
    tensors = {
        "weights": rng.normal(size=(3, 4)).astype(np.float32),
        "transposed": np.asfortranarray(rng.normal(size=(5, 2))),
        "count": np.array(7),
        "empty": np.zeros((0, 2)),
    }
    return Checkpoint(tensors, {"name": "ä", "values": [1, 2.5, None, {"x": True}]})


def test_a_checkpoint_comes_back_exactly(store):
    """Types, shapes (also 0-d and empty), memory order and the JSON part survive."""
    saved = example()
    loaded = store.load(store.save(3, 100, saved, {"why": "test"}))
    assert loaded.json == saved.json
    assert loaded.tensors.keys() == saved.tensors.keys()
    for name, array in saved.tensors.items():
        np.testing.assert_array_equal(loaded.tensors[name], array, strict=True)


@pytest.mark.parametrize("damage", ["flip", "cut", "swap", "remove"])
def test_a_torn_or_altered_file_is_named_and_never_loaded(store, damage):
    """A flipped byte, a lost end, another checkpoint's content under this name, or no file at all."""
    reference = store.save(0, 10, example(), {})
    other = store.save(0, 20, Checkpoint({"weights": np.zeros(3)}), {})
    path = store.directory / reference.filename
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[-5] ^= 1
        path.write_bytes(data)
    elif damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "swap":
        path.write_bytes((store.directory / other.filename).read_bytes())
    else:
        path.unlink()
    with pytest.raises(CheckpointError, match=reference.filename):
        store.load(reference)


def test_notes_find_finished_work_and_skip_damaged_files(store):
    """A resumed run looks for what a killed one had finished."""
    reference = store.save(0, 10, example(), {"work": 1})
    damaged = store.save(0, 10, Checkpoint({"x": np.ones(2)}), {"work": 2})
    (store.directory / damaged.filename).write_bytes(b"torn")
    assert store.notes(0, 10) == [(reference, {"work": 1})]
    assert store.notes(1, 10) == []


def test_two_machines_may_write_one_checkpoint_at_once_in_processes_of_one_number(store, monkeypatch):
    """An interval that was done again elsewhere: both have a whole file, and nothing is left beside it."""
    rename = os.replace

    def overtaken(source, target):
        monkeypatch.setattr(os, "replace", rename)
        assert store.save(0, 10, example(), {"work": 1}).filename == Path(target).name
        rename(source, target)

    monkeypatch.setattr(os, "replace", overtaken)
    reference = store.save(0, 10, example(), {"work": 1})
    assert store.notes(0, 10) == [(reference, {"work": 1})]
    assert [path.name for path in store.directory.iterdir()] == [reference.filename]


def test_keep_removes_everything_else(store):
    """Leftovers of killed writers too."""
    kept, other = store.save(0, 10, example(), {}), store.save(1, 10, example(), {})
    (store.directory / "x.1234.tmp").write_bytes(b"torn")
    store.keep([kept])
    assert [path.name for path in store.directory.iterdir()] == [kept.filename]
    assert other.filename != kept.filename


def test_a_recycled_file_is_whole_whatever_it_held(store):
    """A longer checkpoint, a shorter one, or none that is still there."""
    sizes = [500, 3, 200]
    reference = store.save(0, 1, Checkpoint({"x": np.arange(100)}), {})
    for step, size in enumerate(sizes, start=2):
        reference = store.save(0, step, Checkpoint({"x": np.arange(size)}), {}, recycle=reference)
        np.testing.assert_array_equal(store.load(reference).tensors["x"], np.arange(size))
        assert [path.name for path in store.directory.iterdir()] == [reference.filename]
    store.remove(reference)
    again = store.save(0, 9, Checkpoint({"x": np.arange(4)}), {}, recycle=reference)
    np.testing.assert_array_equal(store.load(again).tensors["x"], np.arange(4))


NUMBERS = st.sampled_from(sorted(TYPES)).flatmap(lambda kind: arrays(kind, array_shapes(min_dims=0, min_side=0)))
NAMES = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda name: name != "__metadata__")


@given(st.dictionaries(NAMES, NUMBERS, max_size=6), st.text(st.characters(exclude_categories=["Cs"])))
def test_files_are_byte_for_byte_those_of_the_safetensors_library(tensors, metadata):
    """Any types, shapes and names; the same layout again with other numbers too."""
    for given_tensors in (tensors, {name: np.zeros_like(array) for name, array in tensors.items()}):
        ready = prepared(Checkpoint(given_tensors)).tensors
        entries = {
            name: TensorSpec(dtype=a.dtype.name, shape=a.shape, data_ptr=a.ctypes.data, data_len=a.nbytes)
            for name, a in ready.items()
        }
        assert file_bytes(ready, metadata) == bytes(serialize(entries, {"pbt": metadata}))


class Colour(str, enum.Enum):  # noqa: UP042 - whose str() is Colour.RED
    RED = "red"


class Pair(NamedTuple):
    a: float
    b: int


def test_what_is_of_a_derived_class_comes_back_as_what_that_is_derived_from(store):
    """Also where the class has another text for itself."""
    json = {"colour": Colour.RED, "by": {Colour.RED: 1}, "pair": Pair(0.5, 2), "code": http.HTTPStatus.OK}
    loaded = store.load(store.save(0, 1, Checkpoint({}, json), {})).json
    assert loaded == {"colour": "red", "by": {"red": 1}, "pair": (0.5, 2), "code": 200}
    assert [type(loaded[name]) for name in ("colour", "pair", "code")] == [str, tuple, int]


def test_what_would_lose_something_is_refused():
    """A masked array its mask, a number of 128 bits its digits."""
    with pytest.raises(TypeError, match="tensor 'x' is masked: keep its data and its mask as two tensors"):
        prepared(Checkpoint({"x": np.ma.array([1.0, 2.0], mask=[True, False])}))
    with pytest.raises(TypeError, match=r"json\.n holds a longdouble, which cannot be kept"):
        prepared(Checkpoint({}, {"n": np.longdouble(1)}))
