"""The auxiliary losses of UNREAL: pure functions of arrays with time first (Jaderberg et al., 2016, section 3).

Pictures are uint8 [..., channels, height, width]; cells are squares of ``CELL`` pixels of the largest grid that fits, whose
margins are cut off evenly: 10 x 10 cells of 42 x 42 pixels, 20 x 20 of 84 x 84.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, cross_entropy

from reproductions.dmlab.sweep import CELL
from reproductions.shared.rl.returns import n_step_returns

#: Frames that a reward is predicted from.
FRAMES = 3


def cells(size: int) -> int:
    """Cells along a side of a picture of ``size`` pixels: an even number, which the deconvolution can give."""
    return size // CELL // 2 * 2


def pixel_changes(pixels: Tensor) -> Tensor:
    """How much each cell changed from a picture to the next: the mean absolute difference, of pixels scaled to 0..1.

    pixels: uint8 [T + 1, N, channels, size, size]. Gives float32 [T, N, cells, cells].
    """
    size = pixels.shape[-1]
    side = cells(size) * CELL
    margin = (size - side) // 2
    inner = pixels[..., margin : margin + side, margin : margin + side].to(torch.float32) / 255
    change = (inner[1:] - inner[:-1]).abs().mean(2)
    return avg_pool2d(change, CELL)


def pixel_control_loss(q: Tensor, changes: Tensor, actions: Tensor, ended: Tensor, discount: float) -> Tensor:
    """n-step Q-learning of the changes: half the squared error, summed over cells, mean over steps and sequences.

    q: [T + 1, N, A, cells, cells], the last to bootstrap from its best action. changes: [T, N, cells, cells]. actions: int64
    [T, N]. ended: bool [T, N]: what is seen after an end is another episode, so it is worth nothing.
    """
    each = ended[..., None, None].expand(changes.shape)
    best = q[-1].detach().max(1).values
    returns = n_step_returns(changes.masked_fill(each, 0.0), each, best, discount)
    chosen = q[:-1].gather(2, actions[..., None, None, None].expand(*actions.shape, 1, *changes.shape[2:])).squeeze(2)
    return 0.5 * (returns - chosen).square().sum((-1, -2)).mean()


def reward_class(rewards: Tensor) -> Tensor:
    """0 for no reward, 1 for a positive, 2 for a negative one: float [N] to int64 [N]."""
    return (rewards > 0).to(torch.int64) + 2 * (rewards < 0).to(torch.int64)


def reward_prediction_loss(logits: Tensor, rewards: Tensor) -> Tensor:
    """Cross entropy of the class of the reward that followed: logits [N, 3], rewards float [N]; a mean over N."""
    return cross_entropy(logits, reward_class(rewards))


def value_replay_loss(values: Tensor, rewards: Tensor, ended: Tensor, discount: float) -> Tensor:
    """Half the squared error of the value on a replayed sequence: values [T + 1, N], the last to bootstrap from.

    rewards: float [T, N]. ended: bool [T, N]. A mean over steps and sequences.
    """
    returns = n_step_returns(rewards, ended, values[-1], discount)
    return 0.5 * (returns - values[:-1]).square().mean()
