"""A scikit-learn model that learns by partial_fit, on its digits. Run: python examples/sklearn_partial_fit.py"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier

from pbt_core import PBT, Checkpoint, LogUniform, Plan, Processes, Score, Space

digits = load_digits()
X, Y = digits.data / 16, digits.target
TRAIN, SELECT, REPORT = slice(0, 1000), slice(1000, 1400), slice(1400, None)


@dataclass(frozen=True)
class Linear:
    """The state is what partial_fit goes on from: weights, biases and the count of samples, as arrays."""

    batch: int = 32
    space = Space({"eta0": LogUniform(1e-4, 10.0), "alpha": LogUniform(1e-6, 1e-1)})

    def init(self, seed, hyperparameters):
        return {"coef": np.zeros((10, 64)), "intercept": np.zeros(10), "seen": np.ones(1)}

    def step(self, state, hyperparameters, steps, seed):
        model = self._model(state, hyperparameters, seed)
        for batch in seed.generator().integers(0, 1000, (steps, self.batch)):
            model.partial_fit(X[TRAIN][batch], Y[TRAIN][batch], classes=np.arange(10))
        return {"coef": model.coef_, "intercept": model.intercept_, "seen": np.array([model.t_])}

    def evaluate(self, state, seed):
        right = (X @ state["coef"].T + state["intercept"]).argmax(1) == Y
        return Score(right[SELECT].mean(), held_out=right[REPORT].mean())

    def save(self, state):
        return Checkpoint(state)

    def load(self, checkpoint, hyperparameters):
        return {name: np.array(array) for name, array in checkpoint.tensors.items()}

    def _model(self, state, hyperparameters, seed):
        """A classifier with this member's hyperparameters that goes on from ``state``."""
        random_state = np.random.RandomState(seed.integer() % 2**32)
        model = SGDClassifier("log_loss", learning_rate="constant", random_state=random_state, **hyperparameters)
        model.partial_fit(X[:1], Y[:1], classes=np.arange(10))  # makes the attributes that are set here
        model.coef_, model.intercept_, model.t_ = state["coef"].copy(), state["intercept"].copy(), state["seen"].item()
        return model


if __name__ == "__main__":
    plan = Plan(population=8, steps=200, interval=10, seed=0)
    run = Processes().run(Linear(), PBT(ready=20), plan, Path(tempfile.mkdtemp()))
    print(f"member {run.best}: selected at {run.score:.3f}, with {run.hyperparameters}, in {run.directory}")
