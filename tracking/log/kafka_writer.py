"""The Kafka writer: idempotent, ``acks=all``, in a thread that connects whenever a broker is there."""

from __future__ import annotations

from typing import Any, Final

import kafka
from kafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError, RetriableError

from tracking.log.base import MAX_RECORD_BYTES, LogUnavailable, RecordTooLarge, partition_for
from tracking.log.handover import HandoverWriter, Pending
from tracking.log.kafka import BOOTSTRAP_TIMEOUT_MS, KafkaAddress, common_options, unavailable

REQUEST_TIMEOUT_MS: Final = 2_000
DELIVERY_TIMEOUT_MS: Final = 5_000
"""After that a record that a frozen broker holds up is given up; its caller has spooled it long before."""
LINGER_MS: Final = 2
"""Records of this many milliseconds share a request; a caller waits 50 ms before it spools."""


class KafkaWriter(HandoverWriter):
    """Appends to one topic."""

    def __init__(self, address: KafkaAddress) -> None:
        super().__init__(name=f"Kafka topic {address.topic}")
        self._address = address
        self._producer: Any = None
        self._partitions = 0
        self._fatal: KafkaError | None = None

    def _connect(self) -> None:
        self._fatal = None
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
            # Asked for here, so that the first record does not wait for it.
            self._partitions = len(self._producer.partitions_for(self._address.topic))

    def _send(self, records: list[Pending]) -> None:
        if self._fatal is not None:
            raise LogUnavailable(f"the producer must start over: {self._fatal}")
        producer, topic, partitions = self._producer, self._address.topic, self._partitions
        for pending in records:
            key = pending.key
            try:
                sent = producer.send(topic, pending.value, key, partition=partition_for(key, partitions))
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
        if isinstance(error, KafkaError) and not isinstance(error, RetriableError):
            # An idempotent producer that lost its place cannot go on; a new one starts a new sequence.
            self._fatal = error
        self.settle(pending, LogUnavailable(f"Kafka did not take the record: {error or type(error).__name__}"))

    def _disconnect(self, timeout_s: float) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            producer.close(timeout=timeout_s)
        except KafkaError:
            # The flush inside timed out and left the sending thread alive; this ends it, and with it every
            # record still on its way gets its outcome.
            producer._sender.force_close()
