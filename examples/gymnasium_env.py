"""Population Based Training on a Gymnasium environment of your choice. Run: python examples/gymnasium_env.py

Bring an id and a search space; "my_package:MyEnv-v0" names an environment that my_package registers when it is imported.
"""

import sys
import tempfile
from pathlib import Path

from pbt_core import PBT, Integer, LogUniform, Perturb, Plan, Processes, Space, Stream, Truncation
from reproductions.shared.rl.gym import GymnasiumTask

SPACE = Space(
    {
        "lr": LogUniform(3e-4, 3e-2),
        "entropy_cost": LogUniform(1e-3, 1e-1),
        "unroll": Integer(4, 32, log=True),  # steps between two updates; it may change while a member trains
    }
)
TASK = GymnasiumTask(id="CartPole-v1", space=SPACE, batch=8, clip_rewards=False, report_episodes=40)

if __name__ == "__main__":
    steps, interval = (int(value) for value in sys.argv[1:3]) if len(sys.argv) > 1 else (40_000, 8_000)
    # Episodes that an interval cuts are not counted: 8,000 steps are 1,000 in each environment, twice the longest episode.
    plan = Plan(population=4, steps=steps, interval=interval, seed=0)
    method = PBT(ready=interval, exploit=Truncation(0.25), explore=Perturb((1.2, 0.8)))
    TASK.prepare(plan)
    run = Processes().run(TASK, method, plan, Path(tempfile.mkdtemp()))
    report = TASK.report(run.state(TASK), Stream(plan.seed).child("report"))
    settings = run.hyperparameters
    print(f"mean return {report.value:.1f} of {len(report.samples)} new episodes, by member {run.best}: {settings}")
