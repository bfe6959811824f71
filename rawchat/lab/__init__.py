"""Instruments for looking at the wire. Nothing below imports them, and a vendored copy may leave them out."""
