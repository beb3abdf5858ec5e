"""A search played out without weights, files or processes: what a method finds, in milliseconds."""

import math

from pbt_core import Clone, Integer, LogUniform, Population, Restart, Space, Stream, Uniform
from pbt_core.ledger import Ledger

SPACE = Space({"lr": LogUniform(1e-5, 1.0), "decay": Uniform(0.0, 1.0), "layers": Integer(1, 20)})
BEST = {"lr": 1e-2, "decay": 0.3, "layers": 7}


def gain(hyperparameters, step=0):
    """What a step of training adds to the score: 1 at ``BEST``, falling off in every direction."""
    lr = math.log10(hyperparameters["lr"] / BEST["lr"])
    decay, layers = hyperparameters["decay"] - BEST["decay"], hyperparameters["layers"] - BEST["layers"]
    return math.exp(-(lr**2) - 4 * decay**2 - (layers / 5) ** 2)


def play(method, size, steps, seed, interval=10, gain=gain, noise=0.1, space=SPACE, train=None):
    """A synchronous run: its ledger.

    Weights are the sum of their gains, and the score; or ``train(weights, hyperparameters)`` gives the weights after an
    interval, of None for fresh ones, and their score.
    """
    streams, ledger = Stream(seed), Ledger()
    weights = dict.fromkeys(range(size), 0.0 if train is None else None)
    for m, hyperparameters in enumerate(method.start(space, size, streams.child("start").generator())):
        ledger.apply({"event": "joined", "member": m, "step": 0, "hyperparameters": hyperparameters})
    for step in range(interval, steps + 1, interval):
        for m, slot in list(ledger.slots.items()):
            if train is None:
                weights[m] += interval * gain(slot.member.hyperparameters, step)
                score = weights[m]
            else:
                weights[m], score = train(weights[m], slot.member.hyperparameters)
            score += noise * streams.child("evaluate", m, step).generator().normal()
            fields = {"score": score, "samples": [], "checkpoint": "", "hyperparameters": slot.member.hyperparameters}
            ledger.apply({"event": "evaluated", "member": m, "step": step, **fields})
        if step < steps:
            members = {m: slot.published for m, slot in ledger.slots.items()}
            view, before = Population(members, space, ledger.evaluations), dict(weights)
            for m in members:
                decision = method.decide(members[m], view, streams.child("decide", m, step).generator())
                _apply(ledger, members, m, step, decision, weights, before)
    return ledger


def _apply(ledger, members, m, step, decision, weights, before):
    where = {"member": m, "step": step, "hyperparameters": decision.hyperparameters}
    if isinstance(decision, Restart):
        weights[m] = None if weights[m] is None or isinstance(weights[m], tuple) else 0.0
        ledger.apply({"event": "restarted", **where})
    elif isinstance(decision, Clone):
        parent, weights[m] = members[decision.parent], before[decision.parent]
        source = {"member": parent.id, "step": step, "digest": ""}
        fields = {"parent": parent.id, "weights": True, "source": source, "score": parent.score, "age": parent.age}
        ledger.apply({"event": "cloned", **where, **fields, "samples": [], "history": []})
    elif decision.hyperparameters is not None:
        ledger.apply({"event": "changed", **where})
