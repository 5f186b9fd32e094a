"""Primitives that no rule takes, and why."""

from __future__ import annotations

_REASONS: dict[str, tuple[str, ...]] = {
    "it runs on several devices: import what one of them computes": (
        "all_gather",
        "all_gather_invariant",
        "all_to_all",
        "axis_index",
        "pbroadcast",
        "pmax",
        "pmin",
        "ppermute",
        "psum",
        "psum_invariant",
        "ragged_all_to_all",
        "reduce_scatter",
        "shard_map",
    ),
    "it calls Python or other code while the model runs": (
        "call_exported",
        "core_map",
        "debug_callback",
        "debug_print",
        "ffi_call",
        "io_callback",
        "eval_jaxpr",
        "pure_callback",
    ),
    "it changes an array in place: return the new one": (
        "accum_grad_in_ref",
        "addupdate",
        "empty2",
        "empty_ref",
        "free_ref",
        "freeze",
        "get",
        "new_ref",
        "run_state",
        "swap",
    ),
    "it orders effects, and a Graph has none": (
        "after_all",
        "create_token",
        "dce_sink",
        "stage",
    ),
    "a Graph draws by its own ops of a key, as `dropout` and `random_normal`: "
    "make what is random an input, or draw it by a function that is recognised": (
        "iota_2x32_shape",
        "random_bits",
        "random_clone",
        "random_fold_in",
        "random_gamma",
        "random_seed",
        "random_split",
        "random_unwrap",
        "random_wrap",
        "rng_bit_generator",
        "rng_uniform",
        "threefry2x32",
    ),
    "it has a gradient of its own that its parts have not, and is no op that is "
    "recognised, as `jnp.linalg.solve` is": ("custom_linear_solve",),
    "an approximation that each device makes in its own way": ("approx_top_k",),
    "no op of blox makes these factors": (
        "cholesky_update",
        "geqp3",
        "geqrf",
        "hessenberg",
        "householder_product",
        "ormqr",
        "schur",
        "symmetric_product",
        "tridiagonal",
    ),
    "no op of blox solves such systems": ("tridiagonal_solve",),
    "no op of blox has the orders of rows that it gives": ("lu_pivots_to_permutation",),
    "a function of its own puts two elements together: only sums, products, the greatest "
    "and the least, and, or are ops": ("reduce",),
    "it is the derivative of another function": (
        "igamma_grad_a",
        "select_and_gather_add",
        "select_and_scatter",
        "select_and_scatter_add",
    ),
}

REFUSED: dict[str, str] = {
    name: reason for reason, names in _REASONS.items() for name in names
}
"""The reason by the name of the primitive."""
