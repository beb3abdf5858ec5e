"""Becomes the engine, after asking the kernel to kill it when its driver dies. Run as a program by ``engine.py``.

An engine that lost its driver would wait for ever for the next command, deaf to SIGTERM. Elsewhere than on Linux there is
no such request: there, an engine outlives a driver that was killed with SIGKILL.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

#: Names of the variables of the environment by which the driver tells its process and the engine's working folder.
DRIVER, FOLDER = "DOOM_DRIVER", "DOOM_FOLDER"
#: The argument by which the driver tells what their shared memory is called, and the file there that keeps it.
INSTANCE, NOTE = "+viz_instance_id", "instance"
PR_SET_PDEATHSIG = 1


def main() -> None:
    """``launcher.py ENGINE ARGUMENTS...``: never returns."""
    engine, *arguments = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(os.environ[DRIVER]):  # it died before the request
        sys.exit(1)
    os.chdir(os.environ[FOLDER])
    Path(NOTE).write_text(arguments[arguments.index(INSTANCE) + 1], encoding="ascii")
    os.execv(engine, [engine, *arguments])


if __name__ == "__main__":
    main()
