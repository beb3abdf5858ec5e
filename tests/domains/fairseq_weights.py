"""Weights of our Transformer as fairseq's and back: the same numbers under other names.

fairseq keeps queries, keys and values apart, and the shared embedding under three names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

#: Part of a layer, as we call it and as fairseq does.
PARTS = {
    "attention.output": "self_attn.out_proj",
    "attention_residual.norm": "self_attn_layer_norm",
    "source_attention.output": "encoder_attn.out_proj",
    "source_residual.norm": "encoder_attn_layer_norm",
    "feed_forward.inner": "fc1",
    "feed_forward.outer": "fc2",
    "feed_forward_residual.norm": "final_layer_norm",
}
PROJECTIONS = {"attention.inputs": "self_attn", "source_attention.inputs": "encoder_attn"}
EMBEDDINGS = ("encoder.embed_tokens", "decoder.embed_tokens", "decoder.output_projection")
VERSION = 3.0  # of the layout of fairseq's own state, which it asks for


def weights_from_fairseq(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """fairseq's ``state_dict`` as that of our Transformer; KeyError names a weight that it lacks.

    Embeddings must be shared (``--share-all-embeddings``).
    """
    ours = {}
    for side, stack in (("encoder", "encoder.layers"), ("decoder", "decoder.layers")):
        for layer in range(_layers(theirs, stack)):
            for name, sources in _names(side):
                where = [f"{stack}.{layer}.{source}" for source in sources]
                ours[f"{side}.{layer}.{name}"] = torch.cat([theirs[source] for source in where])
        if f"{side}.layer_norm.weight" in theirs:
            for kind in ("weight", "bias"):
                ours[f"{side}_norm.{kind}"] = theirs[f"{side}.layer_norm.{kind}"]
    return {"embedding.weight": theirs["encoder.embed_tokens.weight"], **ours}


def weights_to_fairseq(ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our ``state_dict`` as that of fairseq's Transformer; KeyError names a weight that it lacks."""
    theirs = {f"{name}.weight": ours["embedding.weight"] for name in EMBEDDINGS}
    for side in ("encoder", "decoder"):
        theirs[f"{side}.version"] = torch.tensor([VERSION])
        for layer in range(_layers(ours, side)):
            for name, sources in _names(side):
                parts = ours[f"{side}.{layer}.{name}"].chunk(len(sources))
                theirs |= {f"{side}.layers.{layer}.{source}": part for source, part in zip(sources, parts, strict=True)}
        if f"{side}_norm.weight" in ours:
            for kind in ("weight", "bias"):
                theirs[f"{side}.layer_norm.{kind}"] = ours[f"{side}_norm.{kind}"]
    return theirs


def _names(side: str) -> Iterator[tuple[str, list[str]]]:
    """Each weight of a layer by our name, and fairseq's names of its parts, in order."""
    for kind in ("weight", "bias"):
        for name, source in PARTS.items():
            if side == "decoder" or not name.startswith("source_"):
                yield f"{name}.{kind}", [f"{source}.{kind}"]
        for name, source in PROJECTIONS.items():
            if side == "decoder" or not name.startswith("source_"):
                yield f"{name}.{kind}", [f"{source}.{part}_proj.{kind}" for part in ("q", "k", "v")]


def _layers(weights: Mapping[str, Tensor], stack: str) -> int:
    inside = {name.removeprefix(f"{stack}.").split(".")[0] for name in weights if name.startswith(f"{stack}.")}
    return len([name for name in inside if name.isdigit()])
