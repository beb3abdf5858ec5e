"""Tasks that tests of several files train."""

import pytest

from reproductions.suite.study.settings import resolve


@pytest.fixture(scope="module")
def smoke_gan():
    """The GAN at the smoke scale, with its data."""
    settings = resolve("gan", "pbt", scale="smoke")
    task = settings.build_task()
    task.prepare(settings.plan())
    return task
