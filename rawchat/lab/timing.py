"""The figures of one exchange: when the first byte came, when the first text, how fast, and where it hung.

    first byte 412 ms · first text 431 ms · 87 events in 80 reads · 27.9 tokens/s · longest gap 310 ms · 3.1 s

Time zero is the moment of sending. Only what the recording shows: a token is what `usage` counts, and where no usage
came there is no token rate. Pure; says nothing about causes.
"""

from __future__ import annotations

from typing import Any, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from ..protocol.reply import Reply
from .exchange import Exchange, Piece, Reading, Step

_REASONING = ("reasoning_content", "reasoning")


class Timing(NamedTuple):
    """Microseconds since the sending, or None for what never came; counts; and the longest silence."""

    head_us: Optional[int] = None
    first_byte_us: Optional[int] = None  # of the body
    first_event_us: Optional[int] = None
    first_reasoning_us: Optional[int] = None
    first_text_us: Optional[int] = None
    first_tool_us: Optional[int] = None  # the beginning of a tool call
    last_text_us: Optional[int] = None
    finish_us: Optional[int] = None
    usage_us: Optional[int] = None
    done_us: Optional[int] = None  # [DONE]
    last_byte_us: Optional[int] = None
    end_us: Optional[int] = None
    reads: int = 0
    events: int = 0
    reads_with_events: int = 0
    text_characters: int = 0
    prompt_tokens: Optional[int] = None
    completion_tokens: Optional[int] = None
    longest_gap_us: int = 0  # between two reads of the body
    longest_gap_from_us: int = 0  # when it began
    finish_reason: str = ""

    @property
    def first_output_us(self) -> Optional[int]:
        """The first that the model made: reasoning, text or a tool call. Time to first token, as people say."""
        seen = (self.first_reasoning_us, self.first_text_us, self.first_tool_us)
        return min((at_us for at_us in seen if at_us is not None), default=None)

    @property
    def total_us(self) -> Optional[int]:
        """Until the end, or as far as the recording goes."""
        return self.end_us if self.end_us is not None else self.last_byte_us

    @property
    def tokens_per_s(self) -> Optional[float]:
        """Completion tokens over the time in which text and reasoning came; None without usage or for one burst."""
        first = [at_us for at_us in (self.first_reasoning_us, self.first_text_us) if at_us is not None]
        last_us = self.last_text_us
        if not self.completion_tokens or not first or last_us is None or last_us - min(first) < 1000:
            return None
        return self.completion_tokens / ((last_us - min(first)) / 1e6)


def measure(exchange: Exchange, reading: Optional[Reading] = None) -> Timing:
    """All figures of an exchange, complete or not. `reading` is its own, where somebody has it already."""
    steps, reply, _, pieces, _ = exchange.reading() if reading is None else reading
    gap_us, gap_from_us = longest_gap(pieces)
    prompt_tokens, completion_tokens = _tokens(reply)
    texts = [step.at_us for step in steps if step.text or _has(step, _REASONING)]
    return Timing(
        head_us=exchange.head_us,
        first_byte_us=pieces[0].at_us if pieces else None,
        first_event_us=steps[0].at_us if steps else None,
        first_reasoning_us=next((step.at_us for step in steps if _has(step, _REASONING)), None),
        first_text_us=next((step.at_us for step in steps if step.text), None),
        first_tool_us=next((step.at_us for step in steps if _has(step, ("tool_calls", "function_call"))), None),
        last_text_us=texts[-1] if texts else None,
        finish_us=next((step.at_us for step in steps if _finish(step)), None),
        usage_us=next((step.at_us for step in reversed(steps) if step.chunk and step.chunk.get("usage")), None),
        done_us=next((step.at_us for step in steps if step.event and step.event.data.startswith("[DONE]")), None),
        last_byte_us=pieces[-1].at_us if pieces else None,
        end_us=exchange.end.at_us if exchange.end else None,
        reads=len(exchange.pieces),
        events=sum(step.event is not None for step in steps),
        reads_with_events=len({step.piece for step in steps if step.event is not None}),
        text_characters=len(reply.text) if reply is not None and reply.get("choices") else 0,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        longest_gap_us=gap_us,
        longest_gap_from_us=gap_from_us,
        finish_reason=str(reply.finish_reason or "") if reply is not None and reply.get("choices") else "",
    )


def longest_gap(pieces: Sequence[Piece]) -> Tuple[int, int]:
    """The longest time between two reads, and when it began."""
    gaps = [(later.at_us - earlier.at_us, earlier.at_us) for earlier, later in zip(pieces, pieces[1:])]
    return max(gaps, key=lambda gap: gap[0], default=(0, 0))


def duration(us: Optional[float]) -> str:
    """For people: `0.4 ms`, `412 ms`, `3.1 s`; `-` for None."""
    if us is None:
        return "-"
    ms = us / 1000
    if ms < 9.95:
        return f"{ms:.1f} ms"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    return f"{ms / 1000:.1f} s" if ms < 99_950 else f"{ms / 1000:,.0f} s"


def _choices(step: Step) -> List[Any]:
    choices = step.chunk.get("choices") if step.chunk else None
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def _has(step: Step, names: Iterable[str]) -> bool:
    """Whether a delta of this chunk holds one of these fields, with something in it."""
    deltas = [choice.get("delta") for choice in _choices(step)]
    return any(delta.get(name) for delta in deltas if isinstance(delta, dict) for name in names)


def _finish(step: Step) -> bool:
    return any(choice.get("finish_reason") for choice in _choices(step))


def _tokens(reply: Optional[Reply]) -> Tuple[Optional[int], Optional[int]]:
    usage = reply.get("usage") if reply is not None else None
    if not isinstance(usage, dict):
        return None, None
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    prompt, completion = (count if isinstance(count, int) else None for count in counts)
    return prompt, completion
