"""The Kafka writer: idempotent, ``acks=all``, in a thread that connects whenever a broker is there.

A producer that failed to deliver is discarded. kafka-python 3.0.12 resets its producer id when a batch expires
that was sent before, drops what it had drained in that moment, and never sends another record of those
partitions: after a broker was down for longer than the delivery time-out, a kept producer stayed silent for ever.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import kafka
from kafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from tracking.contract.stamp import FIELD, make_stamp
from tracking.log.base import MAX_RECORD_BYTES, LogUnavailable, RecordTooLarge, partition_for
from tracking.log.handover import HandoverWriter, Pending
from tracking.log.kafka_client import BOOTSTRAP_TIMEOUT_MS, KafkaAddress, common_options, unavailable

logger = logging.getLogger(__name__)

REQUEST_TIMEOUT_MS: Final = 2_000
DELIVERY_TIMEOUT_MS: Final = 5_000
"""After that a record that a frozen broker holds up is given up; its caller has spooled it long before."""
SILENCE_S: Final = DELIVERY_TIMEOUT_MS / 1000 + 1.0
"""A record that is neither delivered nor failed after that shows a producer that is stuck."""
LINGER_MS: Final = 2
"""Records of this many milliseconds share a request; a caller waits 50 ms before it spools."""


class KafkaWriter(HandoverWriter):
    """Appends to one topic."""

    def __init__(self, address: KafkaAddress, ensure_topic: Callable[[], int]) -> None:
        super().__init__(name=f"Kafka topic {address.topic}")
        self._address = address
        self._ensure_topic = ensure_topic
        self._producer: Any = None
        self._partitions = 0
        self._failed: Exception | None = None
        self._sent: deque[tuple[float, Pending]] = deque()

    def _connect(self) -> None:
        self._failed = None
        _warn_of_slow_checksums()
        self._ensure_topic()  # whoever comes first makes it: the order in which parts start does not matter
        with unavailable(f"connect to {','.join(self._address.servers)}"):
            self._producer = kafka.KafkaProducer(
                **common_options(self._address),
                metrics_enabled=False,
                enable_idempotence=True,
                acks="all",
                compression_type=self._address.compression,
                linger_ms=LINGER_MS,
                batch_size=256 * 1024,
                max_request_size=MAX_RECORD_BYTES + 64 * 1024,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
                delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
                max_block_ms=BOOTSTRAP_TIMEOUT_MS,
                bootstrap_timeout_ms=BOOTSTRAP_TIMEOUT_MS,
                allow_auto_create_topics=False,
            )
            # Requested here, so that the first record does not wait for it.
            self._partitions = len(self._producer.partitions_for(self._address.topic))

    def _send(self, records: list[Pending]) -> None:
        now = time.monotonic()
        while self._sent and self._sent[0][1].is_settled:
            self._sent.popleft()
        if self._failed is not None:
            raise LogUnavailable(f"a record was not delivered: {self._failed}")
        if self._sent and now - self._sent[0][0] > SILENCE_S:
            raise LogUnavailable(f"the producer has been silent for {SILENCE_S:g} s")
        producer, topic, partitions = self._producer, self._address.topic, self._partitions
        headers = [(FIELD, make_stamp())]
        for pending in records:
            key = pending.key
            self._sent.append((now, pending))
            try:
                sent = producer.send(
                    topic, pending.value, key, headers=headers, partition=partition_for(key, partitions)
                )
            except KafkaError as error:
                self._on_failure(pending, error)
                continue
            sent.add_callback(self._on_success, pending)
            sent.add_errback(self._on_failure, pending)

    def _on_success(self, pending: Pending, _metadata: object) -> None:
        self.settle(pending, None)

    def _on_failure(self, pending: Pending, error: Exception) -> None:
        if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
            self.settle(pending, RecordTooLarge(f"the broker refused the record: {error}"))
            return
        if self._failed is None:
            self._failed = error
            self.wake()
        self.settle(pending, LogUnavailable(f"Kafka did not take the record: {error or type(error).__name__}"))

    def _disconnect(self, timeout_s: float) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            producer.close(timeout=timeout_s)
        except KafkaError:
            # The flush inside timed out and left the sending thread alive. End it, and keep the destructor from
            # flushing again, for a second, in whatever thread the garbage collector runs.
            producer._sender.force_close()
            producer._closed = True
        for _, pending in self._sent:
            self.settle(pending, LogUnavailable("the producer was closed before the record was acknowledged"))
        self._sent.clear()


@functools.cache
def _warn_of_slow_checksums() -> None:
    if importlib.util.find_spec("crc32c") is None:
        logger.warning("log.slow_checksums: kafka-python computes them in Python, 11 times slower; install crc32c")
