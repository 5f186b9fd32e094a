"""ERNIE. Sun et al., arXiv:1904.09223. BERT, and from version 2 on with types of tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..family.family import Model
from ..family.settings import flag, size
from ..parts.encoders import MODULES
from .bert import Bert, BertConfig, bert_family

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value


@dataclass(frozen=True, kw_only=True)
class ErnieConfig(BertConfig):
    task_type_vocab_size: int = size(3, "tasks")
    use_task_id: bool = flag(False)


class Ernie(Bert):
    def __init__(self, b: Any, model: Model) -> None:
        super().__init__(b, model)
        if self.config.use_task_id:
            self.takes = (*self.takes, "task_type_ids")

    def started(
        self, f: F, x: Value, input_ids: Value, **others: Value | None
    ) -> Value:
        if self.config.use_task_id:
            zeros = f.zeros_like(input_ids)
            tasks = f.default(others.get("task_type_ids"), zeros, name="tasks")
            x = x + f.embed("task_type", tasks, self.b.tasks, self.b.width)
        return super().started(f, x, input_ids)


FAMILIES = {
    "ernie": bert_family(
        "ernie",
        "Ernie",
        ErnieConfig,
        Ernie,
        "ernie.",
        MODULES | {"task_type": "embeddings.task_type_embeddings"},
    )
}
