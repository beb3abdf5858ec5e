"""Imported by the fork server alone: it imports once what every worker needs, as its request says.

That is the calling script, the task's module, and what libraries would otherwise import in each worker, at its first step.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import json
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import process, spawn
from typing import Any

from pbt_core.engines import script

#: The variable that holds the request, as JSON: how multiprocessing prepares a process, and names of modules.
REQUEST = "PBT_PRELOAD"
#: With this, torch.cuda.is_available() asks in a way that leaves forks of this process able to use CUDA.
NVML = "PYTORCH_NVML_BASED_CUDA_CHECK"


def import_for_workers(preparation: Mapping[str, Any], modules: Sequence[str]) -> None:
    """Import the script, as multiprocessing would in each worker, and the modules."""
    current: Any = process.current_process()
    current._inheriting = True  # so that whatever would start processes meanwhile is refused
    try:
        spawn.prepare(dict(preparation))
    except BaseException as error:
        name = preparation.get("init_main_from_path") or preparation.get("init_main_from_name")
        script.failed(str(name), error)
        # Workers would try again otherwise, each of them with a traceback.
        main: Any = sys.modules["__main__"]
        main.__file__, main.__spec__ = name, importlib.machinery.ModuleSpec(str(name), None)
    finally:
        del current._inheriting
    for module in modules:
        with contextlib.suppress(Exception):  # a worker that needs it meets the error again, and tells it
            importlib.import_module(module)
    if "torch" in sys.modules:
        with contextlib.suppress(ImportError):
            import torch._dynamo  # the first step of any optimiser imports it, which takes seconds  # noqa: F401


def serve_request() -> None:
    """Do what the request says. Begin again without, in this same process, if that has used CUDA: forks could not."""
    request = json.loads(os.environ.pop(REQUEST))
    asks_already = NVML in os.environ
    os.environ.setdefault(NVML, "1")
    import_for_workers(request["preparation"], request["modules"])
    if not asks_already:
        os.environ.pop(NVML, None)
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


if REQUEST in os.environ:
    serve_request()
