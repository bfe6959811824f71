"""The published prices: what the table says, that it says it well, and that the script behind it can be trusted."""

import datetime
import importlib.machinery
import importlib.util
import json
import re
import subprocess
import sys
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest

from . import forms, module

prices = module("protocol.prices")
cost = module("protocol.cost")

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "refresh_prices"
TABLE = {**prices.OPENAI, **prices.OTHERS}


@pytest.fixture(scope="module")
def script():
    """scripts/refresh_prices as a module; its name has no ending, so the loader is named."""
    loader = importlib.machinery.SourceFileLoader("refresh_prices", str(SCRIPT))
    spec = importlib.util.spec_from_loader("refresh_prices", loader)
    loaded = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(loaded)
    finally:
        sys.dont_write_bytecode = before
    return loaded


# ---- what the table says

# Read off two independent tables in November 2026: input, cached input, output; None: no cached price.
STATED = [
    ("gpt-3.5-turbo", 0.50, None, 1.50),
    ("gpt-4", 30, None, 60),
    ("gpt-4-turbo", 10, None, 30),
    ("gpt-4o", 2.50, 1.25, 10),
    ("gpt-4o-2024-08-06", 2.50, 1.25, 10),
    ("gpt-4o-2024-11-20", 2.50, 1.25, 10),
    ("gpt-4o-2024-05-13", 5, None, 15),
    ("gpt-4o-mini", 0.15, 0.075, 0.60),
    ("gpt-4.1", 2, 0.50, 8),
    ("gpt-4.1-mini", 0.40, 0.10, 1.60),
    ("gpt-4.1-nano", 0.10, 0.025, 0.40),
    ("o1", 15, 7.50, 60),
    ("o1-pro", 150, None, 600),
    ("o3", 2, 0.50, 8),
    ("o3-pro", 20, None, 80),
    ("o3-mini", 1.10, 0.55, 4.40),
    ("o4-mini", 1.10, 0.275, 4.40),
    ("gpt-5", 1.25, 0.125, 10),
    ("gpt-5.1", 1.25, 0.125, 10),
    ("gpt-5-mini", 0.25, 0.025, 2),
    ("gpt-5-nano", 0.05, 0.005, 0.40),
    ("gpt-5-pro", 15, None, 120),
    ("gpt-5.2", 1.75, 0.175, 14),
    ("gpt-5.2-pro", 21, None, 168),
    ("gpt-5.3-chat-latest", 1.75, 0.175, 14),
    ("gpt-5.4", 2.50, 0.25, 15),
    ("gpt-5.4-mini", 0.75, 0.075, 4.50),
    ("gpt-5.4-nano", 0.20, 0.02, 1.25),
    ("gpt-5.4-pro", 30, None, 180),
    ("gpt-5.5", 5, 0.50, 30),
    ("gpt-5.5-pro", 30, None, 180),
    ("gpt-5.6", 4, 0.40, 20),
    ("gpt-5.6-sol", 4, 0.40, 20),
    ("gpt-5.6-terra", 2, 0.20, 12),
    ("gpt-5.6-luna", 0.20, 0.02, 1.20),
    ("gpt-6-astra", 10, 1, 50),
    ("gpt-6-sol", 2, 0.20, 10),
    ("gpt-6-luna", 0.10, 0.01, 0.50),
    ("gpt-6.1-sol", 2, 0.10, 10),
    ("gpt-6.1-terra", 1, 0.05, 5),
    ("chat-latest", 5, 0.50, 30),
    ("gpt-audio", 2.50, None, 10),
    ("ft:gpt-4o-mini-2024-07-18:org::id", 0.30, 0.15, 1.20),
    ("ft:gpt-4.1-2025-04-14:org::id", 3, 0.75, 12),
    ("text-embedding-3-small", 0.02, None, 0),
]


@pytest.mark.parametrize("model, given, cached, out", STATED, ids=[row[0] for row in STATED])
def test_the_table_says_what_was_published(model, given, cached, out):
    """US dollars per million tokens, as two sources stated them."""
    price = cost.price_of(model)
    assert (price.input_per_mtok, price.cached_input_per_mtok, price.output_per_mtok) == (given, cached, out)


WRITES = [("gpt-5.6", 5), ("gpt-5.6-terra", 2.5), ("gpt-5.6-luna", 0.25), ("gpt-6-astra", 12.5), ("gpt-6-luna", 0.125)]


@pytest.mark.parametrize("model, expected", WRITES, ids=[row[0] for row in WRITES])
def test_newer_models_charge_for_writing_the_cache(model, expected):
    """Since gpt-5.6: 1.25 times the input."""
    assert cost.price_of(model).cache_write_per_mtok == expected


CLIFFS = [
    *("gpt-5.4", "gpt-5.4-pro", "gpt-5.5", "gpt-5.5-pro", "gpt-5.6", "gpt-5.6-terra", "gpt-5.6-luna"),
    *("gpt-6-astra", "gpt-6-sol", "gpt-6-luna", "gpt-6.1-sol", "gpt-6.1-terra"),
]


@pytest.mark.parametrize("model", CLIFFS)
def test_long_prompts_cost_more(model):
    """Above 272,000 prompt tokens: input twice, output one and a half times."""
    assert cost.price_of(model).long_context == (272_000, 2.0, 1.5)


def per_million(model, tier, **counts):
    """What a million tokens of one kind cost on a tier."""
    empty = {"prompt": 0, "completion": 0, "total": 0, **counts}
    return cost.cost_of(cost.TokenCounts(**empty), cost.price_of(model)._replace(long_context=None), tier)


TIERED = [
    ("gpt-4o", "priority", 4.25, 17.0),
    ("gpt-4o", "batch", 1.25, 5.0),
    ("gpt-4o-mini", "priority", 0.25, 1.0),
    ("gpt-4.1", "priority", 3.5, 14.0),
    ("gpt-5", "flex", 0.625, 5.0),
    ("gpt-5", "priority", 2.5, 20.0),
    ("gpt-5-nano", "batch", 0.025, 0.2),
    ("gpt-5-nano", "priority", 0.05, 0.4),
    ("gpt-5.5", "priority", 12.5, 75.0),
    ("o4-mini", "priority", 2.0, 8.0),
    ("o3", "flex", 1.0, 4.0),
    ("gpt-6-astra", "ultrafast", 60.0, 300.0),
]


@pytest.mark.parametrize("model, tier, given, out", TIERED, ids=[f"{row[0]} {row[1]}" for row in TIERED])
def test_tiers_have_their_prices(model, tier, given, out):
    """Batch and flex are half, priority a multiple of the model's own; gpt-5-nano has no priority price at all."""
    million = 1_000_000
    assert per_million(model, tier, prompt=million, total=million) == given
    assert per_million(model, tier, completion=million, total=million) == out


# ---- that it says it well


def text_of_the_table():
    """The source of prices.py."""
    return (forms.SOURCE / "protocol" / "prices.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("model", list(TABLE))
def test_every_row_is_a_price(model):
    """Each row makes a Price whose figures are whole picodollars per token, in sane proportions."""
    price = cost.Price(*TABLE[model])
    assert price.input_per_mtok > 0
    assert price.output_per_mtok >= price.input_per_mtok or model.startswith("text-embedding")
    assert (price.cached_input_per_mtok or 0) < price.input_per_mtok
    assert all(0.3 < factor <= 1 for name, factor in factors(price) if name in ("batch", "flex"))
    assert all(1 <= factor < 10 for name, factor in factors(price) if name not in ("batch", "flex"))
    for usd in (price.input_per_mtok, price.output_per_mtok, price.cached_input_per_mtok, price.cache_write_per_mtok):
        assert usd is None or Decimal(repr(usd)) * 10**6 % 1 == 0


def factors(price):
    """(tier, factor on input) for each tier of a price."""
    for name, change in (price.tiers or {}).items():
        yield name, change[0] / price.input_per_mtok if isinstance(change, tuple) else change


@pytest.mark.parametrize("model", list(TABLE))
def test_every_name_finds_its_own_row(model):
    """No rule of the look-up hides a row."""
    assert cost.resolve(model) == model
    assert cost.resolve(f" {model.upper()} ") == model


def test_aliases_lead_to_rows():
    """And hide none."""
    assert set(prices.ALIASES.values()) <= set(TABLE)
    assert not set(prices.ALIASES) & set(TABLE)
    assert not set(prices.OPENAI) & set(prices.OTHERS)


def test_the_table_is_dated_and_named():
    """Whoever reads a bill can see how old its prices are, and whose."""
    assert datetime.date.fromisoformat(prices.PRICES_AS_OF) >= datetime.date(2026, 11, 21)
    assert re.fullmatch(r"litellm [\d.]+, compared with genai-prices [\d.]+", prices.SOURCE)


def test_the_file_stays_small():
    """It is loaded with the first price that is asked for."""
    assert 5_000 < len(text_of_the_table().encode()) < 25_000


def test_no_snapshot_repeats_its_model():
    """A dated name has a row only where its price differs."""
    for model, row in TABLE.items():
        undated = re.sub(cost._DATED, "", model)
        assert undated == model or TABLE.get(undated) != row


# ---- that the script can be trusted

PLAIN = {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2e-06, "output_cost_per_token": 8e-06}
FIRST = {
    "sample_spec": {"litellm_provider": "one of", "mode": "one of"},
    "gpt-a": {
        **PLAIN,
        "cache_read_input_token_cost": 5e-07,
        "input_cost_per_token_batches": 1e-06,
        "output_cost_per_token_batches": 4e-06,
        "input_cost_per_token_priority": 3.5e-06,
        "output_cost_per_token_priority": 1.4e-05,
        "cache_read_input_token_cost_priority": 8.75e-07,
    },
    "gpt-b": {
        **PLAIN,
        "input_cost_per_token_above_200k_tokens": 4e-06,
        "output_cost_per_token_above_200k_tokens": 1.2e-05,
        "input_cost_per_token_flex": 1e-06,
        "output_cost_per_token_flex": 4e-06,
    },
    "gpt-b-2026-01-02": {**PLAIN},
    "gpt-c": PLAIN,
    "gpt-c-0314": PLAIN,
    "gpt-d-2026-01-02": PLAIN,
    "gpt-d-2026-03-04": PLAIN,
    "gpt-e-2026-01-02": PLAIN,
    "gpt-e-2026-03-04": {**PLAIN, "input_cost_per_audio_token": 4e-05, "output_cost_per_audio_token": 8e-05},
    "gpt-image": {**PLAIN, "mode": "image_generation"},
    "openai/container": {**PLAIN},
    "o4-mini": {**PLAIN, "cache_read_input_token_cost": 2.75e-07, "cache_read_input_token_cost_flex": 1.38e-07,
                "input_cost_per_token_flex": 1e-06, "output_cost_per_token_flex": 4e-06},
    "gpt-5-nano": {**PLAIN, "input_cost_per_token_priority": 2.5e-06, "output_cost_per_token_priority": 8e-06},
    "claude-same": {**PLAIN, "litellm_provider": "anthropic"},
    "claude-other": {**PLAIN, "litellm_provider": "anthropic"},
    "claude-unknown": {**PLAIN, "litellm_provider": "anthropic"},
    "gemini/gemini-same": {**PLAIN, "litellm_provider": "gemini"},
    "gemini/gemini-hourly": {**PLAIN, "litellm_provider": "gemini"},
    "gemini/gemini-raised": {**PLAIN, "litellm_provider": "gemini"},
    "gemini/gemini-preview": {**PLAIN, "litellm_provider": "gemini"},
    "groq/gpt-a": {**PLAIN, "litellm_provider": "groq"},
}  # fmt: skip
EXPECTED_OPENAI = {
    "gpt-5-nano": (2.0, 8.0),
    "gpt-a": (2.0, 8.0, 0.5, None, {"batch": (1.0, 4.0, 0.5), "priority": 1.75}),
    "gpt-b": (2.0, 8.0, None, None, {"flex": 0.5}, (200_000, 2.0, 1.5)),
    "gpt-b-2026-01-02": (2.0, 8.0),
    "gpt-c": (2.0, 8.0),
    "gpt-d": (2.0, 8.0),
    "gpt-e-2026-01-02": (2.0, 8.0),
    "gpt-e-2026-03-04": (2.0, 8.0, None, None, {}, None, 40.0, 80.0),
    "o4-mini": (2.0, 8.0, 0.275, None, {"flex": 0.5}),
}
EXPECTED_OTHERS = {"claude-same": (2.0, 8.0), "gemini-raised": (2.0, 8.0), "gemini-same": (2.0, 8.0)}
SECOND = """
from decimal import Decimal
import datetime
raise SystemExit("this file is never run")
def model(id, prices): ...
providers: list[Provider] = [
    Provider(id='openai', models=[
        ModelInfo(id='gpt-a', match=ClauseOr(or_=[ClauseEquals(equals='gpt-a'), ClauseRegex(regex='^gpt-a-x')]),
                  prices=ModelPrice(input_mtok=Decimal('2'), output_mtok=Decimal('9'))),
        ModelInfo(id='gpt-b', match=ClauseStartsWith(starts_with='gpt-b'), prices=ModelPrice(
            input_mtok=TieredPrices(base=Decimal('2'), tiers=[Tier(start=200000, price=Decimal('4'))]),
            output_mtok=TieredPrices(base=Decimal('8'), tiers=[Tier(start=200000, price=Decimal('12'))]))),
    ]),
    Provider(id='anthropic', models=[
        ModelInfo(id='claude-same', match=ClauseEquals(equals='claude-same'), prices=ModelPrice(
            input_mtok=Decimal('2'), output_mtok=Decimal('8.00'))),
        ModelInfo(id='claude-other', match=ClauseEquals(equals='claude-other'), prices=ModelPrice(
            input_mtok=Decimal('3'), output_mtok=Decimal('8'))),
    ]),
    Provider(id='google', models=[
        ModelInfo(id='same', match=ClauseAnd(and_=[ClauseContains(contains='-same'), ClauseEndsWith(ends_with='same')]),
                  prices=ModelPrice(input_mtok=Decimal('2'), output_mtok=Decimal('8'))),
        ModelInfo(id='hourly', match=ClauseEquals(equals='gemini-hourly'), prices=[
            ConditionalPrice(prices=ModelPrice(input_mtok=Decimal('2'), output_mtok=Decimal('8'))),
            ConditionalPrice(constraint=TimeOfDateConstraint(start_time=datetime.time(1, 0)),
                             prices=ModelPrice(input_mtok=Decimal('4'), output_mtok=Decimal('8')))]),
        ModelInfo(id='raised', match=ClauseEquals(equals='gemini-raised'), prices=[
            ConditionalPrice(prices=ModelPrice(input_mtok=Decimal('1'), output_mtok=Decimal('8'))),
            ConditionalPrice(constraint=StartDateConstraint(start_date=datetime.date(2000, 1, 1)),
                             prices=ModelPrice(input_mtok=Decimal('2'), output_mtok=Decimal('8'))),
            ConditionalPrice(constraint=StartDateConstraint(start_date=datetime.date(9999, 1, 1)),
                             prices=ModelPrice(input_mtok=Decimal('5'), output_mtok=Decimal('8')))]),
    ]),
]
"""


def put_packages(folder, first, second=SECOND):
    """Two wheels as the package index would give them."""
    with zipfile.ZipFile(folder / "litellm-1.2.3-cp310-abi3-manylinux_2_28_x86_64.whl", "w") as archive:
        archive.writestr("litellm/model_prices_and_context_window_backup.json", json.dumps(first))
    with zipfile.ZipFile(folder / "genai_prices-0.1.2-py3-none-any.whl", "w") as archive:
        archive.writestr("genai_prices/data.py", second)
    return folder


@pytest.fixture
def packages(tmp_path):
    return put_packages(tmp_path, FIRST)


def built(script, packages):
    """(the tables of the prices.py that the script makes of the packages, its notes, the text)."""
    notes = []
    text = script.build(packages, notes)
    return script.data_of(text), notes, text


def test_the_script_makes_rows_of_a_table(script, packages):
    """Prices per million, tiers as factors where one fits, cliffs, audio; snapshots folded; others if agreed on."""
    tables, _, _ = built(script, packages)
    assert tables["OPENAI"] == EXPECTED_OPENAI
    assert tables["OTHERS"] == EXPECTED_OTHERS
    assert list(tables["OPENAI"]) == sorted(tables["OPENAI"])


def test_the_script_tells_what_it_saw(script, packages):
    """Slips that it corrected, disagreements, and how many models it left out."""
    _, notes, _ = built(script, packages)
    assert "corrected o4-mini cache_read_input_token_cost_flex: 0.138 -> 0.1375" in notes
    assert "corrected gpt-5-nano input_cost_per_token_priority: 2.5 -> None" in notes
    assert "second source on gpt-a: output_mtok 8 [] against 9 []" in notes
    assert not [note for note in notes if "gpt-b:" in note]
    assert "left out 3 models of other makers that the second source does not know or prices otherwise" in notes


def test_the_text_is_python_and_always_the_same(script, packages):
    """Same packages, same day, same bytes; the text runs, and says where it is from."""
    _, _, text = built(script, packages)
    assert built(script, packages)[2] == text
    names = {}
    exec(text, names)
    assert names["OPENAI"] == EXPECTED_OPENAI
    assert names["SOURCE"] == "litellm 1.2.3, compared with genai-prices 0.1.2"


IMPLAUSIBLE = [
    ("a priority price fifty times the plain one", {"input_cost_per_token_priority": 1e-04,
     "output_cost_per_token_priority": 8e-06}, "priority price is implausible"),
    ("a batch price above the plain one", {"input_cost_per_token_batches": 3e-06,
     "output_cost_per_token_batches": 8e-06}, "batch price is implausible"),
    ("a cache dearer than no cache", {"cache_read_input_token_cost": 3e-06}, "cached input costs more"),
    ("two cliffs", {"input_cost_per_token_above_128k_tokens": 4e-06, "input_cost_per_token_above_200k_tokens": 8e-06},
     "more than one price step"),
    ("a cliff that is no multiple", {"input_cost_per_token_above_200k_tokens": 4e-06}, "no multiple of the plain"),
]  # fmt: skip


@pytest.mark.parametrize("more, expected", [row[1:] for row in IMPLAUSIBLE], ids=[row[0] for row in IMPLAUSIBLE])
def test_what_cannot_be_meant_stops_the_script(script, tmp_path, more, expected):
    """Better no new table than a wrong one."""
    put_packages(tmp_path, {"gpt-x": {**PLAIN, **more}})
    with pytest.raises(ValueError, match=f"gpt-x: .*{expected}"):
        script.build(tmp_path, [])


def test_a_problem_ends_the_script_in_one_line(script, tmp_path, capsys):
    """Exit code 2, told apart from the 1 of a drift."""
    put_packages(tmp_path, {"gpt-x": {**PLAIN, "cache_read_input_token_cost": 3e-06}})
    assert script.main(["--check", "--downloads", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("refresh_prices: gpt-x: cached input costs more than plain input")


def test_a_second_source_of_another_shape_stops_the_script(script, tmp_path):
    """It says what it missed."""
    put_packages(tmp_path, FIRST, "prices = []\n")
    with pytest.raises(ValueError, match="no longer assigns `providers`"):
        script.build(tmp_path, [])


def test_check_fails_on_drift_and_writes_nothing(script, packages, tmp_path, monkeypatch, capsys):
    """One line per difference; the date and the version are none."""
    target = tmp_path / "prices.py"
    monkeypatch.setattr(script, "TARGET", target)
    assert script.main(["--check", "--downloads", str(packages)]) == 1
    assert not target.exists()
    assert script.main(["--downloads", str(packages)]) == 0
    assert b"\r" not in target.read_bytes()
    target.write_text(re.sub(r'AS_OF = "[\d-]+"', 'AS_OF = "1999-01-01"', target.read_text()).replace("1.2.3", "1.2.2"))
    capsys.readouterr()
    assert script.main(["--check", "--downloads", str(packages)]) == 0
    assert capsys.readouterr().out.endswith("the prices are the published ones\n")
    changed = (
        target.read_text()
        .replace('"gpt-c": (2.0, 8.0)', '"gpt-c": (2.0, 9.0)')
        .replace('    "gpt-d": (2.0, 8.0),\n', "")
    )
    target.write_text(changed)
    assert script.main(["--check", "--downloads", str(packages)]) == 1
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "OPENAI gpt-c: (2.0, 9.0) -> (2.0, 8.0)",
        "OPENAI gpt-d: absent -> (2.0, 8.0)",
        "2 differences",
    ]
    assert target.read_text() == changed


def test_the_script_runs_by_itself_from_anywhere(packages, tmp_path):
    """With only the standard library, whatever the working folder."""
    command = [sys.executable, "-I", str(SCRIPT), "--check", "--downloads", str(packages)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "")
    assert "gpt-4o: " in done.stdout


def test_script_and_look_up_agree_on_what_a_date_is(script):
    """A row is folded by the same rule by which it is found again."""
    assert script.DATED.pattern == cost._DATED


def test_the_table_is_laid_out_as_the_script_would(script):
    """Nobody edited it by hand: writing its own data again gives the same bytes."""
    text = text_of_the_table()
    notes = re.findall(r"^# (.*)\n(OPENAI|OTHERS): ", text, re.MULTILINE)
    tables = [(name, comment, decimals(getattr(prices, name))) for comment, name in notes]
    assert script.rendered(tables, prices.SOURCE, prices.PRICES_AS_OF) == text


def decimals(value):
    """Floats as the Decimals that the script works with."""
    if isinstance(value, dict):
        return {key: decimals(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(decimals(item) for item in value)
    return Decimal(repr(value)) if isinstance(value, float) else value
