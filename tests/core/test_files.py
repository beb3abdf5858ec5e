import os

import pytest

from pbt_core.files import replacing, write_whole


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
def test_a_file_is_as_public_as_the_process_makes_its_files_and_the_mask_is_left_alone(
    mask, mode, tmp_path, monkeypatch
):
    """Setting the mask, even for a moment, would open what other threads write in it."""
    before = os.umask(mask)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(os, "umask", None)
            write_whole(tmp_path / "result.json", "{}")
    finally:
        os.umask(before)
    assert (tmp_path / "result.json").stat().st_mode & 0o777 == mode


def test_a_block_that_raises_leaves_what_stood_there_and_nothing_beside_it(tmp_path):
    """The temporary file has the ending of the real one, by which libraries choose what to write."""
    path = tmp_path / "table.csv"
    write_whole(path, "old")

    def half_written():
        with replacing(path) as temporary:
            assert (temporary.parent, temporary.suffix) == (path.parent, ".csv")
            temporary.write_text("new")
            raise KeyError

    with pytest.raises(KeyError):
        half_written()
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("table.csv", "old")]
