"""Checks of the way to a server: name, TCP, proxy, TLS, key, and what holds for every answer on the connection."""

from __future__ import annotations

import re
from typing import List, Mapping, Optional, Tuple

from ...protocol.durations import parse_duration_s
from ...protocol.redact import redact_headers
from ...protocol.retry import parse_retry_after
from ...protocol.status import request_id_from
from .line import BYTES_AFTER_BODY, CLOSED_WHEN_REUSED
from .rule import KEY_REFUSED, MUST, QUIRK, SHOULD, Check, Evidence, Finding, Judge, fails, ok, unknown
from .sight import Sight, excerpt

SOON_DAYS = 14


def _step(name: str) -> Judge:
    def judge(evidence: Evidence) -> Optional[Finding]:
        step = evidence.way.step(name) if evidence.way is not None else None
        if step is None:
            return None
        took = f" ({step.took_ms:.0f} ms)" if step.took_ms >= 1 else ""
        return ok(step.says + took) if step.good else fails(step.says)

    return judge


def _tls_used(evidence: Evidence) -> Optional[Finding]:
    way = evidence.way
    if way is None or way.step("tls") is None:
        return None
    if way.is_tls or way.is_local:
        return ok("TLS" if way.is_tls else "plain http, but to a host nearby")
    return fails(f"plain http to {way.host}: key and text can be read on the way")


def _certificate(evidence: Evidence) -> Optional[Finding]:
    step = evidence.way.step("tls") if evidence.way is not None else None
    if step is None or not step.good:
        return None
    days: Optional[int] = dict(step.facts).get("days_left")
    if days is None:
        return None
    return fails(f"ends in {days} days") if days < SOON_DAYS else ok(f"good for {days} days")


def _speaks_http(evidence: Evidence) -> Optional[Finding]:
    """Whether any request got an HTTP answer at all."""
    if not evidence.every:
        return None
    answered = [sight for sight in evidence.every if sight.has_head]
    if answered:
        head = answered[0].exchange.head
        return ok(f"HTTP/{head.http_version} to {len(answered)} of {len(evidence.every)} requests" if head else "")
    return fails(f"none of {len(evidence.every)} requests was answered: {evidence.every[0].outcome}")


def _all_answered(evidence: Evidence) -> Optional[Finding]:
    if not evidence.every or not any(sight.has_head for sight in evidence.every):
        return None
    silent = [sight for sight in evidence.every if not sight.has_head]
    if silent:
        return fails(
            f"{len(silent)} of {len(evidence.every)} requests got no answer: {silent[0].outcome}", _asked(silent[0])
        )
    return ok(f"{len(evidence.every)} of {len(evidence.every)} requests")


def _asked(sight: Sight) -> str:
    return f"{sight.exchange.request.method} {sight.exchange.target}"


def _key(evidence: Evidence) -> Optional[Finding]:
    refused = [evidence.sights[name] for name in ("chat", "models") if name in evidence.sights]
    refused = [sight for sight in refused if sight.has_head]
    if not refused:
        return None
    for sight in refused:
        if sight.status in KEY_REFUSED:
            return fails(sight.outcome, excerpt(sight.body))
    return ok("taken")


# --- the connection


def _answers(evidence: Evidence) -> List[Sight]:
    return [sight for sight in evidence.every if sight.has_head]


def _keep_alive(evidence: Evidence) -> Optional[Finding]:
    """Judged by what happened: a request went out on a connection that had carried an answer, or it could not."""
    answers = _answers(evidence)[:-1]  # what became of the last one's connection is not known
    if not answers:
        return None
    reused = sum(1 for sight in _answers(evidence) if sight.exchange.head and sight.exchange.head.reused)
    closed = [sight for sight in evidence.every if CLOSED_WHEN_REUSED in sight.exchange.notes]
    if closed:
        return fails(f"closed {len(closed)} times although it was promised to be kept", _head_of(closed[0]))
    whole = [sight for sight in answers if sight.is_whole and not sight.surplus]
    if not whole:
        return unknown("no answer came whole")
    if not reused:
        return fails(f"a new connection for each of {len(evidence.every)} requests", _head_of(whole[0]))
    return ok(f"{reused} of {len(evidence.every)} requests went over a kept connection")


def _head_of(sight: Sight) -> str:
    """The header lines that decide about the connection."""
    head = sight.exchange.head
    if head is None:
        return ""
    wanted = ("connection", "content-length", "transfer-encoding", "keep-alive")
    lines = [f"{name}: {value}" for name, value in head.headers.pairs if name.lower() in wanted]
    return excerpt("; ".join([f"HTTP/{head.http_version} {head.status}", *lines]))


def _http_version(evidence: Evidence) -> Optional[Finding]:
    heads = [sight.exchange.head for sight in evidence.every if sight.exchange.head is not None]
    if not heads:
        return None
    old = [head for head in heads if head.http_version == "1.0"]
    if old:
        return fails(f"HTTP/1.0 in {len(old)} of {len(heads)} answers", f"HTTP/1.0 {old[0].status} {old[0].reason}")
    return ok(f"HTTP/1.1 in {len(heads)} answers")


def _surplus(evidence: Evidence) -> Optional[Finding]:
    if not _answers(evidence):
        return None
    for sight in evidence.every:
        noted = [note for note in sight.exchange.notes if note.startswith(BYTES_AFTER_BODY)]
        if sight.surplus or noted:
            seen = excerpt(sight.surplus) if sight.surplus else noted[0][len(BYTES_AFTER_BODY) :]
            return fails("bytes came behind the end that the head had announced", seen)
    return ok("nothing came behind a body")


def _whole_bodies(evidence: Evidence) -> Optional[Finding]:
    """Bodies of whole answers; streams have a check of their own."""
    answers = [sight for sight in _answers(evidence) if not sight.is_events]
    if not answers:
        return None
    broken = [sight for sight in answers if not sight.is_whole]
    if broken:
        end = broken[0].exchange.end
        detail = broken[0].flaw or (end.detail if end else "")
        return fails(f"{len(broken)} of {len(answers)} bodies: {detail}", _head_of(broken[0]))
    return ok(f"{len(answers)} bodies came whole")


# --- headers


def _request_id(evidence: Evidence) -> Optional[Finding]:
    answers = _answers(evidence)
    if not answers:
        return None
    found = [request_id_from(sight.headers) for sight in answers]
    if not any(found):
        return fails(f"none in {len(answers)} answers")
    missing = [sight for sight, name in zip(answers, found) if not name]
    if missing:
        return fails(f"none in {len(missing)} of {len(answers)} answers", _asked(missing[0]))
    return ok(f"in {len(answers)} answers, such as {excerpt(str(found[0]), 40)}")


def _limits_there(evidence: Evidence) -> Optional[Finding]:
    answers = [sight for sight in _answers(evidence) if sight.status == 200]
    if not answers:
        return None
    found = {name for sight in answers for name in sight.headers if "ratelimit" in name}
    return ok(f"{len(found)} headers, such as {min(found)}") if found else fails("no header with ratelimit in its name")


_LIMIT_HEADER = re.compile(r"x-ratelimit-(limit|remaining|reset)-(requests|tokens)\Z")


def _limits_read(evidence: Evidence) -> Optional[Finding]:
    """The six headers of OpenAI's make, where they are sent: whole numbers, and durations."""
    count = 0
    if not _answers(evidence):
        return None
    for sight in _answers(evidence):
        for name, value in sight.headers.items():
            found = _LIMIT_HEADER.match(name)
            if not found:
                continue
            count += 1
            good = parse_duration_s(value) is not None if found[1] == "reset" else re.fullmatch(r"-?\d+", value.strip())
            if not good:
                wanted = "a duration such as 6m0s" if found[1] == "reset" else "a whole number"
                return fails(f"{name} is not {wanted}", excerpt(f"{name}: {value}"))
    return ok(f"{count} values can be read") if count else unknown("no x-ratelimit headers to read")


LONGEST_WAIT_S = 120.0


def _retry_after(evidence: Evidence) -> Optional[Finding]:
    if not _answers(evidence):
        return None
    busy = [sight for sight in _answers(evidence) if sight.status in (429, 503)]
    for sight in busy:
        hint = parse_retry_after(
            sight.headers, sight.body, now_s=0.0 if _has_no_date(sight.headers) else _date_of(sight)
        )
        said = "; ".join(
            f"{name}: {value}" for name, value in sight.headers.items() if "retry" in name or "reset" in name
        )
        if hint is None:
            return fails(f"a {sight.status} that does not say how long to wait", excerpt(said or "(no such header)"))
        if hint.seconds > LONGEST_WAIT_S:
            return fails(f"a {sight.status} that asks to wait {hint.seconds:g} s", excerpt(said))
    return ok(f"{len(busy)} busy answers said how long to wait" if busy else "no 429 or 503 came")


def _has_no_date(headers: Mapping[str, str]) -> bool:
    return "," not in headers.get("retry-after", "")


def _date_of(sight: Sight) -> float:
    """A date in Retry-After is compared with the server's own clock, or else with ours at the time of the request."""
    from calendar import timegm
    from datetime import datetime
    from email.utils import parsedate

    parsed = parsedate(sight.headers.get("date", ""))
    if parsed is not None:
        return float(timegm(parsed))
    at = sight.exchange.started_at.replace("Z", "+00:00")
    return datetime.fromisoformat(at).timestamp() if at else 0.0


def _cookies(evidence: Evidence) -> Optional[Finding]:
    """A load balancer's cookie binds a client to one machine, and clients of APIs keep none."""
    if not _answers(evidence):
        return None
    for sight in _answers(evidence):
        if "set-cookie" in sight.headers:
            pairs = [("set-cookie", sight.headers["set-cookie"])]
            return fails("an answer sets a cookie", excerpt(": ".join(redact_headers(pairs)[0])))
    return ok("no answer sets one")


def _redirects(evidence: Evidence) -> Optional[Finding]:
    if not _answers(evidence):
        return None
    for sight in _answers(evidence):
        if 300 <= sight.status < 400:
            where = sight.headers.get("location", "nowhere")
            return fails(f"{sight.status} to {excerpt(where, 80)}", _asked(sight))
    return ok("no answer sends elsewhere")


WAY = "way"
CONNECTION = "connection"
CHECKS: Tuple[Check, ...] = (
    Check(
        "name",
        WAY,
        MUST,
        "The host's name has an address.",
        "RFC 1035; getaddrinfo",
        _step("name"),
        "every client",
        "spell the host again; a VPN or a company's DNS may be what knows it",
    ),
    Check(
        "tcp",
        WAY,
        MUST,
        "The host takes connections on that port.",
        "RFC 9293",
        _step("tcp"),
        "every client",
        "is the server running, the port right, a firewall between? from a container, localhost is the container",
    ),
    Check(
        "proxy",
        WAY,
        MUST,
        "The proxy that the environment names lets us through.",
        "RFC 9110 section 9.3.6",
        _step("proxy"),
        "every client that honours HTTPS_PROXY",
        "unset HTTP_PROXY and HTTPS_PROXY, or name the host in NO_PROXY",
    ),
    Check(
        "tls",
        WAY,
        MUST,
        "The certificate is valid, for this host, from an authority that this machine trusts.",
        "RFC 9110 section 4.3.4",
        _step("tls"),
        "every client that verifies certificates, as all do by default",
        "behind a company's proxy, its CA file in SSL_CERT_FILE or REQUESTS_CA_BUNDLE; http:// for no TLS",
    ),
    Check(
        "tls-used",
        WAY,
        SHOULD,
        "What leaves this machine is encrypted.",
        "OWASP API security",
        _tls_used,
        "nobody, which is the trouble: the key travels in clear",
        "put TLS in front of the server, or reach it by a tunnel",
    ),
    Check(
        "certificate",
        WAY,
        SHOULD,
        f"The certificate is good for {SOON_DAYS} days more.",
        "RFC 5280 section 4.1.2.5",
        _certificate,
        "every client, on that day",
        "renew it",
    ),
    Check(
        "http",
        WAY,
        MUST,
        "The server answers in HTTP/1.",
        "RFC 9112 section 2",
        _speaks_http,
        "every client",
        "https:// for a TLS port and http:// for a plain one; is another program on that port?",
    ),
    Check(
        "answered",
        WAY,
        MUST,
        "Each request gets an answer.",
        "RFC 9112 section 9.6",
        _all_answered,
        "every client: a connection that closes in silence looks like a broken network",
        "look into the server's log for a crash; a timeout of a proxy between, or too little memory",
    ),
    Check(
        "key",
        WAY,
        MUST,
        "The key is taken.",
        "API reference, Authentication",
        _key,
        "every client",
        "is OPENAI_API_KEY of this server? keys of one service are nothing to another",
    ),
    Check(
        "redirect",
        WAY,
        SHOULD,
        "The address answers itself, and sends nobody elsewhere.",
        "RFC 9110 section 15.4",
        _redirects,
        "a 301 or 302 turns a POST into a GET in most clients; headers such as api-key go to the other host",
        "put the address after the redirect into base_url",
    ),
    Check(
        "whole-bodies",
        CONNECTION,
        MUST,
        "A body comes whole, as Content-Length or chunks say.",
        "RFC 9112 section 6.3",
        _whole_bodies,
        "every client: IncompleteRead, RemoteProtocolError",
        "a proxy that cuts, a worker that dies, a Content-Length counted in characters",
    ),
    Check(
        "nothing-behind",
        CONNECTION,
        MUST,
        "Nothing comes behind the end of a body.",
        "RFC 9112 section 6.3",
        _surplus,
        "every client with keep-alive: the next answer begins with garbage",
        "count Content-Length in bytes, not characters",
    ),
    Check(
        "keep-alive",
        CONNECTION,
        SHOULD,
        "A connection serves more than one request.",
        "RFC 9112 section 9.3",
        _keep_alive,
        "nobody fails; each call pays for TCP and TLS again, 50 to 300 ms from far away",
        "HTTP/1.1 with keep-alive in the server and in the proxy before it",
    ),
    Check(
        "http-version",
        CONNECTION,
        SHOULD,
        "Answers are HTTP/1.1.",
        "RFC 9112 section 2.3",
        _http_version,
        "streams of HTTP/1.0 have no chunks: iter_lines() holds text back, and a cut cannot be told from the end",
        "proxy_http_version 1.1 in nginx",
    ),
    Check(
        "request-id",
        CONNECTION,
        SHOULD,
        "Every answer has an x-request-id.",
        "API reference, Debugging requests",
        _request_id,
        "openai-python shows request_id None, and no support desk can find the call",
        "have the gateway add one",
    ),
    Check(
        "limit-headers",
        CONNECTION,
        QUIRK,
        "Answers say how much of the rate limit is left.",
        "API guide, Rate limits in headers",
        _limits_there,
        "bulk programs that pace themselves by these headers",
        "none is needed where nothing is limited",
    ),
    Check(
        "limit-values",
        CONNECTION,
        SHOULD,
        "Rate-limit headers are whole numbers, and durations for reset.",
        "API guide, Rate limits in headers",
        _limits_read,
        "programs that parse them: a wait of NaN or of a thousand years",
        "1s, 6m0s, 120ms as OpenAI writes them",
    ),
    Check(
        "retry-after",
        CONNECTION,
        SHOULD,
        "A 429 or 503 says how long to wait, and not longer than two minutes.",
        "RFC 9110 section 10.2.3; openai-python gives up over 120 s",
        _retry_after,
        "clients guess, and come back all at once",
        "Retry-After in seconds",
    ),
    Check(
        "cookies",
        CONNECTION,
        QUIRK,
        "Answers set no cookie.",
        "RFC 6265",
        _cookies,
        "sticky sessions work in browsers only; API clients send no cookie back",
        "balance by connection, or without state",
    ),
)
