"""What `embed` sends, step by step: batches within the server's limit, base64 asked for, one deadline for all of them.

    plan = EmbeddingPlan(settings, refused, texts, ...)
    for part, call in plan.calls():
        with plan.keeping():
            plan.add(call, <the reply to it>, part)   POST /v1/embeddings, by whichever loop
    plan.found                                        the vectors, in the order of the texts

Shared by the sync and the async client, which differ only in how a call is driven. Sends nothing itself; what comes
back is read in `protocol/embedding.py`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from .protocol.call import Call, Limits
from .protocol.embedding import MOST_INPUTS, NUMBER_FORMATS, Embeddings, batches, check_inputs
from .protocol.errors import APIError, PayloadError
from .protocol.feature_errors import BudgetExceeded
from .protocol.reply import Reply
from .settings import Options, Settings


class EmbeddingPlan:
    """One use of `embed`, for texts or lists of tokens. Raises PayloadError at once for what cannot be sent.

    Goes out in requests of at most `batch_size` texts; `deadline` bounds them all, and an error's `reply` holds what
    had come by then. `options` are those of chat(), or parameters for the body.
    """

    def __init__(
        self,
        settings: Settings,
        refused: Dict[str, Any],
        texts: Any,
        model: str,
        *,
        dimensions: Optional[int] = None,
        batch_size: Optional[int] = None,
        extra_body: Optional[Mapping[str, Any]] = None,
        **options: Any,
    ) -> None:
        if "input" in options:
            raise PayloadError("the texts are embed()'s first argument, not input=", path="input")
        self.found = Embeddings(model)
        self._settings = settings
        self._refused = refused  # options of ours that the server refuses -> what it takes
        self._texts = check_inputs(texts)
        self._batch_size = MOST_INPUTS if batch_size is None else batch_size
        self._options = Options(**{name: options[name] for name in Options._fields if name in options})
        parameters = {name: value for name, value in options.items() if name not in Options._fields}
        self._payload = {"model": model, "input": [], "dimensions": dimensions, **parameters}
        self._extra_body = dict(extra_body or {})
        # A caller who names a format of the numbers gets that one.
        self._ours = NUMBER_FORMATS.isdisjoint(self._payload) and NUMBER_FORMATS.isdisjoint(self._extra_body)
        self._limits: Optional[Limits] = None

    def calls(self) -> Iterator[Tuple[List[Any], Call]]:
        """As many texts at a time as one request takes, and the call for them, made when the one before is done."""
        for part in batches(self._texts, self._batch_size):
            yield part, self._call(part)

    def _call(self, part: List[Any]) -> Call:
        payload = {**self._payload, "input": part}
        if self._ours:
            payload["encoding_format"] = self._refused.get("encoding_format", "base64")
        given = {name: value for name, value in payload.items() if value is not None}
        call = self._settings.call("POST", "embeddings", {**given, **self._extra_body}, self._options)
        self._limits = call.limits = self._limits or call.limits
        if self._ours:
            call.instead["encoding_format"] = ["float", None]
        return call

    def add(self, call: Call, reply: Reply, part: List[Any]) -> None:
        """Take in the reply; a format the server refused is not asked for again."""
        self.found.add(reply, len(part))
        if "encoding_format" in call.refused:
            self._refused["encoding_format"] = (call.payload or {}).get("encoding_format")

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Gives an error that ends the plan what earlier parts had brought."""
        try:
            yield
        except (APIError, BudgetExceeded) as error:
            error.reply = self.found if self.found else error.reply
            raise
