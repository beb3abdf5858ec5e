"""FullyConv and FullyConvLSTM, the agents of the paper that introduced the mini-games (Vinyals et al., 2017, section 4.3).

Convolutions keep the size of screen and minimap; what they give, the spatial state, is read by a fully connected layer, from
which follow the value, the function and the arguments that are no points, and by a convolution of 1x1 for each argument that
is one. The parts of an action are independent given the observation, and only those count that the function takes.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from reproductions.shared.rl import distributions
from reproductions.shared.rl.actor_critic import Output, PolicyHead, actor_critic_loss
from reproductions.shared.rl.agent import Agent, Loss, Observations, Recurrent, Rollout
from reproductions.shared.rl.distributions import Distribution, Joint
from reproductions.shared.rl.environments import Composite
from reproductions.shared.rl.returns import n_step_returns
from reproductions.starcraft.layers import Planes, logarithmic, minimap_layers, screen_layers
from reproductions.starcraft.maps import MiniGame
from reproductions.starcraft.specification import ARGUMENTS, MINIMAP, PLAYER, SCREEN

#: Arguments that are points, which the spatial policy gives.
POINTS = tuple(name for name, values in ARGUMENTS.items() if values is None)
#: Channels that the categories of a screen or minimap are embedded in (our choice; the paper's is not known).
EMBEDDED = 8
#: Scale of the last layers' weights at the beginning.
_NEAR_UNIFORM = 0.1
#: What the spatial policy's logits are multiplied by; the connected layer's inputs are divided by the size. The networks can
#: say the same without. But an optimiser that moves every weight by about the learning rate moves a layer of thousands of
#: inputs by far more than one of sixteen: with these, one rate suits both (our choice).
_POINTING = 4.0


class _SpatialAgent(Agent):
    """What both agents share: they differ in what the spatial state is.

    game: a map, of which follows what they see and do. size: cells of an edge of screen and minimap. channels: of the first
    and of the second convolution. width: of the fully connected layer. whole_minimap: look at the minimap also on maps where
    it tells nothing (see ``layers.minimap_layers``).
    """

    used: Tensor

    def __init__(
        self,
        game: MiniGame,
        actions: Composite,
        size: int,
        channels: tuple[int, int] = (16, 32),
        width: int = 256,
        discount: float = 0.99,
        whole_minimap: bool = False,
    ) -> None:
        super().__init__()
        self.actions, self.size, self.discount, self.functions = actions, size, discount, game.functions
        self.screen = _Convolutions(Planes(game, SCREEN, screen_layers(game)), channels)
        on_minimap = MINIMAP if whole_minimap else minimap_layers(game)
        self.minimap = _Convolutions(Planes(game, MINIMAP, on_minimap), channels) if on_minimap else None
        self.perceived = channels[1] * (2 if on_minimap else 1)
        self.numbers = len(PLAYER) + len(game.functions)
        self.state_channels = self._make_state(self.perceived + self.numbers)
        self.connected = nn.Linear(self.state_channels * size * size + self.numbers, width)
        self.points = [name for name in actions.parts if name in POINTS]
        self.spatial = nn.Conv2d(self.state_channels, len(self.points), 1)
        self.policy = PolicyHead(width, {name: part for name, part in actions.parts.items() if name not in POINTS})
        self.value = nn.Linear(width, 1)
        used = distributions.usage(actions)
        assert used is not None, "the function decides which arguments count"
        self.register_buffer("used", used, persistent=False)
        self._begin()

    def _begin(self) -> None:
        """Weights for rectified units and biases of zero, so that empty ground gives nothing; a policy near uniform (ours).

        The first convolution is scaled as if of its 25 cells one were not empty ground, as is mostly the case: otherwise a
        unit's features would be a fifth of what the next layers are made for, and the policy slow to notice it.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        with torch.no_grad():
            for part in (self.screen, self.minimap):
                if part is not None:
                    part.first.weight *= part.first.kernel_size[0]
            self.connected.weight[:, : -self.numbers] *= self.size
        for head in (self.spatial, *self.policy.parts, self.value):
            nn.init.normal_(head.weight, std=_NEAR_UNIFORM / math.sqrt(head.weight[0].numel()))

    @abstractmethod
    def _make_state(self, seen: int) -> int:
        """Make what is between the convolutions and the spatial state, of which this is the number of channels.

        seen: channels of the convolutions and planes of the vectors, one for each of their numbers.
        """

    @abstractmethod
    def _state(self, perceived: Tensor, numbers: Tensor, carried: Recurrent) -> tuple[Tensor, Recurrent]:
        """The spatial state [B, channels, size, size] from convolutions [B, perceived, size, size] and numbers [B, n]."""

    def step(self, observations: Observations, carried: Recurrent, rng: torch.Generator) -> tuple[Output, Recurrent]:
        perceived = self.screen(observations["feature_screen"])
        if self.minimap is not None:
            perceived = torch.cat([perceived, self.minimap(observations["feature_minimap"])], 1)
        available = observations["available_actions"].to(torch.float32)
        numbers = torch.cat([logarithmic(observations["player"]), available], 1)
        state, carried = self._state(perceived, numbers, carried)
        features = torch.relu(self.connected(torch.cat([state.flatten(1) / self.size, numbers], 1)))
        points = (_POINTING * self.spatial(state)).flatten(2).unbind(1)
        logits = {**self.policy(features), **dict(zip(self.points, points, strict=True))}
        ordered = {name: logits[name] for name in self.actions.parts}
        policy = distributions.distribution(self.actions, ordered, observations, self.used)
        return Output(policy, self.value(features).squeeze(-1)), carried

    def distribution(self, outputs: Output) -> Distribution:
        return outputs.policy

    def loss(
        self, outputs: Sequence[Output], after: Output, rollout: Rollout, coefficients: Mapping[str, float]
    ) -> Loss:
        values = torch.stack([output.value for output in outputs])
        returns = n_step_returns(rollout.rewards, rollout.ended, after.value, self.discount)
        policy = distributions.stacked([output.policy for output in outputs])
        loss, metrics = actor_critic_loss(policy, values, returns, rollout.actions, coefficients)
        return loss, {**metrics, **self._choices(policy, rollout.actions["function"])}

    def _choices(self, policy: Distribution, chosen: Tensor) -> dict[str, Tensor]:
        """The entropy of the function, and each function's share of a rollout: a collapse to one of them is seen here."""
        assert isinstance(policy, Joint)
        functions = torch.arange(len(self.functions), device=chosen.device)
        shares = (chosen.flatten() == functions[:, None]).sum(1) / chosen.numel()
        entropy = policy.parts["function"].entropy().mean().detach()
        return {"function_entropy": entropy} | {
            f"share_of_{name}": share for name, share in zip(self.functions, shares, strict=True)
        }


class FullyConv(_SpatialAgent):
    """The spatial state is what the convolutions give. Nothing is carried.

    The paper appends each number of the vectors as a plane of that value in all cells. Of these a convolution of 1x1 makes a
    constant, which a softmax over cells does not notice, and a fully connected layer adds their weights up: here the numbers
    go straight to that layer, which is the same.
    """

    def _make_state(self, seen: int) -> int:
        return self.perceived

    def _state(self, perceived: Tensor, numbers: Tensor, carried: Recurrent) -> tuple[Tensor, Recurrent]:
        return perceived, {}

    def initial(self, batch: int) -> Recurrent:
        return {}


class FullyConvLstm(_SpatialAgent):
    """A convolutional LSTM of 3x3 on convolutions and planes of the vectors; the spatial state is its output."""

    gates: nn.Conv2d

    def _make_state(self, seen: int) -> int:
        channels = self.perceived
        self.gates = nn.Conv2d(seen + channels, 4 * channels, 3, padding=1)
        return channels

    def _state(self, perceived: Tensor, numbers: Tensor, carried: Recurrent) -> tuple[Tensor, Recurrent]:
        planes = numbers[:, :, None, None].expand(-1, -1, self.size, self.size)
        gates = self.gates(torch.cat([perceived, planes, carried["hidden"]], 1))
        entering, kept, shown, new = gates.chunk(4, 1)
        cell = torch.sigmoid(kept) * carried["cell"] + torch.sigmoid(entering) * torch.tanh(new)
        hidden = torch.sigmoid(shown) * torch.tanh(cell)
        return hidden, {"hidden": hidden, "cell": cell}

    def initial(self, batch: int) -> Recurrent:
        shape = batch, self.perceived, self.size, self.size
        return {name: torch.zeros(shape, device=self.device) for name in ("hidden", "cell")}


class _Convolutions(nn.Module):
    """Layers of screen or minimap to features [B, channels, size, size]: categories embedded by 1x1, then 5x5 and 3x3.

    Between the embedding and the convolution of 5x5 there is nothing that is not linear: both are computed as one.
    """

    def __init__(self, planes: Planes, channels: tuple[int, int]) -> None:
        super().__init__()
        self.planes = planes
        self.embedding = nn.Linear(planes.categories, EMBEDDED, bias=False)
        self.first = nn.Conv2d(EMBEDDED + planes.amounts, channels[0], 5, padding=2)
        self.second = nn.Conv2d(channels[0], channels[1], 3, padding=1)

    def forward(self, layers: Tensor) -> Tensor:
        of_embedded, of_amounts = self.first.weight.split([EMBEDDED, self.planes.amounts], 1)
        of_categories = torch.einsum("oehw,ec->ochw", of_embedded, self.embedding.weight)
        kernel = torch.cat([of_categories, of_amounts], 1)
        seen = conv2d(self.planes(layers), kernel, self.first.bias, padding=2)
        return torch.relu(self.second(torch.relu(seen)))


AGENTS: Mapping[str, type[_SpatialAgent]] = {"fully_conv": FullyConv, "fully_conv_lstm": FullyConvLstm}
