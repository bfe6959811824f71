"""Says in a sentence what the timing and the end of one exchange mean, from its figures alone.

    92 % of the events came in 3 reads: something between the model and the client buffers.
    The connection was reset 640 ms after sending, after 3 events ...
    All is well: first text after 412 ms, then 87 events in 2.7 s, 31.4 tokens/s.

`evidence.gather` collects the facts, `diagnose` applies RULES to them: each row is a function that recognises one
thing, and says it with the numbers it saw. The gravest finding is the headline. The thresholds stand at the top, each
with its reason. Pure. It does not guess what the bytes do not show: where several causes look alike, it names them all.
"""

from __future__ import annotations

from typing import Callable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..protocol.errors import StreamInterrupted
from .evidence import Evidence, bursts
from .timing import Timing, duration

# A stream is "in a few bursts" where this many of them hold this share of its events.
FEW_BURSTS = 3
BUFFERED_SHARE = 0.8
# With fewer events, three reads are simply what they need.
BUFFERED_FEWEST_EVENTS = 12
# An answer that was all here by then was quick, however it was cut: nobody sees the difference.
BUFFERED_SHORTEST_US = 200_000
# Events in clumps, one clump after another: at least so many a clump, and so long from clump to clump.
CLUMP_FEWEST_EVENTS = 4.0
CLUMP_SHORTEST_GAP_US = 50_000
# A silence inside an answer: long enough to be noticed, and far from this stream's own rhythm.
STALL_US = 2_000_000
STALL_TIMES_MEDIAN = 8
# People who see nothing for three seconds begin to doubt; and it must be a good part of the whole to be the matter.
SLOW_FIRST_US = 3_000_000
SLOW_FIRST_SHARE = 0.4
# The head counts as late where it took this part of the time to the first text.
LATE_HEAD_SHARE = 0.8
# People read five to eight tokens a second: below that, they wait for the model.
SLOW_TOKENS_PER_S = 8.0
SLOW_FEWEST_TOKENS = 20
# After [DONE] a server has nothing to do but to end the body.
HANGING_END_US = 1_000_000
# A whole answer that took this long would have been better streamed.
LONG_WHOLE_US = 10_000_000
# A server that puts several tokens into an event; below two it may be the way a tokenizer counts.
MANY_TOKENS_AN_EVENT = 2.0
# Sizes that buffers have.
_BUFFER_SIZES = frozenset(2**power for power in range(9, 18))

# From the gravest on; each with a mark of its own shape, so that no colour is needed to tell them apart.
LEVELS: Mapping[str, str] = {"broken": "✕", "attention": "▲", "open": "◌", "note": "○", "good": "✓"}
GRAVE = frozenset(("broken", "attention", "open"))


class Finding(NamedTuple):
    """One thing that was recognised. `level` is a key of LEVELS; `cure` says what to do, "" where nothing is to do."""

    name: str
    level: str
    says: str
    cure: str = ""


class Diagnosis(NamedTuple):
    """`findings` begin with the gravest; there is always one."""

    findings: List[Finding]

    @property
    def level(self) -> str:
        return self.findings[0].level

    @property
    def sentence(self) -> str:
        return self.findings[0].says


def diagnose(evidence: Evidence) -> Diagnosis:
    """What the evidence means, the gravest first."""
    found = [finding for rule in RULES for finding in [rule(evidence)] if finding is not None]
    if not any(finding.level in GRAVE for finding in found):
        found.append(_fine(evidence))
        return Diagnosis(sorted(found, key=lambda finding: finding.level != "good"))
    order = list(LEVELS)
    return Diagnosis(sorted(found, key=lambda finding: order.index(finding.level)))


# --- words ----------------------------------------------------------------------------------------------------------


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def _so_far(timing: Timing) -> str:
    """`3 events and 11 characters of text`, or `not one event`."""
    if not timing.events:
        return "not one event"
    return f"{_count(timing.events, 'event')} and {_count(timing.text_characters, 'character')} of text"


def _median(values: Sequence[int]) -> int:
    return sorted(values)[len(values) // 2] if values else 0


# --- the answer did not come, or not all of it ----------------------------------------------------------------------

_NO_ANSWER: Mapping[str, Tuple[str, str]] = {
    "unreachable": ("No connection could be made", "Is the server running, and are host and port right?"),
    "reset": ("The connection was reset {after}, before an answer began", "The server or something before it gave up."),
    "timeout": ("No answer came within {time}", "The read timeout struck; the server may still have been at work."),
    "client_gone": ("The client left {after}, before an answer began", "Its timeout is shorter than the server needs."),
    "stopped": ("The recorder was stopped {after}, before an answer began", ""),
    "eof": ("The connection was closed {after} without an answer", "A kept connection that the server closed does so."),
}


def _no_answer(evidence: Evidence) -> Optional[Finding]:
    if evidence.status is not None or evidence.end is None:
        return None
    end = evidence.end
    says, cure = _NO_ANSWER.get(end.how, (f"No answer came: {end.how}", ""))
    says = says.format(after=f"{duration(end.at_us)} after sending", time=duration(end.at_us))
    detail = f": {end.detail}" if end.detail else ""
    return Finding("no_answer", "broken", f"{says}{detail}.{_tried_again(evidence)}", cure)


def _tried_again(evidence: Evidence) -> str:
    if not evidence.next_number:
        return ""
    return f" Sent again as #{evidence.next_number}, {duration(evidence.next_after_us)} after this one."


def _still_open(evidence: Evidence) -> Optional[Finding]:
    if evidence.end is not None:
        return None
    if evidence.status is None:
        return Finding("still_open", "open", "Still open: no answer has begun.")
    says = f"Still open: so far {_so_far(evidence.timing)}"
    if evidence.timing.last_byte_us is not None:
        says += f", the last byte {duration(evidence.timing.last_byte_us)} after sending"
    return Finding("still_open", "open", f"{says}.", "No end was recorded: it still runs, or the recorder was stopped.")


def _refused(evidence: Evidence) -> Optional[Finding]:
    error = evidence.error
    if evidence.status is None or 200 <= evidence.status < 300 or error is None:
        return None
    after = f", {duration(evidence.timing.head_us)} after sending" if evidence.timing.head_us is not None else ""
    says = f"The server refused{after}: {error.message.rstrip('.')}.{_tried_again(evidence)}"
    cure = error.hint or ("The same request may succeed later." if error.retryable else "")
    if not error.hint and error.retry_after_s is not None:
        cure = f"The server asks to wait {error.retry_after_s:g} s."
    # One that was tried again is a step on the way; one that was not is the end of it.
    return Finding("refused", "attention" if evidence.next_number else "broken", says, cure)


def _error_inside(evidence: Evidence) -> Optional[Finding]:
    error = evidence.error
    if evidence.status is None or not 200 <= evidence.status < 300 or error is None:
        return None
    if isinstance(error, StreamInterrupted) or evidence.end is None:
        return None
    says = f"The status is {evidence.status}, and yet this is no answer"
    if evidence.is_stream:
        says = f"The stream went wrong after {_so_far(evidence.timing)}"
    says += f": {error.message.rstrip('.')}."
    cure = error.hint or "A client that looks at the status alone takes this for success."
    return Finding("error_inside", "broken", says + _tried_again(evidence), cure)


_BREAKS: Mapping[str, str] = {
    "reset": "The connection was reset",
    "timeout": "Nothing came any more until the time was up",
    "stopped": "The recorder was stopped",
    "eof": "The connection closed in the middle of the answer",
}
_CLEAN_END = "The stream ended as if all was well"


def _broken_stream(evidence: Evidence) -> Optional[Finding]:
    end = evidence.end
    if not isinstance(evidence.error, StreamInterrupted) or end is None or end.how == "client_gone":
        return None
    clean = end.how == "eof" and end.whole and not evidence.flaw
    how = _CLEAN_END if clean else _BREAKS.get(end.how, end.how)
    says = f"{how}, {duration(end.at_us)} after sending, after {_so_far(evidence.timing)}: no finish_reason, no [DONE]."
    silence_us = end.at_us - (evidence.timing.last_byte_us or 0)
    if end.how == "timeout" or silence_us >= STALL_US:
        says += f" The last byte came {duration(silence_us)} before."
    cure = "A client that takes the end of the body for the end of the answer keeps a cut text, and does not know it."
    return Finding("broken_stream", "broken", says + _tried_again(evidence), cure if clean else "")


def _client_left(evidence: Evidence) -> Optional[Finding]:
    end = evidence.end
    if evidence.status is None or end is None or end.how != "client_gone":
        return None
    if evidence.error is None and evidence.timing.finish_us is not None:
        return Finding("client_left", "note", "The client closed its side after the answer was whole: no harm done.")
    says = f"The client closed the connection {duration(end.at_us)} after sending, after {_so_far(evidence.timing)}"
    cure = "Cancelled on purpose, or a timeout of the client's own? The server may go on, and bill, until it notices."
    return Finding("client_left", "attention", f"{says}, while the answer was still coming.", cure)


def _bad_framing(evidence: Evidence) -> Optional[Finding]:
    if not evidence.flaw or evidence.error is not None or evidence.end is None or evidence.end.how == "client_gone":
        return None
    says = f"The answer is complete by what it says, but not as HTTP: {evidence.flaw}."
    return Finding("bad_framing", "attention", says, "Some clients raise an error here although all the text is there.")


_FINISHES: Mapping[str, Tuple[str, str]] = {
    "length": (
        "The answer was cut off at the token limit (finish_reason length)",
        "Raise max_completion_tokens (max_tokens on older models), or ask for less.",
    ),
    "content_filter": ("The content filter ended the answer (finish_reason content_filter)", ""),
}


def _ended_early(evidence: Evidence) -> Optional[Finding]:
    if evidence.timing.finish_reason not in _FINISHES:
        return None
    says, cure = _FINISHES[evidence.timing.finish_reason]
    tokens = evidence.timing.completion_tokens
    after = f" after {_count(tokens, 'token')}" if tokens is not None else ""
    return Finding("ended_early", "attention", f"{says}{after}.", cure)


# --- it came, but how? ----------------------------------------------------------------------------------------------


def _buffered(evidence: Evidence) -> Optional[Finding]:
    events = len(evidence.arrivals_us)
    if events < BUFFERED_FEWEST_EVENTS or evidence.arrivals_us[-1] < BUFFERED_SHORTEST_US:
        return None
    largest = sorted(bursts(evidence), key=lambda burst: -burst.events)[:FEW_BURSTS]
    while len(largest) > 1 and sum(burst.events for burst in largest[:-1]) >= BUFFERED_SHARE * events:
        largest.pop()
    share = sum(burst.events for burst in largest) / events
    if share < BUFFERED_SHARE:
        return None
    reads = sum(burst.reads for burst in largest)
    where = _count(reads, "read") if reads <= FEW_BURSTS else _count(len(largest), "burst")
    part = "All events" if share == 1 else f"{int(100 * share)} % of the events"
    says = f"{part} came in {where}: something between the model and the client buffers"
    cure = "nginx: proxy_buffering off, or the answer header X-Accel-Buffering: no; switch off compression of event "
    cure += "streams. A server that writes only when its answer is whole looks the same."
    seen = f" The head names: {', '.join(evidence.suspects)}." if evidence.suspects else ""
    return Finding("buffered", "attention", f"{says} ({_count(events, 'event')}).{seen}", cure)


def _clumped(evidence: Evidence) -> Optional[Finding]:
    clumps = bursts(evidence)
    if len(clumps) <= FEW_BURSTS or len(evidence.arrivals_us) < CLUMP_FEWEST_EVENTS * len(clumps):
        return None
    gaps_us = [later.at_us - earlier.at_us for earlier, later in zip(clumps, clumps[1:])]
    if _median(gaps_us) < CLUMP_SHORTEST_GAP_US or _buffered(evidence) is not None:
        return None
    each = len(evidence.arrivals_us) / len(clumps)
    says = f"The {_count(len(evidence.arrivals_us), 'event')} came in {len(clumps)} clumps of about {each:.0f}, one "
    says += f"each {duration(_median(gaps_us))}: something collects them before it passes them on"
    return Finding(
        "clumped",
        "attention",
        f"{says}{_buffer_size(evidence)}.",
        "A block size or a flush timer of a proxy or an HTTP library, or a content filter that reads ahead.",
    )


def _buffer_size(evidence: Evidence) -> str:
    """Where most reads have the size of a buffer, that is worth a word."""
    sizes = evidence.read_sizes_bytes
    for size in _BUFFER_SIZES:
        if len(sizes) > 3 and sizes.count(size) * 2 > len(sizes):
            return f"; {sizes.count(size)} of {len(sizes)} reads have exactly {size:,} bytes"
    return ""


def _stalled(evidence: Evidence) -> Optional[Finding]:
    times = evidence.arrivals_us
    gaps_us = [later - earlier for earlier, later in zip(times, times[1:])]
    longest_us = max(gaps_us, default=0)
    # A stream of a few events has no rhythm to compare with: its median may be the stall itself.
    rhythm_us = _median(sorted(gaps_us)[:-1])
    if longest_us < STALL_US or longest_us < STALL_TIMES_MEDIAN * rhythm_us:
        return None
    event = gaps_us.index(longest_us)
    alive = sum(times[event] < at_us < times[event + 1] for at_us in evidence.read_times_us)
    kept = f", kept alive by {_count(alive, 'comment')}" if alive else ""
    says = f"A stall of {duration(longest_us)} after event {event + 1:,} ({duration(times[event])} after sending){kept}"
    usual = f"; elsewhere the events are {duration(rhythm_us)} apart" if rhythm_us else ""
    return Finding("stalled", "attention", f"{says}{usual}.", "An idle timeout should look at data, not at pings.")


def _first_us(timing: Timing) -> Optional[int]:
    """When the model's first sign came: reasoning or text."""
    found = [at_us for at_us in (timing.first_reasoning_us, timing.first_text_us) if at_us is not None]
    return min(found, default=timing.first_event_us)


def _slow_first(evidence: Evidence) -> Optional[Finding]:
    first_us, total_us = _first_us(evidence.timing), evidence.timing.total_us
    if not evidence.is_stream or first_us is None or not total_us or first_us < SLOW_FIRST_US:
        return None
    if first_us < SLOW_FIRST_SHARE * total_us:
        return None
    head_us = evidence.timing.head_us or 0
    says = f"Slow first token: it came {duration(first_us)} after sending, of {duration(total_us)} in all"
    if head_us >= LATE_HEAD_SHARE * first_us:
        where = f"the head itself came only after {duration(head_us)}: a queue, a cold start, or a long prompt"
    else:
        where = f"the head came after {duration(head_us)}, and then the model was not ready"
    if evidence.hidden_reasoning_tokens:
        where += f"; {_count(evidence.hidden_reasoning_tokens, 'token')} of reasoning were billed and not shown"
    return Finding("slow_first", "attention", f"{says}; {where}.")


def _slow_stream(evidence: Evidence) -> Optional[Finding]:
    rate = evidence.timing.tokens_per_s
    if not evidence.is_stream or rate is None or rate >= SLOW_TOKENS_PER_S:
        return None
    if (evidence.timing.completion_tokens or 0) < SLOW_FEWEST_TOKENS:
        return None
    first = f"the first token was here after {duration(_first_us(evidence.timing))}"
    says = f"Slow stream: {rate:.1f} tokens/s once it ran, slower than people read; {first}"
    return Finding("slow_stream", "attention", f"{says}. A slow model or machine, not a slow line.")


def _hanging_end(evidence: Evidence) -> Optional[Finding]:
    timing = evidence.timing
    last_us = timing.done_us if timing.done_us is not None else timing.finish_us
    if last_us is None or timing.end_us is None or timing.end_us - last_us < HANGING_END_US:
        return None
    what = "[DONE]" if timing.done_us is not None else "finish_reason"
    says = f"After {what} the body stayed open for another {duration(timing.end_us - last_us)}."
    return Finding("hanging_end", "attention", says, "A client that waits for the end of the body waits that long.")


def _not_streamed(evidence: Evidence) -> Optional[Finding]:
    if not evidence.asked_stream or evidence.is_stream or evidence.status != 200 or evidence.error is not None:
        return None
    return Finding("not_streamed", "attention", "A stream was asked for, and one whole JSON answer came.")


# --- worth knowing --------------------------------------------------------------------------------------------------


def _retried(evidence: Evidence) -> Optional[Finding]:
    if not evidence.earlier:
        return None
    before = ", ".join(f"#{attempt.number} {attempt.ended}" for attempt in evidence.earlier)
    says = f"This is attempt {evidence.attempt}; before it: {before}."
    cost = f" {duration(evidence.lost_us)} went into those attempts and the waits between." if evidence.lost_us else ""
    return Finding("retried", "note", says + cost)


def _thought(evidence: Evidence) -> Optional[Finding]:
    first_us, text_us = evidence.timing.first_reasoning_us, evidence.timing.first_text_us
    if first_us is None or text_us is None or text_us <= first_us:
        return None
    says = f"The model thought aloud for {duration(text_us - first_us)} before its first text."
    return Finding("thought", "note", says)


def _no_usage(evidence: Evidence) -> Optional[Finding]:
    complete = evidence.is_stream and evidence.is_completion and evidence.error is None and evidence.end is not None
    if not complete or evidence.status != 200 or evidence.timing.usage_us is not None:
        return None
    if evidence.asked_usage:
        says, cure = "Usage was asked for, and none came: the cost of this call is unknown.", ""
    else:
        says = "No usage came, so tokens and cost are unknown."
        cure = 'stream_options: {"include_usage": true} asks for it.'
    return Finding("no_usage", "note", says, cure)


def _many_tokens_an_event(evidence: Evidence) -> Optional[Finding]:
    tokens, events = evidence.timing.completion_tokens, evidence.timing.events
    shown = (tokens or 0) - evidence.hidden_reasoning_tokens
    if not evidence.is_stream or events < BUFFERED_FEWEST_EVENTS or shown < MANY_TOKENS_AN_EVENT * events:
        return None
    says = f"About {shown / events:.1f} tokens an event: the server sends several at a time."
    return Finding("many_tokens_an_event", "note", says)


def _long_whole(evidence: Evidence) -> Optional[Finding]:
    total_us = evidence.timing.total_us or 0
    if evidence.is_stream or evidence.asked_stream or evidence.error is not None or not evidence.is_completion:
        return None
    if evidence.status != 200 or total_us < LONG_WHOLE_US:
        return None
    says = f"The whole answer took {duration(total_us)}; streamed, its first words would have been here long before."
    return Finding("long_whole", "note", says)


def _fine(evidence: Evidence) -> Finding:
    """What is said where no rule had anything grave to say."""
    timing = evidence.timing
    if not evidence.is_stream:
        counts = (timing.prompt_tokens, timing.completion_tokens)
        tokens = f", {counts[0]:,} → {counts[1]:,} tokens" if None not in counts else ""
        says = f"All is well: the whole answer {duration(timing.total_us)} after sending{tokens}."
        return Finding("fine", "good", says)
    first_us = _first_us(timing)
    what = "first reasoning" if first_us == timing.first_reasoning_us else "first text"
    if timing.first_text_us is None and timing.first_reasoning_us is None:
        what = "first event"
    says = f"All is well: {what} after {duration(first_us)}, then {_count(timing.events, 'event')} in "
    says += duration((timing.last_byte_us or 0) - (first_us or 0))
    if timing.tokens_per_s is not None:
        says += f", {timing.tokens_per_s:.1f} tokens/s"
    return Finding("fine", "good", f"{says}; {_finished(timing)}.")


def _finished(timing: Timing) -> str:
    words = [f"finish_reason {timing.finish_reason}"] if timing.finish_reason else []
    return " and ".join([*words, "[DONE]"] if timing.done_us is not None else words)


Rule = Callable[[Evidence], Optional[Finding]]
RULES: Tuple[Rule, ...] = (
    _no_answer,
    _refused,
    _error_inside,
    _broken_stream,
    _still_open,
    _client_left,
    _buffered,
    _stalled,
    _clumped,
    _slow_first,
    _slow_stream,
    _hanging_end,
    _ended_early,
    _not_streamed,
    _bad_framing,
    _retried,
    _thought,
    _no_usage,
    _many_tokens_an_event,
    _long_whole,
)


# --- two runs -------------------------------------------------------------------------------------------------------

# What is told of two runs: a figure's name in Timing, and how people call it.
_COMPARED: Mapping[str, str] = {"head_us": "head", "first_text_us": "first text", "total_us": "end"}
# Below this, two times are the same to whoever waits.
SAME_US = 20_000
SAME_SHARE = 0.05


def compare(first: Timing, second: Timing, names: Tuple[str, str] = ("the first", "the second")) -> str:
    """How the second run differs from the first, in a sentence."""
    said: List[str] = []
    for field, label in _COMPARED.items():
        one, other = getattr(first, field), getattr(second, field)
        if one is not None and other is not None and abs(other - one) >= max(SAME_US, SAME_SHARE * one):
            later = "later" if other > one else "earlier"
            said.append(f"{label} {duration(abs(other - one))} {later} ({duration(one)} → {duration(other)})")
    rates = first.tokens_per_s, second.tokens_per_s
    if rates[0] and rates[1] and not 1 - SAME_SHARE <= rates[1] / rates[0] <= 1 + SAME_SHARE:
        said.append(f"{rates[1] / rates[0]:.2f} times the token rate ({rates[0]:.1f} → {rates[1]:.1f} tokens/s)")
    if not said:
        return f"{names[1]} against {names[0]}: no difference in timing that anybody would notice."
    return f"{names[1]} against {names[0]}: {'; '.join(said)}."
