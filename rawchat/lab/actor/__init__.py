"""Plays the model's part in the practice server: a request's JSON in, the API's answer or its refusal out.

Pure functions without sockets or clocks; what goes wrong on the wire is played elsewhere, by `lab/faults.py`.
"""
