"""Where a cache keeps its entries: bounded, shared between threads, and no file but its own is touched."""

import os
import stat
import sys
import threading
import time

import pytest

from . import module

store = module("store")


def key_of(number):
    return f"{number:064x}"


@pytest.fixture(params=["memory", "folder"])
def make(request, tmp_path):
    """Makes a store of each kind; a folder's entries get times that tell their order."""

    def made(max_entries=100, max_bytes=10_000):
        if request.param == "memory":
            return store.Memory(max_entries, max_bytes)
        return store.Folder(tmp_path / "answers", max_entries, max_bytes)

    return made


def put(kept, number, value=b"x"):
    kept.put(key_of(number), value, len(value))
    path = os.path.join(getattr(kept, "folder", ""), f"{key_of(number)}.answer")
    if os.path.exists(path):
        os.utime(path, (number, number))


def test_what_is_put_can_be_had(make):
    """By its key; the latest of several; None for a key that is not there."""
    kept = make()
    put(kept, 1, b"one")
    put(kept, 2, b"two\nlines\0")
    put(kept, 1, b"one again")
    assert [kept.get(key_of(number)) for number in (1, 2, 3)] == [b"one again", b"two\nlines\0", None]


def test_the_longest_unused_goes_first(make):
    """So many entries; one that was read lately stays."""
    kept = make(max_entries=10)
    for number in range(1, 11):
        put(kept, number)
    assert kept.get(key_of(1)) == b"x"
    for number in range(11, 14):
        put(kept, number)
    there = [number for number in range(1, 14) if kept.get(key_of(number))]
    assert 1 in there and 13 in there and 2 not in there
    assert 9 <= len(there) <= 10


def test_so_many_bytes(make):
    """Large entries push out more than small ones; one that is larger than all is not kept."""
    kept = make(max_bytes=1000)
    put(kept, 1, b"x" * 400)
    put(kept, 2, b"x" * 400)
    put(kept, 3, b"x" * 500)
    assert kept.get(key_of(1)) is None
    assert len(kept.get(key_of(3))) == 500
    put(kept, 4, b"x" * 1001)
    assert kept.get(key_of(4)) is None


def test_threads_share_it(make):
    """Eight threads put and get; every value read is the one that belongs to its key."""
    kept = make(max_entries=20)
    wrong = []

    def work(first):
        for number in range(first, first + 60):
            kept.put(key_of(number % 40), str(number % 40).encode(), 2)
            got = kept.get(key_of((number * 7) % 40))
            if got is not None and got != str((number * 7) % 40).encode():
                wrong.append(got)

    threads = [threading.Thread(target=work, args=(place * 5,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert wrong == []
    assert sum(kept.get(key_of(number)) is not None for number in range(40)) <= 20


def test_a_folder_outlives_the_process_and_is_shared(tmp_path):
    """A second store of the same folder has what the first put, and counts it against its limits."""
    put(store.Folder(tmp_path, 10, 1000), 1, b"one")
    second = store.Folder(str(tmp_path), 10, 1000)
    assert second.get(key_of(1)) == b"one"
    assert store.Folder(tmp_path, 0, 1000).get(key_of(1)) is None


def test_other_files_stay(tmp_path):
    """Only files of ours are counted and removed; what a killed process left half written, too, once it is old."""
    for name in ("notes.txt", "x.answer", f"{key_of(7)}.txt"):
        (tmp_path / name).write_text("mine")
    for number, age_s in ((8, 7200), (9, 0)):
        half = tmp_path / f"{key_of(number)}.answer.123-4"
        half.write_text("half")
        os.utime(half, (time.time() - age_s,) * 2)
    kept = store.Folder(tmp_path, 1, 1000)
    for number in range(1, 5):
        put(kept, number)
    store.Folder(tmp_path, 0, 1000)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["notes.txt", "x.answer", f"{key_of(7)}.txt", f"{key_of(9)}.answer.123-4"]
    )


def test_nothing_half_written_stays(tmp_path, monkeypatch):
    """Where the move into place fails, the part is removed, and what was there before is still there."""
    kept = store.Folder(tmp_path, 10, 1000)
    put(kept, 1, b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        kept.put(key_of(1), b"new", 3)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == [f"{key_of(1)}.answer"]
    assert kept.get(key_of(1)) == b"old"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_only_the_owner_may_read(tmp_path):
    """Answers hold what people asked."""
    kept = store.Folder(tmp_path / "answers", 10, 1000)
    put(kept, 1)
    assert stat.S_IMODE((tmp_path / "answers").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "answers" / f"{key_of(1)}.answer").stat().st_mode) == 0o600
