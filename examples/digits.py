"""Population Based Training of your own torch model: an MLP on scikit-learn's digits. Run: python examples/digits.py"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn

from pbt_core import PBT, Checkpoint, LogUniform, Perturb, Plan, Processes, Score, Space, Stream, Truncation
from pbt_core.torch import pack, seeded, unpack

digits = load_digits()
X = torch.tensor(digits.data / 16, dtype=torch.float32)
Y = torch.tensor(digits.target)
TRAIN, SELECT, REPORT = slice(0, 1000), slice(1000, 1400), slice(1400, None)


@dataclass(frozen=True)
class Digits:
    hidden: int = 64
    space = Space({"lr": LogUniform(1e-5, 1e-1), "weight_decay": LogUniform(1e-5, 1.0)})

    def init(self, seed, hyperparameters):
        with seeded(seed):  # torch's own initialisation, from this member's stream
            model = nn.Sequential(nn.Linear(64, self.hidden), nn.ReLU(), nn.Linear(self.hidden, 10))
        return model, torch.optim.AdamW(model.parameters())

    def step(self, state, hyperparameters, steps, seed):
        model, optimizer = state
        optimizer.param_groups[0].update(hyperparameters)  # they rule over what a checkpoint brought along
        batches = torch.from_numpy(seed.generator().integers(0, 1000, (steps, 64)))
        for batch in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(X[TRAIN][batch]), Y[TRAIN][batch]).backward()
            optimizer.step()
        return model, optimizer

    def evaluate(self, state, seed):
        with torch.no_grad():
            right = (state[0](X).argmax(1) == Y).float()
        return Score(right[SELECT].mean().item(), held_out=right[REPORT].mean().item())

    def save(self, state) -> Checkpoint:
        return pack(model=state[0], optimizer=state[1])

    def load(self, checkpoint, hyperparameters):
        state = self.init(Stream(0), hyperparameters)
        unpack(checkpoint, model=state[0], optimizer=state[1])
        return state


if __name__ == "__main__":
    method = PBT(ready=100, exploit=Truncation(0.2), explore=Perturb((1.2, 0.8)))
    plan = Plan(population=8, steps=1000, interval=50, seed=0)
    run = Processes().run(Digits(), method, plan, Path(tempfile.mkdtemp()))
    last = [event for event in run.events if event["event"] == "evaluated" and event["member"] == run.best][-1]
    print(f"member {run.best}: selected at {run.score:.3f}, held out {last['held_out']:.3f}, in {run.directory}")
