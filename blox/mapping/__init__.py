"""One engine that maps arrays between trees: rules as data, both ways, slice by slice.

`patterns` are those of names, `layouts` (in `spec`, `single`, `rearrange`, `parts`,
`several`, `compact`) turn arrays, `rules` join the two. `units` names our arrays a copy
each, `plan` holds rules against the leaves of a Graph and gives `moves`, `carry` performs
them, `back` goes the other way around. `join` performs the moves between two Graphs, of
`blox.surgery`, on devices and traced. `trees` and `reading` take what other libraries have;
`public` is what users call.
"""

from . import layouts as layouts
