"""The JAX functions of the op library, a module per family of `blox.schema.ops`.

Each is written once and used twice: the loader calls it, the generator carries its
source over. A function has the name of its op, takes the operands in the order of the
spec class, then the parameters by name, then as keywords those attributes that are in
its signature. `silu = jax.nn.silu` says that the op is that function of JAX; `@inline`
says that a generated file has its one expression in place of a call. What would shadow
a builtin has a trailing `_`: `sum_ = jnp.sum`.
"""
