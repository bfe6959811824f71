"""How a request travels. The only rooms that open a connection; `base.py` says what a door must offer."""
