"""What is fetched or built once: by one of those who come, whole or not at all, and checked before it is used."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reproductions.shared import assets
from reproductions.shared.assets import DataError
from reproductions.suite.study.registry import ConfigError


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
        return assets.once(tmp_path / "corpus", ["content"], build)

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

assets.once(Path(sys.argv[1]), ["half"], build)
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

    assets.once(tmp_path / "corpus", ["content"], build)
    assert (tmp_path / "corpus" / "content").read_text() == "whole"
    assert not list(tmp_path.rglob("half"))


def test_a_builder_that_fails_leaves_nothing_and_the_next_may_try(tmp_path: Path) -> None:
    """Its error is its own."""

    def fails(empty: Path) -> None:
        (empty / "half").touch()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        assets.once(tmp_path / "corpus", ["half"], fails)
    assert not list(tmp_path.rglob("half"))
    assert assets.once(tmp_path / "corpus", ["content"], lambda empty: (empty / "content").touch()).is_dir()


def _replaced(path: Path, kind: str) -> None:
    """Another kind of file, or none, in the place of a file or folder."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind != "nothing":
        path.symlink_to({"device": "/dev/zero", "loop": path.name, "dangling link": "nowhere"}[kind])


KINDS = ("nothing", "pipe", "folder", "device", "loop", "dangling link")
MANIFESTS = {
    "empty": b"",
    "no-names": b"{}",
    "a-list": b"[]",
    "another-name": b'{"other": "00"}',
    "no-checksum": b'{"content": null}',
    "many-digits": b'{"content": ' + b"9" * 5000 + b"}",
    "deep": b"[" * 100_000,
    "deep-value": b'{"content": ' + b"[" * 900 + b"]" * 900 + b"}",
    "endless": b" " * (2 << 20),
    "no-text": b"\xff\xfe",
}


@pytest.mark.parametrize("manifest", MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_must_hold_the_checksums_of_what_the_folder_is_to_hold(manifest: bytes, tmp_path: Path) -> None:
    """One that names nothing, or something else, verifies nothing."""
    folder = assets.once(tmp_path / "corpus", ["content"], lambda empty: (empty / "content").touch())
    (folder / "manifest.json").write_bytes(manifest)
    with pytest.raises(DataError, match=r"^[^\n]{1,500}; remove the folder to build it again$"):
        assets.once(folder, ["content"], lambda empty: None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["content", "manifest.json", ""])
def test_what_is_no_file_any_more_is_named_with_the_remedy(name: str, kind: str, tmp_path: Path) -> None:
    """Nothing is waited for, and nothing is read without end. A folder that is not there is built."""
    folder = assets.once(tmp_path / "corpus", ["content"], lambda empty: (empty / "content").touch())
    _replaced(folder / name, kind)
    if (name, kind) == ("", "nothing"):
        assets.once(folder, ["content"], lambda empty: (empty / "content").touch())
        assert (folder / "content").is_file()
        return
    with pytest.raises(
        DataError, match=r"corpus is torn or altered \(.*(content|manifest.json): .*\); remove the folder"
    ):
        assets.once(folder, ["content"], lambda empty: None)


def test_a_file_that_was_altered_is_named_with_the_remedy(tmp_path: Path) -> None:
    """Its checksum is not that of the manifest."""
    folder = assets.once(tmp_path / "corpus", ["content"], lambda empty: (empty / "content").touch())
    (folder / "content").write_text("other")
    with pytest.raises(DataError, match=r"corpus is torn or altered \(sha256 of content is .*; remove the folder"):
        assets.once(folder, ["content"], lambda empty: None)


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_file_is_verified_or_unpacked(kind: str, tmp_path: Path) -> None:
    """What has become something else is named with the remedy."""
    for path in (tmp_path / "plain", tmp_path / "packed.gz"):
        path.write_bytes(gzip.compress(b"whole"))
        _replaced(path, kind)
        with pytest.raises(DataError, match=f"{path}: .*; remove it to fetch it again"):
            assets.verified(path, "00ff")
        with pytest.raises(DataError, match=f"{path}: .*; remove it to fetch it again"):
            assets.content(path, 5, "00ff")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "\0",
        "no\nsuch",
        "x" * 5000,
        "nosuch",
        "nosuch/deeper",
        "file",
        "file/",
        "pipe",
        "loop",
        "dangling",
        "/dev/null",
    ],
)
def test_a_folder_of_data_that_is_named_must_be_there(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be a slip of the keyboard: nothing is made. The default one is."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    Path("dangling").symlink_to("nowhere")
    before = sorted(tmp_path.iterdir())
    with (
        pytest.raises(
            ConfigError, match=r"^task\.data = [^\n]{1,120} must be a folder that is there: make it with mkdir"
        ),
        assets.data_folder(value),
    ):
        pytest.fail("nothing may be done there")
    assert sorted(tmp_path.iterdir()) == before
    with assets.data_folder("data") as folder:
        assert folder == Path("data")


def test_what_is_wrong_with_data_begins_with_the_setting(tmp_path: Path) -> None:
    """And with the file, where the system names one; other errors are none of data."""
    with pytest.raises(ConfigError, match=r"task\.data = '.*': altered"), assets.data_folder(str(tmp_path)):
        raise DataError("altered")
    with (
        pytest.raises(ConfigError, match=r"task\.data = '/proc': /proc/new: No such file or directory"),
        assets.data_folder("/proc") as folder,
    ):
        (folder / "new").mkdir()
    with pytest.raises(BlockingIOError), assets.data_folder(str(tmp_path)):
        raise BlockingIOError


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
