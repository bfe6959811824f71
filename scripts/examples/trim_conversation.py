"""Exercise: make a long conversation fit, without losing the instructions or tearing a tool call from its answer.

    python scripts/examples/trim_conversation.py
    python scripts/examples/trim_conversation.py 60

The argument is how many tokens it may have. They are estimated, without any vocabulary; the server's own count comes
with the answer. (The practice server's is its own affair: it has no model's vocabulary either.)
"""

import sys

from connection import connect

import rawchat


def said(user, assistant):
    return [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]


CALL = {"id": "call_1", "type": "function", "function": {"name": "get_time", "arguments": '{"city":"Rome"}'}}
CONVERSATION = [
    {"role": "system", "content": "You plan journeys. Be brief."},
    *said("I want to see Italy by train. Where do I begin?", "In Turin: the trains from Paris arrive there."),
    *said("And after that?", "Genoa and the coast, then Florence."),
    {"role": "user", "content": "What time is it in Rome now?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "14:05"},
    {"role": "assistant", "content": "Five past two in the afternoon."},
    {"role": "user", "content": "Is there a train from Rome to Naples this evening?"},
]


def main():
    limit = int(sys.argv[1]) if len(sys.argv) > 1 else 85
    kept = rawchat.trim_messages(CONVERSATION, limit)
    for name, messages in (("all", CONVERSATION), ("kept", kept)):
        print(f"{name}: {len(messages)} messages, about {rawchat.estimate_tokens(messages)} tokens")
    for message in kept:
        print(f"  {message['role']}: {message['content'] or 'calls get_time'}")
    with connect() as client:
        reply = client.chat(kept)
    counted = reply.usage.prompt_tokens if reply.usage else "not told"
    print(f"{reply.text}\ntokens by the server's count: {counted}")


if __name__ == "__main__":
    main()
