"""Recipes: functions of small ops for what needs many flags elsewhere.

They are called as one's own are:

    x = f.call("attn", bx.recipes.multi_head_attention)(x, mask=mask, heads=b.heads)

Calls that write other nodes are functions of their own in the Graph.
"""

from .attention import multi_head_attention as multi_head_attention
from .feed_forward import gated_mlp as gated_mlp
from .feed_forward import mlp as mlp
from .images import patch_embedding as patch_embedding
from .images import squeeze_excitation as squeeze_excitation
from .recurrent import gru as gru
from .recurrent import lstm as lstm
from .recurrent import simple_rnn as simple_rnn
from .transformer import transformer_block as transformer_block
