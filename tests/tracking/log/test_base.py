"""The partition of a key: the same as Kafka's own clients choose."""

from __future__ import annotations

import random

import pytest
from kafka.partitioner.default import murmur2 as murmur2_of_kafka_python

from tracking.log import partition_for
from tracking.log.base import murmur2


# From UtilsTest.testMurmur2 of Apache Kafka, as signed 32-bit numbers.
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_hashes_equal_those_of_kafka(data, expected):
    assert murmur2(data) == expected & 0xFFFF_FFFF


def test_hashes_of_every_length_equal_those_of_kafka_python():
    generator = random.Random(7)
    for length in range(70):
        data = generator.randbytes(length)
        assert murmur2(data) == murmur2_of_kafka_python(data) & 0xFFFF_FFFF


def test_keys_spread_over_all_partitions():
    counts = [0] * 8
    for number in range(8_000):
        counts[partition_for(f"site/u:{number}".encode(), 8)] += 1
    assert min(counts) > 850
    assert max(counts) < 1_150
