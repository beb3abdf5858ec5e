"""What is fetched or built once: by one of those who come, whole or not at all, and checked before it is used."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reproductions.shared import assets
from reproductions.shared.assets import DataError


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_of_builders_that_come_at_once_one_builds_and_the_others_wait(tmp_path: Path) -> None:
    """Whatever the order, each gets the same complete folder."""
    calls, started = [], threading.Barrier(4)

    def build(empty: Path) -> None:
        calls.append(empty)
        (empty / "content").write_text("whole")

    def once(_: int) -> Path:
        started.wait()
        return assets.once(tmp_path / "corpus", build)

    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(once, range(4)))
    assert folders == [tmp_path / "corpus"] * 4
    assert len(calls) == 1
    assert sorted(path.name for path in folders[0].iterdir()) == ["content", "manifest.json"]


def test_what_a_killed_builder_leaves_is_never_taken_for_whole(tmp_path: Path) -> None:
    """SIGKILL in the middle: the next one waits for nobody, begins from an empty folder, and clears the rest away."""
    code = """
import sys, time
from pathlib import Path
from reproductions.shared import assets

def build(empty):
    (empty / "half").touch()
    print("building", flush=True)
    time.sleep(1000)

assets.once(Path(sys.argv[1]), build)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "corpus")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "building\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (tmp_path / "corpus").exists()
    assert list(tmp_path.rglob("half"))

    def build(empty: Path) -> None:
        assert not list(empty.iterdir())
        (empty / "content").write_text("whole")

    assets.once(tmp_path / "corpus", build)
    assert (tmp_path / "corpus" / "content").read_text() == "whole"
    assert not list(tmp_path.rglob("half"))


def test_a_builder_that_fails_leaves_nothing_and_the_next_may_try(tmp_path: Path) -> None:
    """Its error is its own."""

    def fails(empty: Path) -> None:
        (empty / "half").touch()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        assets.once(tmp_path / "corpus", fails)
    assert not list(tmp_path.rglob("half"))
    assert assets.once(tmp_path / "corpus", lambda empty: (empty / "content").touch()).is_dir()


@pytest.mark.parametrize("harm", ["change", "remove", "manifest"])
def test_a_folder_that_was_altered_is_named_with_the_remedy(harm: str, tmp_path: Path) -> None:
    """A changed file, a missing one, a broken manifest."""
    folder = assets.once(tmp_path / "corpus", lambda empty: (empty / "content").touch())
    if harm == "change":
        (folder / "content").write_text("other")
    elif harm == "remove":
        (folder / "content").unlink()
    else:
        (folder / "manifest.json").write_text("[]")
    with pytest.raises(DataError, match=r"corpus is torn or altered .*; remove the folder"):
        assets.once(folder, lambda empty: None)


def test_no_more_is_inflated_than_there_should_be(tmp_path: Path) -> None:
    """A file that would inflate to a thousand times its size is read to one byte more than the known size."""
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(bytes(50_000_000)))
    with pytest.raises(
        DataError, match=r"bomb\.gz: sha256 of the content is that of more than 10 bytes, expected 00ff"
    ):
        assets.content(bomb, 10, "00ff")


@pytest.mark.parametrize(
    "content",
    [b"torn", gzip.compress(b"whole", mtime=0)[:-4], gzip.compress(b"whole", mtime=0)[:5], b"\x1f\x8b" + bytes(20)],
    ids=["no-gzip", "no-trailer", "half-a-header", "no-content"],
)
def test_a_torn_gzip_file_is_one_line(content: bytes, tmp_path: Path) -> None:
    """Wherever it was torn."""
    path = tmp_path / "torn.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"torn\.gz: "):
        assets.content(path, 5, digest(b"whole"))


@pytest.mark.parametrize("name", ["plain", "packed.gz"])
def test_content_is_given_out_only_if_it_is_the_known_one(name: str, tmp_path: Path) -> None:
    """Shorter, longer and other content is refused, compressed or not."""
    path = tmp_path / name
    for content in (b"whole", b"whol", b"whole!", b"other"):
        path.write_bytes(gzip.compress(content) if path.suffix else content)
        if content == b"whole":
            assert assets.content(path, 5, digest(b"whole")) == b"whole"
        else:
            with pytest.raises(DataError, match=f"{name}: sha256 of the content is .*, expected {digest(b'whole')}"):
                assets.content(path, 5, digest(b"whole"))


@pytest.mark.parametrize(
    ("served", "message"), [(b"whole", None), (b"other", "sha256 is"), (b"who", "less"), (b"whole and more", "more")]
)
def test_a_download_is_checked_whole_and_never_longer_than_it_should_be(
    served: bytes, message: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the server sends."""
    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: io.BytesIO(served))
    path = tmp_path / "file"
    if message is None:
        assert assets.download("http://x/file", path, 5, digest(b"whole")).read_bytes() == b"whole"
    else:
        with pytest.raises(DataError, match=f"http://x/file: {message}"):
            assets.download("http://x/file", path, 5, digest(b"whole"))
        assert path.stat().st_size <= 6
