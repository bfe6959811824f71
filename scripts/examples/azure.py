"""Azure OpenAI: the same client behind Azure's addresses, its `api-key` header and its api-version.

    python scripts/examples/azure.py
    python scripts/examples/azure.py my-deployment

Reads AZURE_OPENAI_ENDPOINT (https://NAME.openai.azure.com), AZURE_OPENAI_API_KEY or AZURE_OPENAI_AD_TOKEN, and
OPENAI_API_VERSION. With no endpoint set, the practice server plays Azure: it has a deployment for each model's name.
"""

import contextlib
import sys

from connection import practice, set_up

import rawchat


@contextlib.contextmanager
def azure():
    """What `Client.azure` needs besides the environment."""
    if set_up("AZURE_OPENAI_ENDPOINT"):
        yield {}
        return
    with practice() as ours:
        yield {"endpoint": ours.root, "api_key": "practice", "api_version": "2024-10-21"}


def main():
    deployment = sys.argv[1] if len(sys.argv) > 1 else "gpt-4o-mini"
    with azure() as given, rawchat.Client.azure(deployment=deployment, **given) as client:
        print(f"{client.base_url}/chat/completions")
        reply = client.chat("Count to three.")
        print(f"{reply.model}: {reply.text}")
        with client.stream("Count to five.") as stream:
            for text in stream:
                print(text, end="", flush=True)
        print(f"\n(finish reason: {stream.reply.finish_reason})")


if __name__ == "__main__":
    main()
