"""`blox generate-text`: what a language model writes after a text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from blox.cli.output import existing, fail, say, usage
from blox.show.printable import printable

TOKENIZER = "source/tokenizer.json"


def generate_text(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A folder of `blox import hf`.", show_default=False
        ),
    ],
    prompt: Annotated[
        str,
        typer.Argument(metavar="TEXT", help="What comes before.", show_default=False),
    ],
    max_new_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-new-tokens", "-n", help="At most so many.", show_default=False
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(help="Draws tokens, at this temperature.", show_default=False),
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(help="Of the most likely so many.", show_default=False)
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(help="Of those that reach this probability.", show_default=False),
    ] = None,
    beams: Annotated[
        int | None,
        typer.Option(help="Searches over so many texts.", show_default=False),
    ] = None,
    stop: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="Ends before this text.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of draws.")] = 0,
) -> None:
    """Writes what a language model says comes after TEXT, token by token.

    The settings are those of the model's generation_config.json; options go before them.
    Greedy, where neither says to draw.

    Examples:
        blox generate-text tiny-llama "Once upon a time"
        blox generate-text tiny-llama "Once" --temperature 0.8 --top-p 0.9 --seed 1
    """
    folder = existing(model)
    tokenizer = _tokenizer(folder)
    import jax

    import blox as bx

    graph, params = bx.load(folder)
    config = bx.GenerationConfig.of(graph, folder)
    options: dict[str, Any] = {
        "max_new_tokens": max_new_tokens,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "num_beams": beams,
    }
    options = {name: value for name, value in options.items() if value is not None}
    if temperature is not None:
        options["do_sample"] = True
    config = config.replace(**options)
    stream = config.num_beams == 1 and not stop
    say(_printed(prompt), end="")
    [text] = bx.generate_text(
        graph,
        params,
        [prompt],
        tokenizer,
        config,
        stop_strings=stop or (),
        key=jax.random.key(seed),
        on_text=(lambda row, new: say(_printed(new), end="")) if stream else None,
    )
    say("" if stream else _printed(text))


def _printed(text: str) -> str:
    """Lines without what a terminal would obey."""
    return "\n".join(map(printable, text.split("\n")))


def _tokenizer(folder: Path) -> Any:
    path = folder / TOKENIZER
    if not path.is_file():
        usage(f"{printable(str(folder))}: expected {TOKENIZER}, found none")
    try:
        from tokenizers import Tokenizer
    except ImportError:
        fail(
            "expected the package tokenizers, found none; pip install 'blox-format[text]'"
        )
    return Tokenizer.from_file(str(path))


COMMANDS: dict[str, Callable[..., None]] = {"generate-text": generate_text}
