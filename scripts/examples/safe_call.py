"""Exercise: a call that never raises. It returns None where there is no answer, and says why.

    python scripts/examples/safe_call.py

One `except` is enough: every error of rawchat is a RawChatError, and its text says what happened and what to do. The
ones that a program treats differently stand before it.
"""

import sys

from connection import connect

import rawchat


def safe_chat(client, messages, **parameters):
    """The reply, or None; then the reason is on stderr."""
    try:
        return client.chat(messages, **parameters)
    except rawchat.AuthenticationError as error:
        why = f"check OPENAI_API_KEY: {error}"
    except rawchat.APIConnectionError as error:
        why = f"is the server running? {error}"
    except rawchat.RawChatError as error:
        why = str(error)
    print(f"no answer: {why}", file=sys.stderr)
    return None


def main():
    with connect() as client:
        nobody = client.with_options(base_url="http://127.0.0.1:9/v1", max_retries=0)
        tries = [
            ("a good call", safe_chat(client, "Say: all is well")),
            ("an unknown model", safe_chat(client, "Hello", model="no-such-model")),
            ("a prompt of the wrong type", safe_chat(client, 42)),
            ("a server that is not there", safe_chat(nobody, "Hello")),
        ]
    for what, reply in tries:
        print(f"{what}: {reply and reply.text}")


if __name__ == "__main__":
    main()
