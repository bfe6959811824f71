"""Tools: the model asks for a function of ours, gets what it returned, and answers with it.

    python scripts/examples/weather_tools.py
    python scripts/examples/weather_tools.py "Do I need a coat in Oslo?"

What the model is told of a function is its name, its signature and its docstring. A function that raises ends nothing:
the model is told, and the exception stands in `run.calls`.
"""

import sys
from typing import Literal

from connection import connect

import rawchat

CELSIUS = {"Paris": 22, "Oslo": 4, "Cairo": 35}  # a real program would ask a weather service


def get_weather(city: str, unit: Literal["celsius", "fahrenheit"] = "celsius") -> str:
    """The weather in a city, now.

    Args:
        city: Its English name, without the country.
        unit: The unit of the temperature.
    """
    if city not in CELSIUS:
        raise LookupError(f"there is no weather station in {city}")
    degrees = CELSIUS[city]
    return f"{degrees} °C" if unit == "celsius" else f"{degrees * 9 // 5 + 32} °F"


def main():
    question = " ".join(sys.argv[1:]) or "What is the weather in Paris, Oslo and Atlantis?"
    with connect() as client:
        run = rawchat.run_tools(client, question, [get_weather])
    for call in run.calls:
        outcome = call.result if call.error is None else f"{type(call.error).__name__}: {call.error}"
        print(f"{call.name}({call.arguments}) -> {outcome}")
    print(run.text)
    print(f"{run.rounds} requests, {len(run.messages)} messages")


if __name__ == "__main__":
    main()
