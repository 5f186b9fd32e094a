"""Recipes: functions of small ops for what needs many flags elsewhere.

They are called as one's own are:

    x = f.call("attn", bx.recipes.multi_head_attention)(x, mask=mask, heads=b.heads)

Calls that write other nodes are functions of their own in the Graph.
"""

from inspect import isfunction as _isfunction

from ..recipe_names import learn as _learn
from .attention import multi_head_attention as multi_head_attention
from .caches import cached_attention as cached_attention
from .experts import mixture_of_experts as mixture_of_experts
from .feed_forward import gated_mlp as gated_mlp
from .feed_forward import geglu as geglu
from .feed_forward import mlp as mlp
from .feed_forward import reglu as reglu
from .feed_forward import swiglu as swiglu
from .images import convnext_block as convnext_block
from .images import inverted_residual as inverted_residual
from .images import patch_embedding as patch_embedding
from .images import squeeze_excitation as squeeze_excitation
from .latents import perceiver as perceiver
from .latents import perceiver_block as perceiver_block
from .mixers import gmlp_block as gmlp_block
from .mixers import mixer_block as mixer_block
from .recurrent import gru as gru
from .recurrent import lstm as lstm
from .recurrent import simple_rnn as simple_rnn
from .residual import basic_block as basic_block
from .residual import bottleneck_block as bottleneck_block
from .residual import diffusion_block as diffusion_block
from .residual import preactivation_block as preactivation_block
from .spectrograms import log_mel_spectrogram as log_mel_spectrogram
from .state_space import mamba as mamba
from .state_space import mamba_step as mamba_step
from .transformer import decoder_block as decoder_block
from .transformer import transformer_block as transformer_block
from .unets import double_conv as double_conv
from .unets import unet as unet

_ALSO = dict.fromkeys(("lstm", "gru", "simple_rnn"), ("bidirectional", "rnn")) | {
    "cached_attention": ("kv_cache",),
    "decoder_block": ("transformer_decoder_layer",),
    "inverted_residual": ("mbconv",),
    "multi_head_attention": ("attention", "cross_attention", "self_attention"),
    "mixture_of_experts": ("moe", "sparse_moe", "switch_transformer"),
    "patch_embedding": ("patch_embed",),
    "squeeze_excitation": ("squeeze_excite",),
    "transformer_block": ("transformer_encoder_layer",),
}
_FOUND = [found for found in vars().values() if _isfunction(found)]
for _recipe in _FOUND:
    if _recipe.__module__.startswith(__name__):
        _learn(_recipe.__name__, *_ALSO.get(_recipe.__name__, ()))
