"""Orders of a site in Redis: with which user key each stands, and what is known of it.

The first user key of a site that reports an order claims it, by one atomic command; so workers of different partitions
agree without knowing of each other. The order itself stands beside its owner's states, under the same hash tag, and is
written in the same guarded transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import redis

from features import keys
from features.exceptions import OrdersNeeded
from features.state.batch import Applied, ParsedBatch, StoredBatch, erased_until_ms
from features.state.orders.order import ttl_of
from features.store.online import Batch
from features.store.redis_pipe import Command, send_to_each

Name = tuple[str, str, int]
"""Site, user key of who reports it, hash of the transaction id."""

_CLAIM: Final = """
local owners = {}
for i, key in ipairs(KEYS) do
  local ttl = tonumber(ARGV[2 * i])
  if not redis.call('SET', key, ARGV[2 * i - 1], 'NX', 'EX', ttl) and redis.call('TTL', key) < ttl then
    redis.call('EXPIRE', key, ttl)
  end
  owners[i] = redis.call('GET', key)
end
return owners
"""
_RELEASE: Final = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0"


def apply_with_orders(
    apply: Callable[[ParsedBatch], Applied], parsed: ParsedBatch, *, stored: StoredBatch, batch: Batch
) -> Applied:
    """Return what a batch does, once the orders are read that it turns out to be about.

    A batch without orders costs nothing more; one with orders two round trips.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable.
    """
    while True:
        try:
            return apply(parsed)
        except OrdersNeeded as needed:
            look_up(needed.orders, parsed, stored=stored, batch=batch)


def look_up(names: Iterable[Name], parsed: ParsedBatch, *, stored: StoredBatch, batch: Batch) -> None:
    """Add to ``stored`` whom each order stands with, and those that stand with who reports them.

    What happened before its user was erased claims nothing: it is left out.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable.
    """
    wanted: list[Name] = []
    for name in names:
        site, user_key, hashed = name
        if name in parsed.orders and parsed.orders[name] <= erased_until_ms(stored, (site, user_key)):
            stored.orders.setdefault((site, user_key), {})[hashed] = None
        else:
            wanted.append(name)
    own: list[Name] = []
    for name, owner in zip(wanted, claim(batch.client, wanted, at_ms=parsed.orders), strict=True):
        site, user_key, hashed = name
        if owner == user_key:
            own.append(name)
        else:
            stored.owners.setdefault((site, user_key), {})[hashed] = owner
    for (site, user_key, hashed), blob in zip(own, batch.read_orders(own), strict=True):
        stored.orders.setdefault((site, user_key), {})[hashed] = blob


def orders_of(client: redis.Redis, partition: int, site: str, user_key: str) -> dict[int, bytes]:
    """Return the orders that stand with a user, by the hash of their transaction ids; two round trips.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable.
    """
    index = keys.orders_of_user(partition, site, user_key)
    (members,) = send_to_each(client, [(index, ("SMEMBERS", index))])
    hashes = sorted(map(int, members))
    if not hashes:
        return {}
    names = [keys.order(partition, site, user_key, hashed) for hashed in hashes]
    (blobs,) = send_to_each(client, [(index, ("MGET", *names))])
    return {hashed: blob for hashed, blob in zip(hashes, blobs, strict=True) if blob is not None}


def release(client: redis.Redis, site: str, user_key: str, hashes: Iterable[int]) -> int:
    """Let orders stand with nobody that stand with a user; return how many did.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable.
    """
    names = [keys.order_owner(site, hashed) for hashed in hashes]
    return sum(send_to_each(client, [(name, ("EVAL", _RELEASE, 1, name, user_key)) for name in names]))


def claim(client: redis.Redis, names: Sequence[Name], *, at_ms: Mapping[Name, int]) -> list[str]:
    """Return the user key with which each order stands: who reports it, unless somebody else did so before.

    ``at_ms`` has the event times of the reports; one that is not there may be of any time.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable.
    """
    now_ms = time.time_ns() // 1_000_000
    owners: dict[Name, str] = {}
    by_tag: dict[int, list[Name]] = {}
    for name in names:
        by_tag.setdefault(name[2] % keys.ORDER_TAGS, []).append(name)
    commands: list[tuple[str, Command]] = []
    for group in by_tag.values():
        spelled = [keys.order_owner(site, hashed) for site, _, hashed in group]
        claims = [part for name in group for part in (name[1], ttl_of(at_ms.get(name, 0), now_ms=now_ms))]
        commands.append((spelled[0], ("EVAL", _CLAIM, len(spelled), *spelled, *claims)))
    answers: list[Any] = send_to_each(client, commands) if commands else []
    for group, answer in zip(by_tag.values(), answers, strict=True):
        owners.update((name, owner.decode()) for name, owner in zip(group, answer, strict=True))
    return [owners[name] for name in names]


def copy_owners(source: redis.Redis, target: redis.Redis) -> int:
    """Let orders stand in one Redis with whom they stand in another; return how many there are.

    Which of a person's keys reported an order first is chance, so a replay that is to be compared begins with this.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable.
    """
    copied = 0
    for number in range(keys.ORDER_TAGS):
        prefix = keys.owners_prefix(number)
        cursor: Any = b"0"
        while True:
            ((cursor, names),) = send_to_each(
                source, [(prefix, ("SCAN", cursor, "MATCH", f"{prefix}*", "COUNT", 2_000))]
            )
            if names:
                (owners,) = send_to_each(source, [(prefix, ("MGET", *names))])
                found = [(name.decode(), owner) for name, owner in zip(names, owners, strict=True) if owner is not None]
                ttl_s = keys.ORDER_OWNER.ttl_s
                send_to_each(target, [(name, ("SET", name, owner, "EX", ttl_s)) for name, owner in found])
                copied += len(found)
            if cursor == b"0":
                break
    return copied
