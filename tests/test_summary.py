"""One exchange in one line."""

import pytest

from . import lab_tapes, module

summary = module("lab.summary")

LINES = {
    "whole": "#1 POST /chat/completions 200 120ms stop 12→3 tok",
    "stream": "#1 POST /chat/completions 200 stream ttft 120ms 7 events 260ms stop 12→3 tok",
    "gzip": "#1 POST /chat/completions 200 stream ttft 120ms 7 events 280ms stop 12→3 tok",
    "gzip whole": "#1 POST /chat/completions 200 120ms stop 12→3 tok",
    "close-delimited": "#1 POST /chat/completions 200 stream ttft 120ms 7 events 240ms stop 12→3 tok",
    "reset": "#1 POST /chat/completions 200 stream ttft 120ms 3 events 160ms cut off: the connection was reset",
    "timeout": (
        "#1 POST /chat/completions 200 stream ttft 120ms 3 events 160ms "
        "cut off: nothing came any more, until the time was up"
    ),
    "client gone": (
        "#1 POST /chat/completions 200 stream ttft 120ms 3 events 160ms cut off: the client closed its side first"
    ),
    "cut": (
        "#1 POST /chat/completions 200 stream ttft 120ms 3 events 160ms "
        "cut off: the connection ended before the last chunk"
    ),
    "retry": "#2 = #1 again, attempt 2: 200 stream ttft 120ms 7 events 260ms stop 12→3 tok",
    "401": "#1 POST /chat/completions 401 bad key 120ms",
    "tools": "#1 POST /chat/completions 200 stream ttft 100ms 6 events 240ms tool_calls",
    "reasoning": "#1 POST /chat/completions 200 stream ttft 100ms 6 events 240ms stop 12→3 tok",
    "unreachable": "#1 POST /chat/completions no connection could be made 100ms",
    "no answer": "#1 POST /chat/completions nothing came any more, until the time was up 100ms",
    "no end": "#1 POST /chat/completions 200 stream ttft 120ms 2 events 120ms no end recorded",
    "models": "#1 GET /models 200 120ms",
    "error event": (
        "#1 POST /chat/completions 200 stream ttft 120ms 3 events 180ms "
        "not complete: 200 OK with an error inside (503 Service Unavailable)"
    ),
}


@pytest.mark.parametrize("name", LINES)
def test_the_line_says_all_that_matters(name):
    assert summary.call_line(lab_tapes.make(name)) == LINES[name]


def test_the_line_of_an_attempt_that_is_repeated_says_when():
    first, _ = lab_tapes.make_all("retry")
    assert summary.call_line(first) == "#1 POST /chat/completions 429 rate limit 120ms, again after 1.0s"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/v1/chat/completions", "/chat/completions"),
        ("/chat/completions", "/chat/completions"),
        ("/openai/v1/models", "/openai/v1/models"),
        ("/v1/", "/v1/"),
    ],
)
def test_the_version_in_front_of_a_path_is_left_out(path, shown):
    assert summary.short_path(path) == shown


@pytest.mark.parametrize(
    ("us", "text"), [(None, "-"), (0, "0ms"), (999_400, "999ms"), (999_600, "1.0s"), (3_100_000, "3.1s")]
)
def test_spans_are_short(us, text):
    assert summary.span(us) == text
