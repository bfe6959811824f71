"""The doctor's rooms: how it reaches a server, what it asks, how it looks at the answers, and what it finds."""
