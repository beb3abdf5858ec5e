"""Run as a program by the tests of Ray: python -m ray_nodes DIRECTORY FOLDER. A run on two nodes, one of which is killed."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from pbt_core import PBT, Plan
from pbt_core.testing import Hill

#: Seconds of an interval until the node was killed: in which its worker begins to train.
PAUSE = 1.0


@dataclass(frozen=True)
class Watched(Hill):
    """Leaves a file for each process that trains in ``folder``, and takes its time until the node was killed."""

    folder: str = ""

    def step(self, state, hyperparameters, steps, seed):
        Path(self.folder, f"worker-{os.getpid()}").touch()
        if not Path(self.folder, "killed").exists():
            time.sleep(PAUSE)
        return super().step(state, hyperparameters, steps, seed)


def main(directory, folder):
    import ray
    from ray.cluster_utils import Cluster

    from pbt_core.engines.ray import Ray

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = nodes.add_node(num_cpus=1)
    ray.init(address=nodes.address, log_to_driver=False, logging_level="ERROR")

    def observe(event):
        if not (folder / "killed").exists() and len(list(folder.glob("worker-*"))) == 2:
            nodes.remove_node(second, allow_graceful=False)
            (folder / "killed").touch()

    task = Watched(folder=str(folder))
    Ray(workers=2).run(task, PBT(ready=10), Plan(population=6, steps=60, interval=10, seed=3), directory, observe)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
