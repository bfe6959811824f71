"""Conversations made shorter, without tearing a tool call from its answers.

    trim_messages(messages, max_tokens=3000)      drops the oldest until the rest fits
    last_messages(messages, 10)                   keeps the newest ten
    format_messages("Be brief.", "Hello")         [{"role": "system", ...}, {"role": "user", ...}]

A server refuses a tool message whose call is not there, and a call whose answers are not all there ("messages with
role 'tool' must be a response to a preceding message with 'tool_calls'"). So messages are kept and dropped by group:

    [user]  [assistant with tool_calls, tool, tool]  [assistant]  [user]

The instructions (system and developer messages at the beginning) stay. Summarises nothing, and does not mend what was
torn before; but tool messages with no call before them at all are left out. Every function returns a new list of new
dicts; what is inside them is shared. Pure.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Set, Tuple, Union

from .errors import PayloadError
from .payload import Messages, build_messages
from .tokens import estimate_tokens
from .wording import cure_for, kind_of

Group = List[Dict[str, Any]]
_INSTRUCTIONS = frozenset(("system", "developer"))
_ANSWERS = frozenset(("tool", "function"))  # "function" is what tool messages were called until 2023


def format_messages(
    system: Optional[str], user: Union[str, Iterable[Mapping[str, Any]]], *, system_role: str = "system"
) -> Group:
    """A system message, left out where it is None, and a user message: a text, or a list of content parts.

    `system_role="developer"` is what reasoning models call it. Raises PayloadError.
    """
    if isinstance(user, (bytes, bytearray, Mapping)) or not isinstance(user, (str, Iterable)):
        raise PayloadError(f"user must be a text or a list of parts, got {kind_of(user)}{cure_for(user)}", path="user")
    if not isinstance(system, (str, type(None))):
        raise PayloadError(f"system must be a text or None, got {kind_of(system)}{cure_for(system)}", path="system")
    instructions = [] if system is None else [{"role": system_role, "content": system}]
    return [*instructions, {"role": "user", "content": user if isinstance(user, str) else list(user)}]


def groups_of(messages: Messages) -> List[Group]:
    """The messages in groups that belong together: a tool message to what stands before it, any other begins its own.

    Tool messages with nothing but instructions before them make a group of their own, which begins with one.
    """
    groups: List[Group] = []
    begun = False
    for message in build_messages(messages):
        if begun and message.get("role") in _ANSWERS:
            groups[-1].append(message)
        else:
            groups.append([message])
        begun = begun or message.get("role") not in _INSTRUCTIONS
    return groups


def trim_messages(
    messages: Messages,
    max_tokens: int,
    *,
    model: str = "gpt-4o",
    count: Callable[[Messages, str], int] = estimate_tokens,
    keep_system: bool = True,
) -> Group:
    """The messages without as many of the oldest as it takes to have at most `max_tokens` tokens.

    Stay in any case: the instructions at the beginning (unless `keep_system` is false), the last user message, and the
    last group, which is what the model has to answer. Once something was dropped, the rest begins with a user message
    where there is one: an answer to a question that is gone helps nobody, and strict chat templates refuse it.

    `count(messages, model)` is asked once for each group, and has to grow by the same for a group wherever it stands,
    as the counts of tokens.py and exact.py do. What else the request holds, such as tools, and the room for the answer
    are not part of `max_tokens`. Raises PayloadError where what has to stay does not fit.
    """
    if isinstance(max_tokens, bool) or not isinstance(max_tokens, int) or max_tokens < 1:
        raise PayloadError(f"max_tokens must be a whole number from 1, got {max_tokens!r}", path="max_tokens")
    head, groups = _split(groups_of(messages), keep_system)
    if not head and not groups:
        return []
    overhead = count([], model)  # what a request costs before its first message
    sizes = [count(group, model) - overhead for group in groups]
    needed = _needed(groups)
    head_size = overhead + sum(count(group, model) - overhead for group in head)
    end_size = sum(sizes[index] for index in needed)
    free = max_tokens - head_size - end_size
    if free < 0:
        raise PayloadError(
            f"max_tokens is {max_tokens}, and what has to stay needs {head_size + end_size}: {head_size} to begin with"
            f"{' and for the instructions' if head else ''}, {end_size} for the last user message and the last group. "
            "Shorten them (of a tool's answer, a part is often enough), or allow more",
            path="messages",
        )
    return _joined([*head, *_newest(groups, sizes, needed, free)])


def last_messages(messages: Messages, count: int) -> Group:
    """The instructions at the beginning, and of the other messages the last `count`, or fewer: groups stay whole.

    The last group stays even if it alone has more, unless `count` is 0. Raises PayloadError.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise PayloadError(f"count must be a whole number from 0, got {count!r}", path="count")
    head, groups = _split(groups_of(messages), True)
    last = {len(groups) - 1} if groups and count else set()
    sizes = [len(group) for group in groups]
    free = count - sum(sizes[i] for i in last)
    return _joined([*head, *_newest(groups, sizes, last, free, from_user=False)])


def _split(groups: List[Group], keep_system: bool) -> Tuple[List[Group], List[Group]]:
    """The instructions at the beginning, and the rest without answers to no call."""
    roles = (group[0].get("role") for group in groups)
    end = next((i for i, role in enumerate(roles) if role not in _INSTRUCTIONS), len(groups)) if keep_system else 0
    return groups[:end], [group for group in groups[end:] if group[0].get("role") not in _ANSWERS]


def _needed(groups: List[Group]) -> Set[int]:
    """Which groups have to stay: the one of the last user message, and the last."""
    users = [i for i, group in enumerate(groups) if group[0].get("role") == "user"]
    return {*users[-1:], *range(len(groups))[-1:]}


def _newest(
    groups: List[Group], sizes: List[int], needed: Set[int], free: int, *, from_user: bool = True
) -> List[Group]:
    """The needed groups, and before and between them the newest others that `free` has room for, without a gap."""
    kept = set(needed)
    for index in reversed(range(len(groups))):
        if index in needed:
            continue
        free -= sizes[index]
        if free < 0:
            break
        kept.add(index)
    first = 0
    if from_user and len(kept) < len(groups):
        first = min((index for index in kept if groups[index][0].get("role") == "user"), default=0)
    return [groups[index] for index in sorted(kept) if index >= first]


def _joined(groups: List[Group]) -> Group:
    return [message for group in groups for message in group]
