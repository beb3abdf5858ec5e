"""The replay memory against a plain list of all that ever happened."""

import numpy as np
import pytest
import torch

from reproductions.shared.rl.environments import Array, Composite, Discrete
from reproductions.shared.rl.memory import Memory

CPU = torch.device("cpu")
BATCH = 3


def filled(steps, capacity, cuts=(), rewarding=0.1, ending=0.15, seed=0):
    """A memory, and the steps by (environment, number): the pixel says which step it is, the action which environment."""
    rng = np.random.default_rng(seed)
    memory = Memory(capacity, BATCH, {"pixels": Array((1, 1, 1), "uint16")}, Discrete(BATCH))
    rewards, ended = rng.random((steps, BATCH)) < rewarding, rng.random((steps, BATCH)) < ending
    for t in range(steps):
        memory.observe({"pixels": np.full((BATCH, 1, 1, 1), t)})
        memory.add(np.arange(BATCH), rewards[t].astype(float), ended[t])
        if t in cuts:
            memory.cut()
    return memory, rewards, ended


@pytest.mark.parametrize(("steps", "capacity"), [(20, 50), (50, 50), (131, 50)])
def test_sequences_are_what_happened_in_one_environment(steps, capacity):
    """Consecutive steps, never across the seam of the ring; rewards and ends of each."""
    memory, rewards, ended = filled(steps, capacity)
    drawn = memory.sequences(400, 6, np.random.default_rng(1), CPU)
    first = drawn.observations["pixels"][0].flatten().numpy()
    assert drawn.observations["pixels"].shape == (7, 400, 1, 1, 1)
    assert set(first) == set(range(max(0, steps - capacity), steps - 6))
    for n in range(400):
        b = int(drawn.actions[0, n])
        times = np.arange(first[n], first[n] + 7)
        assert drawn.observations["pixels"][:, n].flatten().tolist() == times.tolist()
        assert drawn.actions[:, n].tolist() == [b] * 6
        assert drawn.rewards[:, n].tolist() == rewards[times[:-1], b].tolist()
        assert drawn.ended[:, n].tolist() == ended[times[:-1], b].tolist()
        assert drawn.fresh[:, n].tolist() == [True, *ended[times[:-1], b]]


def test_no_sequence_reaches_over_episodes_that_were_given_up():
    """There no step ended, and yet what follows is another episode."""
    memory, _, _ = filled(60, 60, cuts=(9, 30))
    first = memory.sequences(2000, 5, np.random.default_rng(0), CPU).observations["pixels"][0].flatten()
    assert set(first.tolist()) == {t for t in range(55) if not any(t <= cut < t + 5 for cut in (9, 30))}


@pytest.mark.parametrize(("steps", "capacity"), [(40, 60), (150, 60)])
def test_windows_lie_within_an_episode(steps, capacity):
    """All that do are drawn, none that does not; the reward is that of the last observation's step."""
    memory, rewards, ended = filled(steps, capacity, cuts=(steps - 20,))
    drawn = memory.windows(6000, 3, np.random.default_rng(0), CPU)
    oldest = max(0, steps - capacity)

    def allowed(b, t):
        return not any(ended[k, b] or k == steps - 20 for k in (t - 2, t - 1))

    ends = drawn.observations["pixels"][-1].flatten().numpy()
    expected = {t for t in range(oldest + 2, steps) if any(allowed(b, t) for b in range(BATCH))}
    assert set(ends.tolist()) == expected
    assert (drawn.observations["pixels"].squeeze().numpy() == ends + np.array([[-2], [-1], [0]])).all()
    for end, reward in zip(ends, drawn.rewards, strict=True):
        assert bool(reward) in {rewards[end, b] for b in range(BATCH) if allowed(b, end)}


def test_a_reward_follows_half_of_the_windows_however_rare_rewards_are():
    """Or all, or none, if there is nothing else."""
    rng = np.random.default_rng(0)
    memory, rewards, _ = filled(100, 100, rewarding=0.02, ending=0.0)
    assert 0 < rewards[2:].sum() < 15
    assert (memory.windows(50, 3, rng, CPU).rewards != 0).sum() == 25
    odd = {int((memory.windows(5, 3, rng, CPU).rewards != 0).sum()) for _ in range(20)}
    assert odd == {2, 3}
    for share, expected in ((0.0, 0), (1.1, 50)):
        memory, _, _ = filled(100, 100, rewarding=share)
        assert (memory.windows(50, 3, rng, CPU).rewards != 0).sum() == expected


def test_a_memory_too_small_says_so():
    """Before there is a sequence, and where every one is cut."""
    memory, _, _ = filled(4, 10)
    assert memory.holds(3)
    assert not memory.holds(4)  # the observation after the last step is not there yet
    with pytest.raises(ValueError, match="holds 4 steps and no sequence of 4"):
        memory.sequences(1, 4, np.random.default_rng(0), CPU)
    with pytest.raises(ValueError, match="holds 4 steps and no window of 5"):
        memory.windows(1, 5, np.random.default_rng(0), CPU)
    memory.forget()
    assert not memory.holds(1)


def test_a_memory_goes_on_exactly_where_it_was_saved():
    """Whatever the position in the ring; in its own types, pictures a byte a pixel."""
    actions = Composite({"a": Discrete(2), "b": Discrete(3)})
    seen = {"pixels": Array((3, 2, 2), "uint8"), "speed": Array((2,), "float32")}
    memory, other = (Memory(7, 2, seen, actions) for _ in range(2))
    rng = np.random.default_rng(0)

    def steps(memories, n):
        for _ in range(n):
            now = {name: rng.integers(0, 255, (2, *a.shape)).astype(a.dtype) for name, a in seen.items()}
            done = {"a": rng.integers(0, 2, 2), "b": rng.integers(0, 3, 2)}
            result = rng.normal(size=2), rng.random(2) < 0.1
            for one in memories:
                one.observe(now)
                one.add(done, *result)

    for n in (3, 5, 4):
        steps([memory], n)
        saved = memory.save()
        assert saved["observations.pixels"].dtype == np.uint8
        other.load(saved)
        steps([memory, other], 2)
        for ours, theirs in zip(memory.save().values(), other.save().values(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        draws = [one.sequences(5, 3, np.random.default_rng(1), CPU) for one in (memory, other)]
        assert torch.equal(draws[0].observations["speed"], draws[1].observations["speed"])
        assert torch.equal(draws[0].actions["b"], draws[1].actions["b"])
