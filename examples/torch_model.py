"""A torch model by the ready-made task: an MLP on scikit-learn's digits. Run: python examples/torch_model.py"""

import tempfile
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn

from pbt_core import PBT, LogUniform, OneMinus, Perturb, Plan, Processes, Score, Space, Truncation, Uniform
from pbt_core.torch_task import TorchTask

digits = load_digits()
X = torch.tensor(digits.data / 16, dtype=torch.float32)
Y = torch.tensor(digits.target)
TRAIN, SELECT, REPORT = slice(0, 1000), slice(1000, 1400), slice(1400, None)


def network():
    """What is trained: the same for all members."""
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def batches(steps, seed):
    """The numbers of 64 images a step, drawn from the member's own stream."""
    return torch.from_numpy(seed.generator().integers(0, 1000, (steps, 64)))


def loss(model, batch, smoothing):
    """A hyperparameter that is no setting of the optimiser, such as ``smoothing``, comes as an argument."""
    return nn.functional.cross_entropy(model(X[TRAIN][batch]), Y[TRAIN][batch], label_smoothing=smoothing)


def accuracy(model):
    """On images that select, and on others that are only reported."""
    right = (model(X).argmax(1) == Y).float()
    return Score(right[SELECT].mean().item(), held_out=right[REPORT].mean().item())


SPACE = Space({"lr": LogUniform(1e-5, 1e-1), "beta1": OneMinus(0.8, 0.99), "smoothing": Uniform(0.0, 0.2)})
TASK = TorchTask(SPACE, network, torch.optim.AdamW, batches, loss, accuracy)

if __name__ == "__main__":
    method = PBT(ready=100, exploit=Truncation(0.2), explore=Perturb((1.2, 0.8)))
    plan = Plan(population=8, steps=1000, interval=50, seed=0)
    run = Processes().run(TASK, method, plan, Path(tempfile.mkdtemp()))
    print(f"member {run.best}: selected at {run.score:.3f}, with {run.hyperparameters}, in {run.directory}")
