"""A mixture of experts: a router, and MLPs of which each row runs a few."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from .parts import Activation, activated, at_least_one, divisor, expect

if TYPE_CHECKING:
    from ..function import FunctionBuilder
    from ..values import Value

Scores = Literal["softmax", "softmax_of_chosen", "sigmoid"]
Method = Literal["blocks", "ragged_dot"]


def mixture_of_experts(
    f: FunctionBuilder,
    x: Value,
    *,
    experts: int,
    top_k: int,
    hidden: int,
    features: int | None = None,
    gated: bool = True,
    activation: Activation = "silu",
    use_bias: bool = False,
    scores: Scores = "softmax",
    normalize: bool = True,
    scale: float = 1.0,
    balance: bool = False,
    groups: int = 1,
    top_groups: int = 1,
    shared_hidden: int | None = None,
    shared_gate: bool = False,
    capacity: float | None = None,
    method: Method = "blocks",
) -> dict[str, Value]:
    """The weighted sum of the `top_k` MLPs that a router chooses for each row of x.

    (..., features in) -> `y` (..., features), `loss` () and `counts` (experts,). Nothing
    is dropped without a `capacity`: an expert runs as many rows as choose it, and all of it
    costs what the chosen experts cost (the op `expert_linear`). Shazeer et al.,
    arXiv:1701.06538.

    `loss` is `experts * sum(share * probability)`, the share of rows that choose an expert
    (they sum up to `top_k`) times its mean probability: to be added, times a small number,
    to what is trained. Fedus et al., arXiv:2101.03961. `counts` are the rows of each expert.
    Parameters: `router`, `gate`, `up`, `down`, kernels of experts lying on a first axis;
    `balance`; `shared_gate`, `shared_up`, `shared_down`, and `shared_weight` of `shared_gate`.

    Args:
        f: writes it.
        x: (..., features in).
        experts: how many there are.
        top_k: how many of them each row runs.
        hidden: the features between the maps of an expert.
        features: those of the result, by default those of x.
        gated: experts are `down(act(gate(x)) * up(x))`, else `down(act(up(x)))`.
        activation: what stands between their maps.
        use_bias: the maps of the experts have one.
        scores: what the router's logits are made to, in float32: `softmax` of all of them
            (Mixtral, Qwen), `softmax_of_chosen` of those chosen, `sigmoid` (DeepSeek V3).
        normalize: weights of the chosen are divided by their sum.
        scale: weights are multiplied by it.
        balance: experts are chosen by scores plus a buffer `balance`, which says nothing
            in the weights; who trains moves it by `counts`. arXiv:2408.15664.
        groups: experts lie in so many groups, and are chosen out of the `top_groups` whose
            two best scores have the greatest sums (DeepSeek V3, arXiv:2412.19437).
        top_groups: see `groups`.
        shared_hidden: the hidden features of an MLP that all rows run beside, `shared`.
        shared_gate: what it gives is multiplied by the sigmoid of a linear map (Qwen2).
        capacity: an expert has room for `ceil(capacity * rows * top_k / experts)` rows, in
            the order of `within_capacity`. What finds none adds nothing to `y`, and the
            weights of the others stay as they are; `dropped` (experts,) is how many. It
            costs what it costs without. GShard, arXiv:2006.16668; Switch Transformer,
            arXiv:2101.03961 (`top_k` 1, `normalize` False).
        method: how kernels are multiplied, see `expert_linear`.

    Raises:
        SpecError: a size below 1, more of the experts than there are, groups of other
            sizes.
    """
    at_least_one(x, experts=experts, top_k=top_k, hidden=hidden, top_groups=top_groups)
    inside = experts // groups * top_groups
    expect(x, top_k <= inside, "top_k", f"at most {inside}, the experts", top_k)
    divisor(x, "groups", groups, "experts", experts)
    logits = f.linear("router", x, experts, use_bias=False)
    logits = f.astype(logits, "float32", name="logits")
    rated, probabilities = _rated(f, logits, scores)
    choice = rated
    if balance:
        choice = choice + f.buffer("balance", [experts], dtype="float32")
    if groups > 1:
        choice = _of_best_groups(f, choice, experts, groups, top_groups)
    weights, chosen = f.top_k(choice, top_k, name="top")
    if choice is not rated:
        weights = f.take_along_axis(rated, chosen, axis=-1)
    weights = _weighed(f, weights, scores, normalize, scale)
    more: dict[str, Value] = {}
    if capacity is not None:
        expect(x, capacity > 0, "capacity", "a number above 0", capacity)
        room = f.within_capacity(chosen, experts, capacity, name="room")
        weights, more["dropped"] = f.where(room.kept, weights, 0), room.dropped

    size = x.features if features is None else features
    run = partial(f.expert_linear, use_bias=use_bias, method=method)
    rows = x[..., None, :]
    h = run("up", rows, chosen, experts, hidden)
    gate = run("gate", rows, chosen, experts, hidden) if gated else h
    h = activated(f, activation, gate) * h if gated else activated(f, activation, h)
    parts = run("down", h, chosen, experts, size)
    y = f.sum(parts * weights[..., None], axis=-2, name="mixed")
    if shared_hidden is not None:
        y = y + _shared(f, x, shared_hidden, size, activation, gated, shared_gate)
    counts = f.bincount(f.reshape(chosen, [-1]), length=experts, name="counts")
    loss = _balance_loss(f, counts, probabilities, experts, top_k)
    return {"y": y, "loss": loss, "counts": counts, **more}


def _weighed(
    f: FunctionBuilder, weights: Value, scores: Scores, normalize: bool, scale: float
) -> Value:
    """The weights of the chosen experts, in the model's float."""
    if scores == "softmax_of_chosen":
        weights = f.softmax(weights)
    elif normalize:
        weights = weights / (f.sum(weights, axis=-1, keepdims=True) + 1e-20)
    weights = weights if scale == 1 else weights * scale
    return f.astype(weights, "float", name="weights")


def _balance_loss(
    f: FunctionBuilder, counts: Value, probabilities: Value, experts: int, top_k: int
) -> Value:
    mean = f.mean(f.reshape(probabilities, [-1, experts]), axis=0, name="mean")
    share = counts * top_k / f.sum(counts)
    return f.sum(share * mean) * experts


def _rated(f: FunctionBuilder, logits: Value, scores: Scores) -> tuple[Value, Value]:
    """What experts are chosen by, and their probabilities."""
    if scores == "sigmoid":
        rated = f.sigmoid(logits, name="scores")
        return rated, rated / f.sum(rated, axis=-1, keepdims=True)
    probabilities = f.softmax(logits, name="probabilities")
    return (probabilities if scores == "softmax" else logits), probabilities


def _of_best_groups(
    f: FunctionBuilder, choice: Value, experts: int, groups: int, top_groups: int
) -> Value:
    """Scores of the experts in the best groups, -1e30 for all others."""
    grouped = f.reshape(choice, ["...", groups, experts // groups])
    best, _ = f.top_k(grouped, 2)
    _, kept = f.top_k(f.sum(best, axis=-1), top_groups)
    inside = f.sum(f.one_hot(kept, groups), axis=-2)
    return f.flatten(
        f.where(inside[..., None] > 0, grouped, -1e30), start=-2, name="choice"
    )


def _shared(
    f: FunctionBuilder,
    x: Value,
    hidden: int,
    features: int,
    activation: Activation,
    gated: bool,
    shared_gate: bool,
) -> Value:
    h = f.linear("shared_up", x, hidden, use_bias=False)
    if gated:
        gate = f.linear("shared_gate", x, hidden, use_bias=False)
        h = activated(f, activation, gate) * h
    else:
        h = activated(f, activation, h)
    y = f.linear("shared_down", h, features, use_bias=False)
    if shared_gate:
        y = f.sigmoid(f.linear("shared_weight", x, 1, use_bias=False)) * y
    return y
