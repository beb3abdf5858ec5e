"""Engines: ways to carry a run out. All of them drive the same Driver; see ``pbt_core.engines.base``."""

from pbt_core.engines.base import Engine, Run
from pbt_core.engines.processes import Processes
from pbt_core.engines.serial import Serial

__all__ = ["Engine", "Processes", "Run", "Serial"]
