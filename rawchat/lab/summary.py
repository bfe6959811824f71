"""One exchange in one line, and one message in a few: what the tap prints when a call ends, and `show` lists.

    #3 POST /chat/completions 200 stream ttft 412ms 87 events 3.1s stop 412→87 tok
    #4 POST /chat/completions 429 rate limit 0.1s, again after 0.5s
    #5 = #4 again, attempt 2: 200 stream ttft 380ms 12 events 0.9s cut off: the connection was reset

Ttft is the time from the sending to the first that the model made: reasoning, text or a tool call. Prints nothing.
"""

from __future__ import annotations

from typing import List, Optional

from ..protocol.status import classify
from .exchange import ENDS, Exchange
from .timing import Timing, measure

# Many clients close after [DONE], without waiting for the last chunk: nothing is missing then.
CONTENT = "the client left after [DONE]"


def span(us: Optional[int]) -> str:
    """Short, for a line full of figures: `412ms`, `3.1s`, `-`."""
    if us is None:
        return "-"
    return f"{us / 1000:.0f}ms" if us < 999_500 else f"{us / 1e6:.1f}s"


def call_line(exchange: Exchange, timing: Optional[Timing] = None) -> str:
    """All that matters about an exchange, in about 80 columns. Not yet fit for a terminal: see terminal.printable."""
    figures = timing or measure(exchange)
    words = [f"#{exchange.number}"]
    if exchange.attempt > 1 and exchange.call != exchange.number:
        words.append(f"= #{exchange.call} again, attempt {exchange.attempt}:")
    else:
        words += [exchange.request.method, short_path(exchange.path)]
    words += _answer_words(exchange, figures)
    if exchange.wait_s is not None:
        words[-1] += ","
        words.append(f"again after {exchange.wait_s:.1f}s")
    return " ".join(word for word in words if word)


def short_path(path: str) -> str:
    """The path without the version in front, which every call has: /chat/completions."""
    start, mark, rest = path.partition("/v1/")
    return f"/{rest}" if mark and rest and not start else path


def _answer_words(exchange: Exchange, figures: Timing) -> List[str]:
    end = exchange.end
    if exchange.head is None:
        return [ENDS[end.how] if end and end.how in ENDS else end.how if end else "no answer yet", span(figures.end_us)]
    words = [str(exchange.head.status)]
    if exchange.head.status >= 300:
        words.append(_error_words(exchange))
    elif exchange.is_stream:
        ttft = f"ttft {span(figures.first_output_us)}" if figures.first_output_us is not None else ""
        words += ["stream", ttft, f"{figures.events} event{'' if figures.events == 1 else 's'}"]
    words.append(span(figures.total_us))
    words.append(figures.finish_reason)
    words.append(_token_words(figures))
    words.append(how_it_ended(exchange))
    return [word for word in words if word]


def _error_words(exchange: Exchange) -> str:
    assert exchange.head is not None
    verdict = classify(exchange.head.status, exchange.head.headers, exchange.body())
    label = verdict.why.partition(":")[0]
    return label[len(str(verdict.status)) :].strip() if label.startswith(str(verdict.status)) else label


def _token_words(figures: Timing) -> str:
    if figures.prompt_tokens is None and figures.completion_tokens is None:
        return ""
    counts = ["?" if count is None else str(count) for count in (figures.prompt_tokens, figures.completion_tokens)]
    return f"{counts[0]}→{counts[1]} tok"


def how_it_ended(exchange: Exchange) -> str:
    """What is wrong with the end; "" for one that is as it should be."""
    end = exchange.end
    if end is None:
        return "no end recorded"
    if end.how == "client_gone" and exchange.is_stream and exchange.error() is None:
        return CONTENT
    if end.how != "eof":
        return f"cut off: {ENDS.get(end.how, end.how)}"
    if not end.whole:
        return f"cut off: {exchange.flaw or 'the body is not whole'}"
    error = exchange.error() if exchange.head is not None and exchange.head.status < 300 else None
    return f"not complete: {str(error).partition(':')[0]}" if error is not None else ""
