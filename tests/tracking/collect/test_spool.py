"""The spool on a real disk: order, caps, crashes in the middle of a write, and folders whose owner died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tracking.collect.segment import MAGIC, encode
from tracking.collect.spool import Spool
from tracking.exceptions import SpoolFull


@pytest.fixture
def spool(tmp_path: Path):
    spool = Spool(tmp_path / "spool", max_bytes=10_000_000, segment_bytes=2_000)
    spool.open()
    yield spool
    spool.close()


def numbered(start: int, stop: int) -> list[tuple[bytes, bytes]]:
    return [(b"user-%d" % (index % 3), b"value %d" % index) for index in range(start, stop)]


def drain(spool: Spool, *, at_once: int = 7) -> list[tuple[bytes, bytes]]:
    drained = []
    while chunk := spool.peek(at_once):
        drained += chunk
        spool.forget(len(chunk))
    return drained


def abandon(spool: Spool) -> None:
    """Release the spool's folder the way a killed process does: the lock ends and the files stay."""
    own = spool._own
    assert own is not None
    os.close(own.lock)
    for segment in own.segments:
        segment.close()
    spool._own = None


def adopt(root: Path) -> Spool:
    spool = Spool(root, max_bytes=10_000_000)
    spool.open()
    return spool


def last_segment(spool: Spool) -> Path:
    return sorted(spool.root.glob("*/*.seg"))[-1]


def test_records_come_back_in_order_over_many_segments(spool):
    spool.append_many(numbered(0, 50))
    spool.append_many(numbered(50, 400))
    spool.append_many(numbered(400, 401))

    assert len(list(spool.root.glob("*/*.seg"))) > 1
    assert drain(spool) == numbered(0, 401)
    assert spool.is_empty
    assert list(spool.root.glob("*/*.seg")) == []


def test_records_may_be_added_while_older_ones_are_drained(spool):
    spool.append_many(numbered(0, 10))
    assert spool.peek(4) == numbered(0, 4)
    spool.append_many(numbered(10, 20))
    spool.forget(4)
    assert drain(spool) == numbered(4, 20)


def test_what_was_peeked_and_not_forgotten_is_peeked_again(spool):
    spool.append_many(numbered(0, 10))
    spool.peek(10)
    spool.forget(3)
    assert spool.peek(10) == numbered(3, 10)


def test_empty_and_binary_keys_and_values_survive(spool):
    records = [(b"", b""), (b"\x00" * 40, bytes(range(256))), (MAGIC, MAGIC)]
    spool.append_many(records)
    assert drain(spool) == records


def test_a_chunk_is_bounded_in_bytes_and_holds_at_least_one_record(spool):
    spool.append_many([(b"k", b"x" * 100_000)] * 3)
    assert len(spool.peek(500, max_bytes=50_000)) == 1
    assert len(drain(spool)) == 3


def test_a_full_spool_refuses_whole_calls_and_takes_records_again_once_drained(tmp_path):
    spool = Spool(tmp_path, max_bytes=1_000)
    spool.open()
    spool.append_many([(b"k", b"x" * 800)])

    with pytest.raises(SpoolFull, match="exceed its cap of 1000"):
        spool.append_many([(b"k", b"1"), (b"k", b"x" * 300)])

    assert drain(spool) == [(b"k", b"x" * 800)]
    spool.append_many([(b"k", b"x" * 300)])
    spool.close()


def test_a_disk_that_is_full_refuses_and_leaves_no_half_record(tmp_path):
    """A real limit of the kernel on the size of files (RLIMIT_FSIZE) stands for the full disk."""
    script = """
import resource, signal, sys
from pathlib import Path
from tracking.exceptions import SpoolFull
from tracking.collect.spool import Spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
spool = Spool(Path(sys.argv[1]), max_bytes=10_000_000)
spool.open()
spool.append_many([(b"k", b"first")])
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
try:
    spool.append_many([(b"k", b"x" * 10_000)])
except SpoolFull as error:
    print(error)
spool.append_many([(b"k", b"second")])
print(spool.peek())
"""
    ended = subprocess.run(
        [sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True, timeout=30
    )
    assert ended.stdout.splitlines() == [
        "the spool cannot be written: File too large",
        "[(b'k', b'first'), (b'k', b'second')]",
    ]


def test_the_folder_of_a_dead_process_is_adopted_and_drained_before_our_own(spool):
    spool.append_many(numbered(0, 300))
    spool.peek(5)
    spool.forget(5)
    abandon(spool)

    heir = adopt(spool.root)
    heir.append_many(numbered(1000, 1010))

    # The dead process's progress within a segment is not on the disk: its first records come again.
    assert drain(heir) == numbered(0, 300) + numbered(1000, 1010)
    heir.close()
    assert list(spool.root.iterdir()) == []


def test_a_living_owner_keeps_its_folder(spool):
    spool.append_many(numbered(0, 10))
    other = adopt(spool.root)
    assert other.is_empty
    other.close()
    assert drain(spool) == numbered(0, 10)


def test_only_one_of_two_heirs_gets_a_folder(spool):
    spool.append_many(numbered(0, 10))
    abandon(spool)
    first, second = adopt(spool.root), adopt(spool.root)
    assert (first.is_empty, second.is_empty) == (False, True)
    first.close()
    assert second.adopt_orphans() == 1
    assert drain(second) == numbered(0, 10)
    second.close()


def test_adopted_bytes_count_against_the_cap(spool):
    spool.append_many([(b"k", b"x" * 900)])
    abandon(spool)
    heir = Spool(spool.root, max_bytes=1_000)
    heir.open()
    with pytest.raises(SpoolFull):
        heir.append_many([(b"k", b"x" * 200)])
    heir.close()


@pytest.mark.parametrize("cut", [1, 3, 11, 12, 13, 20])
def test_a_torn_last_record_is_cut_off_and_the_rest_is_kept(spool, cut):
    spool.append_many(numbered(0, 5))
    torn = encode(b"user-9", b"the end is missing")[:cut]
    path = last_segment(spool)
    abandon(spool)
    with path.open("ab") as file:
        file.write(torn)

    heir = adopt(spool.root)
    assert drain(heir) == numbered(0, 5)
    assert list(spool.root.glob("*.damaged")) == []
    heir.close()


def test_zeros_at_the_end_are_what_a_power_cut_leaves_and_are_cut_off(spool):
    spool.append_many(numbered(0, 5))
    path = last_segment(spool)
    abandon(spool)
    with path.open("ab") as file:
        file.write(bytes(4096))

    heir = adopt(spool.root)
    assert drain(heir) == numbered(0, 5)
    assert list(spool.root.glob("*.damaged")) == []
    heir.close()


@pytest.mark.expects_errors(r"spool\.damaged")
def test_a_flipped_bit_is_noticed_and_what_cannot_be_read_is_kept_for_people(spool):
    spool.append_many(numbered(0, 5))
    path = last_segment(spool)
    abandon(spool)
    data = bytearray(path.read_bytes())
    third = len(MAGIC) + sum(len(encode(*record)) for record in numbered(0, 2))
    data[third + 14] ^= 0x10
    path.write_bytes(data)

    heir = adopt(spool.root)
    assert drain(heir) == numbered(0, 2)
    copies = list(spool.root.glob("*.damaged"))
    assert [copy.read_bytes() for copy in copies] == [bytes(data[third:])]
    heir.close()


@pytest.mark.expects_errors(r"spool\.damaged")
def test_a_file_that_is_no_segment_is_not_read_as_one(spool):
    spool.append_many(numbered(0, 2))
    path = last_segment(spool)
    abandon(spool)
    (path.parent / "0000000000.seg").write_bytes(b"something else entirely, long enough to look like a record")

    heir = adopt(spool.root)
    assert drain(heir) == numbered(0, 2)
    heir.close()


WRITE_UNTIL_KILLED = """
import sys
from pathlib import Path
from tracking.collect.spool import Spool
spool = Spool(Path(sys.argv[1]), max_bytes=500_000_000, segment_bytes=200_000)
spool.open()
number = 0
while True:
    group = [(b"user", b"%d " % (number + step) + b"x" * 3_000) for step in range(20)]
    spool.append_many(group)
    number += len(group)
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


@pytest.mark.slow
def test_kill_9_in_the_middle_of_writing_loses_nothing_that_was_promised(tmp_path):
    for round_number in range(5):
        root = tmp_path / str(round_number)
        with subprocess.Popen(
            [sys.executable, "-c", WRITE_UNTIL_KILLED, root], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            promised = [int(writer.stdout.readline()) for _ in range(5 + round_number)][-1]
            writer.send_signal(signal.SIGKILL)
            promised = max([promised, *(int(line) for line in writer.stdout if line.endswith("\n"))])

        heir = adopt(root)
        found = [int(value.split()[0]) for _, value in drain(heir, at_once=500)]
        heir.close()
        assert found == list(range(len(found)))
        assert len(found) >= promised


def test_using_a_spool_that_is_not_open_says_so(tmp_path):
    with pytest.raises(RuntimeError, match=r"call open\(\) first"):
        Spool(tmp_path, max_bytes=1).append_many([(b"k", b"v")])
