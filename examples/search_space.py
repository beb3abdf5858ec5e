"""What a search space can say: scales, choices, a constraint, a known setting. Run: python examples/search_space.py"""

from pbt_core import PBT, Choice, Integer, LogUniform, Nudge, OneMinus, Perturb, Space, Stream, Uniform, explored


def fits_memory(h):
    """batch * unroll is at most 4096."""
    return h["batch"] * h["unroll"] <= 4096


SPACE = Space(
    {
        "lr": LogUniform(1e-5, 1e-2),
        "discount": OneMinus(0.9, 0.999),  # 1 - x is what is log-uniform, and what factors divide: 1.2 still means up
        "dropout": Uniform(0.0, 0.5),
        "batch": Choice((32, 64, 128, 256), ordered=True),  # ordered: to a neighbour; else drawn anew
        "unroll": Integer(5, 100, log=True),
        "layers": Choice(((64,), (64, 64), (256, 256), None)),  # the task sees the very tuples
    },
    where=fits_memory,  # whatever is drawn or explored keeps to it
)

if __name__ == "__main__":
    known = {"lr": 3e-4, "discount": 0.99}  # in the first member; what it leaves out, and the other members, are drawn
    method = PBT(ready=100, explore=Perturb(), initial=(known,))
    rng = Stream(0).generator()
    members = method.start(SPACE, 4, rng)
    for hyperparameters in members:
        print("begins with", hyperparameters)
    for explore in (Perturb(), Nudge(0.1)):  # by factors; by a tenth of each range, on its own scale
        print(explore, "gives", explored(explore, members[0], SPACE, rng))
