"""What crosses the wire and what it means. Pure: no socket, clock, thread, file, environment or print in here."""
