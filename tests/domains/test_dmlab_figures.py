"""The figure of this domain's own, from arrays that a run left."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from reproductions.dmlab.analysis import first_person
from reproductions.dmlab.sweep import CELL


@dataclass(frozen=True)
class Answer:
    """What the figure asks of a record."""

    folder: Path
    method: str
    seed: int = 0

    def reported(self):
        return 8.0


def test_the_grid_lies_in_the_middle_and_hides_most_where_most_change_is_expected(tmp_path):
    """A row a method, a view a column with its step; an agent without pixel control has pictures alone."""
    control = np.zeros((2, 10, 10), np.float32)
    control[0, 3, 7] = 2.0
    control[1, 9, 0] = 0.5
    answers = []
    for method, cells in (("pbt", control), ("pbt (plain)", np.zeros((0, 1, 1), np.float32))):
        folder = tmp_path / method
        folder.mkdir()
        arrays = {"frames": np.full((2, 3, 42, 42), 90, np.uint8), "steps": np.array([0, 12]), "control": cells}
        save_file(arrays, folder / "illustration.safetensors")
        answers.append(Answer(folder, method))
    with_grid, without = np.reshape(first_person(answers).axes, (2, 2))
    for number, ax in enumerate(with_grid):
        picture, grid = ax.images
        assert picture.get_extent() == [0, 42, 42, 0]
        assert grid.get_extent() == [1, 1 + 10 * CELL, 1 + 10 * CELL, 1]
        opacity = np.asarray(grid.get_array())[..., 3]
        assert np.argmax(opacity) == np.argmax(control[number])
        assert np.count_nonzero(opacity) == 1
        assert [text.get_text() for text in ax.texts] == [f"step {12 * number}"]
    assert [len(ax.images) for ax in without] == [1, 1]
    assert without[0].get_title(loc="left") == "PBT (plain), reported 8.0"
