"""The sentence of diagnosis: a table of timings, and what is said of each."""

import pytest

from . import lab_tapes, module

diagnosis = module("lab.diagnosis")
evidence_module = module("lab.evidence")
exchange_module = module("lab.exchange")
errors = module("protocol.errors")
timing_module = module("lab.timing")

MS = 1000
S = 1_000_000
CUT = errors.StreamInterrupted("the stream ended")


def end(at_us, how="eof", whole=True, detail=""):
    return exchange_module.End(at_us, how, whole, detail)


def stream(times_us, reads=None, *, end_us=None, **changes):
    """Evidence of a good stream whose events came at `times_us`; `reads`: which read brought each (one each)."""
    times_us = list(times_us)
    reads = list(range(len(times_us))) if reads is None else list(reads)
    last_us = times_us[-1]
    figures = {
        "head_us": 50 * MS,
        "first_byte_us": times_us[0],
        "first_event_us": times_us[0],
        "first_text_us": times_us[0],
        "last_text_us": last_us,
        "finish_us": last_us,
        "usage_us": last_us,
        "done_us": last_us,
        "last_byte_us": last_us,
        "end_us": last_us if end_us is None else end_us,
        "events": len(times_us),
        "reads": len(set(reads)),
        "text_characters": 5 * len(times_us),
        "prompt_tokens": 12,
        "completion_tokens": len(times_us),
        "finish_reason": "stop",
    }
    figures.update(changes.pop("timing", {}))
    known = {
        "timing": timing_module.Timing(**figures),
        "status": 200,
        "is_stream": True,
        "asked_stream": True,
        "asked_usage": True,
        "end": end(figures["end_us"]),
        "arrivals_us": times_us,
        "reads_of_events": reads,
        "read_times_us": [times_us[reads.index(read)] for read in sorted(set(reads))],
        "read_sizes_bytes": [250] * len(set(reads)),
    }
    return evidence_module.Evidence(**{**known, **changes})


def broken(how="reset", whole=False, **changes):
    """A stream that broke off after twenty events."""
    changes.setdefault("end", end(500 * MS, how, whole))
    figures = {"finish_us": None, "usage_us": None, "done_us": None, "finish_reason": "", "completion_tokens": None}
    return stream(EVEN[:20], error=CUT, timing={**figures, **changes.pop("timing", {})}, **changes)


def answer(**changes):
    """Evidence of one whole JSON answer, after 300 ms."""
    figures = {"head_us": 290 * MS, "first_byte_us": 300 * MS, "last_byte_us": 300 * MS, "end_us": 300 * MS}
    figures.update({"prompt_tokens": 9, "completion_tokens": 1200, "finish_reason": "stop", "reads": 1})
    figures.update(changes.pop("timing", {}))
    known = {"timing": timing_module.Timing(**figures), "status": 200, "end": end(figures["end_us"])}
    return evidence_module.Evidence(**{**known, **changes})


def refused(error, **changes):
    return answer(status=error.status, error=error, timing={"completion_tokens": None}, **changes)


def nothing(how, detail="", at_us=5 * S):
    return evidence_module.Evidence(end=end(at_us, how, False, detail))


def attempts(*ended):
    return [evidence_module.Attempt(number, word) for number, word in enumerate(ended, start=1)]


EVEN = [400 * MS + 20 * MS * number for number in range(60)]
# 60 events: 55 in three reads, five on their own.
IN_THREE_READS = (
    [1 * S] * 20 + [2 * S] * 20 + [3 * S] * 15 + [3 * S + 50 * MS * n for n in range(1, 6)],
    [0] * 20 + [1] * 20 + [2] * 15 + [3, 4, 5, 6, 7],
)
LET_OUT = [2 * S + 100 * number for number in range(60)]  # a read each, but 100 us apart
CLUMPS = [300 * MS + 200 * MS * (number // 8) + 10 * (number % 8) for number in range(80)]
STALLED = [*EVEN[:30], *(at_us + 4 * S for at_us in EVEN[30:])]
RATE_LIMIT = errors.RateLimitError("429 Too Many Requests: slow down", status=429, retry_after_s=2.0)
BAD_KEY = errors.AuthenticationError("401 Unauthorized: no such key", status=401, hint="Look at the key.")
BUSY = errors.InternalServerError("503 Service Unavailable", status=503)
BUSY.retryable = True
ODD_STREAM = errors.InvalidResponseError("an event is not JSON", status=200)

# name -> evidence, the first finding's name and level, words of its sentence, words of its cure
ROWS = {
    "all well": (stream(EVEN), "fine", "good", ["All is well: first text after 400 ms", "60 events in 1.2 s", "50.8 tokens/s", "finish_reason stop and [DONE]"], []),
    "all well, without [DONE]": (stream(EVEN, timing={"done_us": None}), "fine", "good", ["; finish_reason stop."], []),
    "all well, reasoning first": (stream(EVEN, timing={"first_reasoning_us": 400 * MS, "first_text_us": 600 * MS}), "fine", "good", ["first reasoning after 400 ms"], []),
    "a whole answer": (answer(), "fine", "good", ["the whole answer 300 ms after sending, 9 → 1,200 tokens"], []),
    "an answer that counts one side only": (answer(timing={"prompt_tokens": None}), "fine", "good", ["300 ms after sending."], []),
    "unreachable": (nothing("unreachable", "connection refused"), "no_answer", "broken", ["No connection could be made: connection refused."], ["host and port"]),
    "timeout before the head": (nothing("timeout"), "no_answer", "broken", ["No answer came within 5.0 s."], ["read timeout"]),
    "reset before the head": (nothing("reset"), "no_answer", "broken", ["was reset 5.0 s after sending"], []),
    "client left before the head": (nothing("client_gone"), "no_answer", "broken", ["The client left 5.0 s after sending"], ["timeout"]),
    "closed before the head": (nothing("eof"), "no_answer", "broken", ["closed 5.0 s after sending without an answer"], []),
    "an end that is not known here": (nothing("abducted"), "no_answer", "broken", ["No answer came: abducted."], []),
    "still waiting": (evidence_module.Evidence(), "still_open", "open", ["no answer has begun"], []),
    "still coming": (stream(EVEN, end=None), "still_open", "open", ["60 events and 300 characters of text"], ["No end was recorded"]),
    "429, given up": (refused(RATE_LIMIT), "refused", "broken", ["429 Too Many Requests: slow down.", "290 ms after sending"], ["asks to wait 2 s"]),
    "429, tried again": (refused(RATE_LIMIT, next_number=2, next_after_us=2 * S), "refused", "attention", ["Sent again as #2, 2.0 s after this one."], []),
    "401": (refused(BAD_KEY), "refused", "broken", ["no such key"], ["Look at the key."]),
    "503": (refused(BUSY), "refused", "broken", ["503"], ["may succeed later"]),
    "a 200 that is none": (answer(error=ODD_STREAM), "error_inside", "broken", ["The status is 200, and yet this is no answer: an event is not JSON."], ["status alone"]),
    "a stream with an error in it": (stream(EVEN, error=ODD_STREAM), "error_inside", "broken", ["The stream went wrong after 60 events and 300 characters"], []),
    "reset": (broken("reset"), "broken_stream", "broken", ["The connection was reset, 500 ms after sending, after 20 events and 100 characters of text", "no finish_reason, no [DONE]"], []),
    "closed in the middle": (broken("eof"), "broken_stream", "broken", ["closed in the middle of the answer"], []),
    "a clean end that is none": (broken("eof", True), "broken_stream", "broken", ["ended as if all was well"], ["does not know it"]),
    "silence until the timeout": (broken("timeout", end=end(9 * S, "timeout", False)), "broken_stream", "broken", ["Nothing came any more", "The last byte came 8.2 s before."], []),
    "broken before any event": (broken("reset", timing={"events": 0, "text_characters": 0}), "broken_stream", "broken", ["after not one event:"], []),
    "broken, and tried again": (broken("reset", next_number=4, next_after_us=900 * MS), "broken_stream", "broken", ["Sent again as #4, 900 ms after this one."], []),
    "the client left": (broken("client_gone"), "client_left", "attention", ["The client closed the connection 500 ms after sending", "still coming"], ["timeout of the client"]),
    "the client left when all was there": (stream(EVEN, end=end(2 * S, "client_gone", False)), "fine", "good", ["All is well"], []),
    "framing that is wrong": (stream(EVEN, flaw="the last chunk is missing", end=end(2 * S, "eof", False)), "bad_framing", "attention", ["not as HTTP: the last chunk is missing."], []),
    "cut off at the limit": (stream(EVEN, timing={"finish_reason": "length"}), "ended_early", "attention", ["token limit", "after 60 tokens"], ["max_completion_tokens"]),
    "filtered": (stream(EVEN, timing={"finish_reason": "content_filter"}), "ended_early", "attention", ["content filter"], []),
    "buffered in three reads": (stream(*IN_THREE_READS, suspects=["server: nginx"]), "buffered", "attention", ["91 % of the events came in 3 reads: something between the model and the client buffers (60 events)", "The head names: server: nginx."], ["proxy_buffering off"]),
    "buffered to the end": (stream([2 * S] * 60, [0] * 60), "buffered", "attention", ["All events came in 1 read"], []),
    "let out at once, read by read": (stream(LET_OUT), "buffered", "attention", ["All events came in 1 burst"], []),
    "quick, not buffered": (stream([100 * MS] * 60, [0] * 60), "fine", "good", ["All is well"], []),
    "few events in one read": (stream([2 * S] * 11, [0] * 11), "fine", "good", ["All is well"], []),
    "in clumps": (stream(CLUMPS), "clumped", "attention", ["The 80 events came in 10 clumps of about 8, one each 200 ms"], ["flush timer"]),
    "in clumps of a buffer": (stream(CLUMPS, read_sizes_bytes=[4096] * 9 + [77]), "clumped", "attention", ["9 of 10 reads have exactly 4,096 bytes"], []),
    "a stall": (stream(STALLED), "stalled", "attention", ["A stall of 4.0 s after event 30 (980 ms after sending)", "elsewhere the events are 20 ms apart"], []),
    "a stall with pings": (stream(STALLED, read_times_us=[2 * S, 3 * S, 4 * S]), "stalled", "attention", ["kept alive by 3 comments"], ["not at pings"]),
    "slow, but evenly": (stream([S + 3 * S * number for number in range(10)]), "fine", "good", ["All is well"], []),
    "slow first token, late head": (stream([at_us + 4 * S for at_us in EVEN], timing={"head_us": 4 * S}), "slow_first", "attention", ["Slow first token: it came 4.4 s after sending, of 5.6 s in all", "the head itself came only after 4.0 s"], []),
    "slow first token, head at once": (stream([at_us + 4 * S for at_us in EVEN], hidden_reasoning_tokens=500), "slow_first", "attention", ["the head came after 50 ms", "500 tokens of reasoning were billed and not shown"], []),
    "slow first token of a long answer": (stream([4 * S + 100 * MS * n for n in range(120)]), "fine", "good", ["first text after 4.0 s"], []),
    "slow stream": (stream([S + 400 * MS * number for number in range(40)]), "slow_stream", "attention", ["Slow stream: 2.6 tokens/s", "after 1.0 s"], []),
    "slow, but next to nothing": (stream([S + 400 * MS * number for number in range(10)]), "fine", "good", ["All is well"], []),
    "an end that hangs": (stream(EVEN, end_us=EVEN[-1] + 5 * S), "hanging_end", "attention", ["After [DONE] the body stayed open for another 5.0 s."], ["waits that long"]),
    "a whole answer to a stream": (answer(asked_stream=True), "not_streamed", "attention", ["one whole JSON answer came"], []),
}  # fmt: skip

# name -> evidence, a finding further down, words of it
NOTES = {
    "retried": (stream(EVEN, attempt=3, earlier=attempts("429", "200, reset"), lost_us=3 * S), "retried", ["attempt 3; before it: #1 429, #2 200, reset.", "3.0 s went into"]),
    "thought aloud": (stream(EVEN, timing={"first_reasoning_us": 400 * MS, "first_text_us": 900 * MS}), "thought", ["for 500 ms before"]),
    "no usage asked for": (stream(EVEN, asked_usage=False, timing={"usage_us": None}), "no_usage", ["No usage came"]),
    "no usage, though asked for": (stream(EVEN, timing={"usage_us": None}), "no_usage", ["was asked for, and none came"]),
    "several tokens an event": (stream(EVEN, timing={"completion_tokens": 240}), "many_tokens_an_event", ["About 4.0 tokens an event"]),
    "hidden reasoning is no text": (stream(EVEN, timing={"completion_tokens": 300}, hidden_reasoning_tokens=120), "many_tokens_an_event", ["About 3.0 tokens"]),
    "a long whole answer": (answer(timing={"end_us": 20 * S}), "long_whole", ["took 20.0 s"]),
    "left after the end": (stream(EVEN, end=end(2 * S, "client_gone", False)), "client_left", ["no harm done"]),
    "a stall in what then broke": (stream(STALLED, error=CUT, end=end(9 * S, "reset", False)), "stalled", ["A stall of 4.0 s"]),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_the_headline(name):
    """The gravest finding comes first, with its figures, and with what to do where something is to do."""
    evidence, finding, level, words, cures = ROWS[name]
    found = diagnosis.diagnose(evidence)

    assert (found.findings[0].name, found.level) == (finding, level)
    assert [word for word in words if word not in found.sentence] == [], found.sentence
    assert [word for word in cures if word not in found.findings[0].cure] == [], found.findings[0].cure


@pytest.mark.parametrize("name", NOTES)
def test_further_findings(name):
    """What is worth knowing beside the headline stands below it."""
    evidence, finding, words = NOTES[name]
    found = [one for one in diagnosis.diagnose(evidence).findings[1:] if one.name == finding]

    assert len(found) == 1
    assert [word for word in words if word not in found[0].says] == [], found[0].says


def test_the_tables_know_every_rule():
    """A rule without a row above would be a guess that nobody has seen."""
    told = {finding for _, finding, *_ in [*ROWS.values(), *NOTES.values()]}
    rules = {rule.__name__.lstrip("_") for rule in diagnosis.RULES}

    assert told == rules | {"fine"}


def test_each_finding_has_one_sentence_end_and_a_known_level():
    """Findings read as sentences, and each level has a mark of its own shape."""
    for evidence, *_ in [*ROWS.values(), *NOTES.values()]:
        for finding in diagnosis.diagnose(evidence).findings:
            assert finding.level in diagnosis.LEVELS
            assert finding.says[-1] == "." and ".." not in finding.says, finding.says
            assert not finding.cure or finding.cure[-1] in ".?", finding.cure
    assert len(set(diagnosis.LEVELS.values())) == len(diagnosis.LEVELS)


FROM_BYTES = {
    "whole": ("fine", "whole answer"),
    "stream": ("fine", "finish_reason stop and [DONE]"),
    "gzip": ("fine", "finish_reason stop and [DONE]"),
    "library": ("fine", "finish_reason stop and [DONE]"),
    "reset": ("broken_stream", "after 3 events and 7 characters of text"),
    "timeout": ("broken_stream", "Nothing came any more"),
    "client gone": ("client_left", "The client closed"),
    "cut": ("broken_stream", "closed in the middle"),
    "401": ("refused", "401 Unauthorized"),
    "reasoning": ("fine", "first reasoning"),
    "unreachable": ("no_answer", "connection refused"),
    "no end": ("still_open", "2 events"),
    "models": ("fine", "whole answer"),
    "bursts": ("buffered", "All events came in 3 reads"),
    "error event": ("error_inside", "overloaded"),
}


@pytest.mark.parametrize("name", FROM_BYTES)
def test_from_bytes_to_the_sentence(name):
    """The evidence that recorded bytes give leads to the same sentences."""
    finding, words = FROM_BYTES[name]
    found = diagnosis.diagnose(evidence_module.gather(lab_tapes.make(name)))

    assert found.findings[0].name == finding
    assert words in found.sentence


def test_attempts_know_of_one_another():
    """The first says that it was sent again, the second what the first one cost."""
    first, second = lab_tapes.make_all("retry")
    before = diagnosis.diagnose(evidence_module.gather(first, [first, second]))
    after = diagnosis.diagnose(evidence_module.gather(second, [first, second]))

    assert before.level == "attention" and "Sent again as #2" in before.sentence
    assert after.level == "good"
    assert "before it: #1 429. 1.0 s went into" in after.findings[1].says


@pytest.mark.parametrize(
    "name, before, after, words",
    [
        ("the same", stream(EVEN), stream(EVEN), ["no difference in timing"]),
        ("later", stream(EVEN), stream([at_us + S for at_us in EVEN]), ["first text 1.0 s later (400 ms → 1.4 s)", "end 1.0 s later"]),
        ("earlier", stream([at_us + S for at_us in EVEN]), stream(EVEN), ["first text 1.0 s earlier (1.4 s → 400 ms)"]),
        ("slower", stream(EVEN), stream([2 * at_us - EVEN[0] for at_us in EVEN]), ["0.50 times the token rate (50.8 → 25.4 tokens/s)"]),
        ("one without an answer", stream(EVEN), nothing("reset"), ["no difference"]),
    ],
)  # fmt: skip
def test_two_runs(name, before, after, words):
    """What differs is told with both figures; what nobody would notice is not."""
    told = diagnosis.compare(before.timing, after.timing, ("A", "B"))

    assert told.startswith("B against A: ")
    assert [word for word in words if word not in told] == [], told
