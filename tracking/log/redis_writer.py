"""The Redis Streams writer: one script call a partition and round trip, in a thread of its own."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import redis

from tracking import redis_client
from tracking.contract.stamp import make_stamp
from tracking.log.base import LogUnavailable, partition_for
from tracking.log.handover import HandoverWriter, Pending
from tracking.log.redis_topic import RedisAddress, agree_on_partitions, new_identity, unavailable

TIMEOUT_S: Final = 1.0
"""A Redis that answers later is treated as unavailable; a caller has spooled its record long before."""

# KEYS: stream, its identity. ARGV: cap, "refuse" or "trim", an identity in case the stream is new, the sender's stamp,
# then key and value of each record.
APPEND: Final = """
local count = (#ARGV - 4) / 2
local cap = tonumber(ARGV[1])
local length = redis.call('XLEN', KEYS[1])
if ARGV[2] == 'refuse' and length + count > cap then
  return redis.error_reply('FULL the stream holds ' .. length .. ' records; its cap is ' .. ARGV[1])
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('SET', KEYS[2], ARGV[3])
else
  redis.call('SET', KEYS[2], ARGV[3], 'NX')
end
local now = redis.call('TIME')
local millis = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000))
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local number
if last[1] then
  number = tonumber(string.match(last[1][1], '^%d+'))
else
  number = now[1] * 1000000 + now[2]
end
for i = 1, count do
  number = number + 1
  redis.call('XADD', KEYS[1], string.format('%.0f', number) .. '-' .. millis,
             'k', ARGV[3 + 2 * i], 'v', ARGV[4 + 2 * i], 'c', ARGV[4])
end
if length + count > cap then redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', cap) end
return count
"""


class RedisStreamsWriter(HandoverWriter):
    """Appends to the streams of one topic."""

    def __init__(self, address: RedisAddress) -> None:
        super().__init__(name=f"Redis stream {address.topic}")
        self._address = address
        self._client: redis.Redis | None = None
        self._partitions = 0

    def _connect(self) -> None:
        with unavailable():
            self._client = redis_client.connect(self._address.redis_url, timeout_s=TIMEOUT_S)
            self._partitions = agree_on_partitions(self._client, self._address)

    def _send(self, records: list[Pending]) -> None:
        by_partition: defaultdict[int, list[Pending]] = defaultdict(list)
        for pending in records:
            by_partition[partition_for(pending.key, self._partitions)].append(pending)
        if not records:
            return
        with unavailable():
            answers = self._call(by_partition)
        for answer, sent in zip(answers, by_partition.values(), strict=True):
            error = None
            if isinstance(answer, Exception):
                # The server is there and says no: out of memory, read-only, still loading, stream full.
                error = LogUnavailable(f"Redis did not take the record: {answer}")
            for pending in sent:
                self.settle(pending, error)

    def _call(self, by_partition: dict[int, list[Pending]]) -> list[Any]:
        client = self._client
        assert client is not None, "_connect comes first"
        calls = [self._arguments(partition, sent) for partition, sent in by_partition.items()]
        if self._address.is_cluster:  # each partition may be on another server
            return [_answer_or_error(client, arguments) for arguments in calls]
        pipeline = client.pipeline(transaction=False)
        for arguments in calls:
            pipeline.eval(APPEND, 2, *arguments)
        return pipeline.execute(raise_on_error=False)

    def _arguments(self, partition: int, sent: list[Pending]) -> list[Any]:
        address = self._address
        arguments: list[Any] = [address.stream(partition), address.identity(partition)]
        arguments += (address.max_records, address.when_full, new_identity(), make_stamp())
        for pending in sent:
            arguments += (pending.key, pending.value)
        return arguments

    def _disconnect(self, timeout_s: float) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _answer_or_error(client: redis.Redis, arguments: list[Any]) -> Any:
    try:
        return client.eval(APPEND, 2, *arguments)
    except redis.ResponseError as error:
        return error
