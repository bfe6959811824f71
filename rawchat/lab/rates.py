"""The x-ratelimit headers of the practice server: honest books, and nobody refused.

    x-ratelimit-limit-requests: 10000   x-ratelimit-remaining-requests: 9999   x-ratelimit-reset-requests: 6ms

Pure: the clock is an argument.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple


def go_duration(seconds: float) -> str:
    """As OpenAI's headers have it: 0.006 is "6ms", 8.64 "8.64s", 360 "6m0s"."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(round(seconds, 2), 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:.2f}".rstrip("0").rstrip(".") + "s"
    return f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}" if minutes else text


class RateBook:
    """Requests and tokens of the last minute, as two buckets that refill steadily. Refuses nobody."""

    LIMITS = {"requests": 10_000.0, "tokens": 200_000.0}  # OpenAI's first paid tier, roughly

    def __init__(self) -> None:
        self._used = dict.fromkeys(self.LIMITS, 0.0)
        self._at_s: Optional[float] = None

    def take(self, tokens: int, now_s: float) -> List[Tuple[str, str]]:
        """The x-ratelimit headers after one more request of so many tokens; `reset`: until the bucket is full."""
        passed_s = 0.0 if self._at_s is None else max(0.0, now_s - self._at_s)
        self._at_s = now_s
        pairs: Dict[str, List[Tuple[str, str]]] = {"limit": [], "remaining": [], "reset": []}
        for kind, amount in (("requests", 1), ("tokens", tokens)):
            limit = self.LIMITS[kind]
            self._used[kind] = min(limit, max(0.0, self._used[kind] - passed_s * limit / 60) + amount)
            pairs["limit"].append((f"x-ratelimit-limit-{kind}", str(int(limit))))
            pairs["remaining"].append((f"x-ratelimit-remaining-{kind}", str(int(limit - self._used[kind]))))
            pairs["reset"].append((f"x-ratelimit-reset-{kind}", go_duration(self._used[kind] * 60 / limit)))
        return pairs["limit"] + pairs["remaining"] + pairs["reset"]


def tokens_asked(document: Any, body: bytes) -> int:
    """What a request counts for against the token limit: about a quarter of its bytes, and the answer it allows for."""
    most = document.get("max_completion_tokens") or document.get("max_tokens") if isinstance(document, dict) else 0
    return len(body) // 4 + (most if isinstance(most, int) else 0)
