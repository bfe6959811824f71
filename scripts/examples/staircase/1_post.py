"""Step 1: one POST by hand. A model behind HTTP is a web page that one sends JSON to, and JSON comes back.

Set OPENAI_BASE_URL and OPENAI_API_KEY first; `rawchat practice` prints a pair that needs no account.
"""

import json
import os

import requests

url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"

headers = {
    "Authorization": "Bearer " + os.environ["OPENAI_API_KEY"],  # who asks, and who pays
    "Content-Type": "application/json",
}

payload = {
    "model": "gpt-4o-mini",
    # The model remembers nothing: whatever it should know of the conversation stands in here, each time.
    "messages": [{"role": "user", "content": "What is a token?"}],
}

response = requests.post(url, headers=headers, data=json.dumps(payload), timeout=60)

print(response.status_code, response.headers["Content-Type"])
print(response.text)
