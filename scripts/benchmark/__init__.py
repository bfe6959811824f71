"""The parts of scripts/bench: what is measured beside what, and how. In reading order:

rows.py      the table: every figure, who is measured, and the ratio to reach
figures.py   rounds A B C A B C, medians, spreads, ratios                       pure
tables.py    results as text, as markdown, as JSON                              pure
answers.py   the bytes that the stub server sends, made once                    pure
server.py    the stub server, a process of its own
ways.py      how each library is used, as its own documentation shows it
worker.py    measures one way, in a process of its own
run.py       starts server and workers, and goes round
"""
