"""Run as a program by the tests of Ray: python -m ray_nodes DIRECTORY FOLDER. A run on two nodes, one of which is killed."""

import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from pbt_core import PBT, Plan
from pbt_core.testing import Hill

#: Seconds that an interval lasts on the node that is killed: its worker is always in the middle of one then.
LONG = 600.0


@dataclass(frozen=True)
class Doomed(Hill):
    """Says in ``folder`` that it trains on the node called ``node``, and does not end there. Other nodes wait for it."""

    folder: str = ""
    node: str = ""

    def step(self, state, hyperparameters, steps, seed):
        import ray

        if ray.get_runtime_context().get_node_id() == self.node:
            Path(self.folder, "trains").touch()
            time.sleep(LONG)
        wait_for(Path(self.folder, "trains"))
        return super().step(state, hyperparameters, steps, seed)


def wait_for(file):
    while not file.exists():
        time.sleep(0.01)


def main(directory, folder):
    import ray
    from ray.cluster_utils import Cluster

    from pbt_core.engines.ray import Ray

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = nodes.add_node(num_cpus=1)
    ray.init(address=nodes.address, log_to_driver=False, logging_level="ERROR")

    def strike():
        wait_for(folder / "trains")
        nodes.remove_node(second, allow_graceful=False)
        (folder / "killed").touch()

    striking = threading.Thread(target=strike, daemon=True)
    striking.start()
    task = Doomed(folder=str(folder), node=second.node_id)
    Ray(workers=2).run(task, PBT(ready=10), Plan(population=6, steps=60, interval=10, seed=3), directory)
    striking.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
