"""Mamba. Gu and Dao, arXiv:2312.00752. States in place of attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import blox as bx
from blox.builder.values import Input
from blox.mapping.rules import Rule

from ..family.family import Family, Model
from ..family.settings import Settings, choice, flag, nested, number, only, size, unused
from ..parts.activations import ACTIVATIONS, activation

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.graph import GraphBuilder
    from blox.builder.values import Value


def _is_rank(value: Any) -> bool:
    return value == "auto" or (type(value) is int and 0 < value < 2**16)


@dataclass(frozen=True, kw_only=True)
class MambaConfig(Settings):
    vocab_size: int = size(50280, "vocab")
    hidden_size: int = size(768, "width")
    num_hidden_layers: int = size(32, "depth", high=4096)
    state_size: int = size(16, "state_size")
    expand: float = number(2, 1e-3, 1e3)
    intermediate_size: int | None = size(None, "inner")
    conv_kernel: int = size(4, low=2, high=64)
    time_step_rank: int | str = nested("auto", "an integer or auto", _is_rank)
    layer_norm_epsilon: float = number(1e-5, 1e-30, 1.0)
    hidden_act: str = choice("silu", *ACTIVATIONS)
    use_bias: bool = flag(False)
    use_conv_bias: bool = flag(True)
    tie_word_embeddings: bool = flag(True)
    rms_norm: bool = only(True)
    residual_in_fp32: bool = unused()  # sums have the float of the model
    # How arrays start, how it is run elsewhere, names of other libraries.
    time_step_scale: float = unused()
    time_step_min: float = unused()
    time_step_max: float = unused()
    time_step_init_scheme: str = unused()
    time_step_floor: float = unused()
    rescale_prenorm_residual: bool = unused()
    use_mambapy: bool = unused()
    use_associative_scan: bool = unused()
    fused_add_norm: bool = unused()
    pad_vocab_size_multiple: int = unused()
    ssm_cfg: dict[str, Any] | None = nested(None, "{}", lambda v: not v)
    d_model: int = unused()
    d_inner: int = unused()
    n_layer: int = unused()

    def __post_init__(self) -> None:
        if self.intermediate_size is None:
            width = int(self.expand * self.hidden_size)
            object.__setattr__(self, "intermediate_size", width)

    @property
    def rank(self) -> int:
        """Of the map that gives the lengths of steps."""
        rank = self.time_step_rank
        return rank if isinstance(rank, int) else -(-self.hidden_size // 16)


class States(NamedTuple):
    """What a layer keeps: (batch, kernel - 1, inner) and (batch, inner, state)."""

    window: Value
    h: Value


def write(b: GraphBuilder, model: Model) -> None:
    """Two entries: whole texts, and steps with states."""
    config: MambaConfig = model.config
    before = config.conv_kernel - 1

    def end(f: F, x: Value) -> dict[str, Value]:
        x = f.rms_norm("norm_f", x, eps=config.layer_norm_epsilon)
        if not model.head:
            return {"last_hidden_state": x}
        if config.tie_word_embeddings:
            return {"logits": f.unembed("lm_head", x, params="embeddings")}
        return {"logits": f.linear("lm_head", x, b.vocab, use_bias=False)}

    def mixed(
        f: F, x: Value, present: Value, states: States | None
    ) -> tuple[Value, States]:
        """The branch of a layer, and its next states."""
        x = f.rms_norm("norm", x, eps=config.layer_norm_epsilon) * present
        both = f.linear("in_proj", x, 2 * b.inner, use_bias=config.use_bias)
        u, gate = f.split(both, 2, axis=-1, names=["u", "gate"], name="parts")
        seen = u
        if states is not None:
            seen = f.concatenate([states.window, u], axis=-2, name="seen")
        conv = f.conv(
            "conv", seen, b.inner, [config.conv_kernel], groups=b.inner,
            padding="CAUSAL" if states is None else "VALID",
            use_bias=config.use_conv_bias,
        )  # fmt: skip
        u = activation(f, config.hidden_act, conv) * present
        y, h = scanned(f, u, None if states is None else states.h)
        y = y * f.silu(gate)
        y = f.linear("out_proj", y, b.width, use_bias=config.use_bias)
        return y, States(seen[:, -before:], h[:, -1])

    def scanned(f: F, u: Value, h: Value | None) -> tuple[Value, Value]:
        """The selective scan, and its states (batch, seq, inner, state)."""
        rank, state = config.rank, config.state_size
        found = f.linear("x_proj", u, rank + 2 * state, use_bias=False)
        dt, into, out = f.split(
            found, [rank, state, state], axis=-1, names=["dt", "b", "c"],
            name="selected",
        )  # fmt: skip
        dt = f.softplus(f.linear("dt_proj", dt, b.inner), name="dt")
        counted = {"name": "progression", "start": 1.0, "of": "log"}
        a_log = f.param("a_log", [b.inner, b.state_size], init={"value": counted})
        decay = f.exp(dt[..., None] * -f.exp(a_log), name="decay")
        gain = f.multiply((dt * u)[..., None], into[..., None, :], name="gain")
        states = f.linear_recurrence(decay, gain, -3, initial=h, name="states")
        y = f.einsum([states, out], "...ds,...s->...d")
        d = f.param("d", [b.inner], init={"value": {"name": "ones"}})
        return y + u * d, states

    def layer(f: F, x: Value, present: Value) -> Value:
        return x + mixed(f, x, present, None)[0]

    def next_layer(
        f: F, x: Value, present: Value, window: Value, h: Value
    ) -> dict[str, Value]:
        y, states = mixed(f, x, present, States(window, h))
        return {"x": x + y, "window": states.window, "h": states.h}

    def start(f: F, ids: Value, mask: Value | None) -> tuple[Value, Value]:
        present = f.default(mask, f.ones_like(ids), name="present")[..., None]
        return f.embed("embeddings", ids, b.vocab, b.width), present

    ids = Input(["batch", "seq"], "int32")
    mask = Input(["batch", "seq"], "int32", optional=True)

    @b.entry(input_ids=ids, attention_mask=mask)
    def main(
        f: F, input_ids: Value, attention_mask: Value | None = None
    ) -> dict[str, Value]:
        """Token ids to hidden states of the last layer, or scores of words."""
        x, present = start(f, input_ids, attention_mask)
        run = f.repeat("layers", layer, count=b.depth, scan=model.scan)
        return end(f, run(x, present))

    shapes: list[list[int | str]] = [
        ["batch", before, b.inner], ["batch", b.inner, b.state_size],
    ]  # fmt: skip
    kept = [
        Input([b.depth, *shape]) if model.scan else Input(shape, copies=b.depth)
        for shape in shapes
    ]

    @b.entry(input_ids=ids, window=kept[0], h=kept[1], attention_mask=mask)
    def step(
        f: F,
        input_ids: Value,
        window: Value,
        h: Value,
        attention_mask: Value | None = None,
    ) -> dict[str, Value]:
        """The next tokens; `window` is what convolutions saw last, `h` the states."""
        x, present = start(f, input_ids, attention_mask)
        run = f.repeat("layers", next_layer, count=b.depth, scan=model.scan)
        y = run(x, present, window=bx.slices(window), h=bx.slices(h))
        return {
            **end(f, y["x"]),
            "window": bx.output(y["window"], next="window"),
            "h": bx.output(y["h"], next="h"),
        }


MODULES = {
    "embeddings": "embeddings",
    "layers.{i}.norm": "layers.{i}.norm",
    "layers.{i}.in_proj": "layers.{i}.mixer.in_proj",
    "layers.{i}.conv": "layers.{i}.mixer.conv1d",
    "layers.{i}.x_proj": "layers.{i}.mixer.x_proj",
    "layers.{i}.dt_proj": "layers.{i}.mixer.dt_proj",
    "layers.{i}.out_proj": "layers.{i}.mixer.out_proj",
    "norm_f": "norm_f",
    "lm_head": "lm_head",
}

FAMILIES = {
    "mamba": Family(
        model_type="mamba",
        config=MambaConfig,
        heads={"MambaModel": "", "MambaForCausalLM": "causal_lm"},
        write=write,
        modules=MODULES,
        rules=lambda _: [
            Rule("layers.{i}.a_log", "layers.{i}.mixer.A_log"),
            Rule("layers.{i}.d", "layers.{i}.mixer.D"),
        ],
        prefix="backbone.",
        top=("lm_head",),
        old_names=(("embedding.", "embeddings."),),
    )
}
