"""How fast many workers may ask one server: a limit they share, which learns from what the server says.

    Limiter(8, max_requests_per_minute=600)      at most 8 at once, one every 0.1 s
    ask(tokens=1100, now_s=0.0)    -> 0.0        go, now
    ask(tokens=1100, now_s=0.01)   -> 0.09       not yet: ask again in 0.09 s
    429, Retry-After: 2            -> everybody pauses for 2 s
    503                            -> half as many at once; after a round of successes, one more again
    x-ratelimit-remaining-tokens: 300, x-ratelimit-reset-tokens: 12s   -> a row of 1,100 tokens waits for the reset

Rates may be given; what the server's headers say counts besides. Pure: does not sleep, read a clock or lock anything.
The times are arguments, in seconds of any clock that only goes forward, and threads that share a limiter bring a lock.
"""

from __future__ import annotations

import math
from typing import List, NamedTuple, Optional, Tuple, Union

from .protocol.rate_limits import RateLimits

# What a bucket holds, in seconds of its rate. Small, because servers measure a rate per minute in parts of a minute
# (OpenAI, "Rate limits": 60 a minute may be enforced as 1 a second), and a full minute's burst would be refused.
BURST_S = 1.0
# A reset that stands beside a good answer tells when the whole quota is back, which can be hours; some of it is back
# before. After this long it is worth asking, and a 429 says if it was not.
LONGEST_HEADER_PAUSE_S = 60.0


class Permit(NamedTuple):
    """One attempt under way: when it started, and the tokens it was reckoned at."""

    started_s: float
    tokens: int


class Bucket:
    """So much a minute, refilled steadily. May go into debt, so that one row larger than the bucket passes at all."""

    __slots__ = ("_at_s", "_per_second", "_size", "level")

    def __init__(self, per_minute: float, now_s: float, least: float = 0.0) -> None:
        self._per_second = per_minute / 60
        self._size = max(self._per_second * BURST_S, least)
        self._at_s = now_s
        self.level = self._size

    def wait_s(self, amount: float, now_s: float) -> float:
        """Seconds until `amount` may be taken."""
        self.level = min(self._size, self.level + (now_s - self._at_s) * self._per_second)
        self._at_s = now_s
        missing = min(amount, self._size) - self.level
        return missing / self._per_second if missing > 1e-9 else 0.0

    def take(self, amount: float) -> None:
        self.level -= amount


class Credit:
    """What the server's headers say is left of a quota, less what was started since; nothing known at first."""

    __slots__ = ("_left", "_until_s")

    def __init__(self) -> None:
        self._left = math.inf
        self._until_s = 0.0

    def note(self, remaining: Optional[int], reset_s: Optional[float], under_way: float, now_s: float) -> None:
        """`under_way`: what running attempts take; whether `remaining` counts them is unknown, so they are left out."""
        if remaining is not None and reset_s is not None:
            self._left = remaining - under_way
            self._until_s = now_s + min(reset_s, LONGEST_HEADER_PAUSE_S)

    def wait_s(self, amount: float, now_s: float) -> float:
        if now_s >= self._until_s:
            self._left = math.inf  # the quota began anew; the next answer says how much it is
        return 0.0 if amount <= self._left else self._until_s - now_s

    def take(self, amount: float) -> None:
        self._left -= amount


class Limiter:
    """Who may send now. `ask` before each attempt, `finish` after it.

    workers      the most attempts at once; `allowed` is how many there may be now
    running      attempts under way
    paused_until_s   nobody starts before this time
    """

    def __init__(
        self,
        workers: int,
        *,
        max_requests_per_minute: Optional[float] = None,
        max_tokens_per_minute: Optional[float] = None,
        now_s: float = 0.0,
    ) -> None:
        self.workers = workers
        self.allowed = workers
        self.running = 0
        self.paused_until_s = -math.inf
        self._tokens_under_way = 0
        self._successes = 0  # since `allowed` last changed
        self._halved_at_s = -math.inf
        self._request_credit, self._token_credit = Credit(), Credit()
        # (gate, whether it counts tokens)
        self._gates: List[Tuple[Union[Bucket, Credit], bool]] = [
            (self._request_credit, False),
            (self._token_credit, True),
        ]
        self._token_bucket: Optional[Bucket] = None
        if max_requests_per_minute is not None:
            self._gates.append((Bucket(max_requests_per_minute, now_s, least=1.0), False))
        if max_tokens_per_minute is not None:
            self._token_bucket = Bucket(max_tokens_per_minute, now_s)
            self._gates.append((self._token_bucket, True))

    def ask(self, tokens: int, now_s: float) -> float:
        """0.0: start now; it is counted as running. Else seconds after which to ask again.

        Infinite means: when another attempt has finished.
        """
        if self.running >= self.allowed:
            return math.inf
        gates = [(gate, tokens if counts_tokens else 1) for gate, counts_tokens in self._gates]
        wait_s = max(self.paused_until_s - now_s, *(gate.wait_s(amount, now_s) for gate, amount in gates))
        if wait_s > 0:
            return wait_s
        for gate, amount in gates:
            gate.take(amount)
        self.running += 1
        self._tokens_under_way += tokens
        return 0.0

    def finish(self, permit: Permit, used_tokens: Optional[int] = None) -> None:
        """The attempt is over. `used_tokens`, where the answer told, replaces the figure it was reckoned at."""
        self.running -= 1
        self._tokens_under_way -= permit.tokens
        if used_tokens is not None and self._token_bucket is not None:
            self._token_bucket.take(used_tokens - permit.tokens)

    def note(self, limits: RateLimits, now_s: float) -> None:
        """What the headers of an answer say is left; called after the `finish` of its attempt."""
        self._request_credit.note(limits.remaining_requests, limits.reset_requests_s, self.running, now_s)
        self._token_credit.note(limits.remaining_tokens, limits.reset_tokens_s, self._tokens_under_way, now_s)

    def succeeded(self) -> None:
        """A good answer came. As many in a row as may run at once are a round, and earn one more at once."""
        self._successes += 1
        if self._successes >= self.allowed:
            self._successes = 0
            self.allowed = min(self.workers, self.allowed + 1)

    def pause(self, seconds: float, now_s: float) -> None:
        """Nobody starts for so long."""
        self.paused_until_s = max(self.paused_until_s, now_s + seconds)

    def halve(self, permit: Permit, now_s: float) -> None:
        """The server has too much to do. Attempts that were under way at the last halving tell nothing new."""
        if permit.started_s >= self._halved_at_s:
            self.allowed = max(1, self.allowed // 2)
            self._halved_at_s = now_s
            self._successes = 0
