"""Forget a source: take back what it counted, so that states and counts are as if it had never come.

Of every user who has a row of the source, the archive says everything they did. Their states and counts are worked out
twice by the worker's own functions, with the source's events and without, and only where the first is exactly what
stands in Redis, the second takes its place: states as a whole, counts by the difference. Where it is not, events are
still under way, or the archive no longer has everything; that user is left as they are and tried again.

States and counts of a partition change in one transaction that touches its position, as an erasure does, so that a
worker's batch in between is refused; the worker drops the counts that it holds in memory when it sees the number of
corrections in its progress. Rows of the archive go last: after a crash, the next run finds what was taken back already.

What cannot be taken back: the time that the source's events moved the site to (watermarks), the totals of events by
outcome, which say what was received, orders that another user key reported too, models and reports made meanwhile.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final, NamedTuple

import msgspec

from features import keys
from features.archive.maintenance import erase_rows
from features.archive.writer import ArchiveFolder
from features.exceptions import FeatureError
from features.models import StoredProfile
from features.money import MoneyOfSite
from features.state import batch as micro
from features.state import progress, windows
from features.state.counting import networks
from features.state.counting.networks import Voices, voice_of_the_day
from features.state.counting.unknown import REST, KeysOfSite, SiteKeys
from features.state.states import canonical, decode_profile
from features.store import orders
from features.store.online import OnlineStore
from features.store.redis_pipe import Command, Pipe, borrowed, raise_errors, send_to_each
from features.stream.sources.past import Lookers, UserPast, pasts, users_of
from features.stream.sources.source import Source
from tracking.contract.events import EventRecord, log_key
from tracking.contract.parsing import encode_record
from tracking.contract.user_key import UserKey
from tracking.log import BEGINNING, Record

logger = logging.getLogger(__name__)

CHUNK: Final = 500
"""Users whose states change in one transaction, and whose rows of the archive are in memory meanwhile."""
_ENCODE: Final = msgspec.msgpack.Encoder().encode
_DECODE: Final = msgspec.msgpack.Decoder(list[int]).decode


class _Everything:
    def __contains__(self, item_id: object) -> bool:
        return True


@dataclass(slots=True)
class TakenBack:
    """What a run did: users by what became of them, rows of the archive, and fields of counts that changed."""

    users: int = 0
    emptied: int = 0
    unsettled: int = 0
    rows: int = 0
    counts: int = 0


class _Way(NamedTuple):
    """What a user's events did, all of them and those that are not the source's."""

    before: micro.Applied
    after: micro.Applied


class _Change(NamedTuple):
    user_key: str
    ways: list[_Way]


_Move = tuple[str, _Way]
"""A user key, and the way in which what stands came about."""


@dataclass(slots=True)
class _Difference:
    """What a hash of counts loses by field: numbers, and the tags of networks."""

    is_of_items: bool
    amounts: dict[str, list[int]] = field(default_factory=dict)
    tags: dict[str, set[int]] = field(default_factory=dict)


class TakeBack:
    """Takes back what one source counted on one site.

    Parameters
    ----------
    site : str
    source : Source
    folder : ArchiveFolder
    store : OnlineStore
    partitions, lateness_ms : int
        As the stream workers have them.
    keys_of_site, money_of, voices : callable
        As for ``features.state.batch.apply_batch``.
    is_behind : callable
        Whether the worker of a partition has yet to apply what the archive has of it.
    """

    def __init__(  # what a worker has, each of which tests replace on its own
        self,
        site: str,
        source: Source,
        *,
        folder: ArchiveFolder,
        store: OnlineStore,
        partitions: int,
        lateness_ms: int,
        keys_of_site: KeysOfSite,
        money_of: MoneyOfSite,
        voices: Voices = voice_of_the_day,
        is_behind: Callable[[int], bool] = lambda partition: False,
    ) -> None:
        self._is_behind = is_behind
        self._site, self._source = site, source
        self._folder, self._store, self._partitions = folder, store, partitions
        self._lateness_ms = lateness_ms
        self._money_of, self._voices = money_of, voices
        known = keys_of_site(site)
        self._known: SiteKeys | None = None
        if known is not None:  # whether the catalogue has an item may have changed: both hashes are looked at
            self._known = SiteKeys(_Everything(), 0, known.placements, known.margins)
        self._lookers = Lookers(folder, site=site, source=source, items=set(), voices=voices)
        self._done = TakenBack()

    def run(self) -> TakenBack:
        """Take back everything that can be now; safe to repeat. Memory: the users' keys, and the rows of ``CHUNK``.

        Raises
        ------
        StoreUnavailable, OSError
            Redis or the archive is unavailable; what was done so far is found as done by the next run.
        """

        def partition_of(user_key: str) -> int:
            return keys.partition_of(self._site, UserKey(user_key), self._partitions)

        everybody = sorted(users_of(self._folder, site=self._site, source=self._source), key=partition_of)
        settled: list[str] = []
        for partition, group in groupby(everybody, key=partition_of):
            of_partition = list(group)
            for start in range(0, len(of_partition), CHUNK):
                settled += self._take_back(partition, of_partition[start : start + CHUNK])
        rows = Source(network=self._source.network, user_key=self._source.user_key, only=frozenset(settled))
        self._done.rows = erase_rows(self._folder, site=self._site, rows=rows)["rows"] if settled else 0
        self._done.users = len(settled)
        self._done.unsettled = len(everybody) - len(settled)
        return self._done

    def _take_back(self, partition: int, users: Sequence[str]) -> list[str]:
        if self._is_behind(partition):
            return []
        found = pasts(self._folder, site=self._site, source=self._source, users=users)
        items = {
            item.item_id
            for one in found
            for record in one.everything
            for event in record.events
            for item in getattr(event.params, "items", ())
        }
        self._lookers = Lookers(self._folder, site=self._site, source=self._source, items=items, voices=self._voices)
        changes: list[_Change] = []
        for one in found:
            try:
                changes.append(self._change(partition, one))
            except FeatureError as error:
                logger.warning("sources.user_left site=%s error=%s", self._site, error)
        return self._write(partition, changes) if changes else []

    def _change(self, partition: int, one: UserPast) -> _Change:
        """Return the ways in which a user's states may have come about: with old events, or where those were late.

        What is late depends on everybody in the partition, so it is the states that say which way it was.
        """
        ways = [(one.everything, one.others)]
        if any(self._is_old(record) for record in one.everything):
            everything, others = ([one for one in way if not self._is_old(one)] for way in ways[0])
            ways.append((everything, others))
        applied = (_Way(*(self._applied(partition, one.user_key, records) for records in way)) for way in ways)
        return _Change(one.user_key, list(applied))

    def _is_old(self, record: EventRecord) -> bool:
        return all(event.occurred_at_ms < record.received_at_ms - self._lateness_ms for event in record.events)

    def _applied(self, partition: int, user_key: str, records: Iterable[EventRecord]) -> micro.Applied:
        key = log_key(self._site, UserKey(user_key))
        now_ms = time.time_ns() // 1_000_000
        of_log = [Record(partition, BEGINNING, key, encode_record(record), now_ms) for record in records]
        parsed = micro.parse_batch(partition, of_log)
        user = (self._site, user_key)
        stored = micro.StoredBatch(progress=None, sessions={user: None}, profiles={user: None}, erased={})
        self._look_up_orders(parsed, stored, user)
        return micro.apply_batch(
            parsed,
            stored,
            lateness_ms=self._lateness_ms,
            keys_of_site=lambda site: self._known,
            money_of=self._money_of,
            voices=self._voices,
        )

    def _look_up_orders(self, parsed: micro.ParsedBatch, stored: micro.StoredBatch, user: micro.User) -> None:
        """Add with whom the orders stand, without claiming any."""
        hashes = sorted({hashed for _, _, hashed in parsed.orders})
        names = [keys.order_owner(self._site, hashed) for hashed in hashes]
        owners = send_to_each(self._store.client, [(name, ("GET", name)) for name in names]) if names else []
        for hashed, owner in zip(hashes, owners, strict=True):
            if owner is None or owner.decode() == user[1]:
                stored.orders.setdefault(user, {})[hashed] = None
            else:
                stored.owners.setdefault(user, {})[hashed] = owner.decode()

    def _write(self, partition: int, changes: Sequence[_Change]) -> list[str]:
        """Put what is without the source in the place of what stands; return the users who are done."""
        client, name = self._store.client, self._store.log_name
        position, noted = keys.position(partition, name), keys.progress(partition, name)
        users = [(self._site, one.user_key) for one in changes]
        while True:
            with borrowed(client, position) as pipe:
                wanted = [position, noted, *keys.states(partition, keys.PROFILE, users)]
                answers = pipe.send([("WATCH", position), ("MGET", *wanted)])
                raise_errors(client, answers)
                stood, progress_blob, *profiles = answers[1]
                done: list[str] = []
                moves: list[_Move] = []
                for one, blob in zip(changes, profiles, strict=True):
                    way = self._way(one, blob)
                    if way is not None:
                        moves.append((one.user_key, way))
                    elif not any(self._is(way.after, one.user_key, blob) for way in one.ways):
                        continue
                    done.append(one.user_key)
                commands = self._states(partition, moves)
                commands += self._counts(pipe, self._differences(moves))
                if not commands:
                    pipe.send([("UNWATCH",)])
                    return done
                state = progress.decode(progress_blob)
                state.corrections += 1
                commands.append(("SET", noted, progress.encode(state), "KEEPTTL"))
                if stood is not None:
                    commands.append(("SET", position, stood))
                answers = pipe.send([("MULTI",), *commands, ("EXEC",)])
                if answers[-1] is None:
                    continue  # the worker wrote meanwhile
                raise_errors(client, answers)
            self._finish(moves)
            return done

    def _way(self, one: _Change, blob: bytes | None) -> _Way | None:
        """Return the way in which what stands came about; None where it is none that we know."""
        if blob is None:
            return None
        return next((way for way in one.ways if self._is(way.before, one.user_key, blob)), None)

    def _is(self, applied: micro.Applied, user_key: str, blob: bytes | None) -> bool:
        made = applied.profiles.get((self._site, user_key))
        if made is None or blob is None:
            return made is blob
        return self._meaning(made) == self._meaning(blob)

    def _meaning(self, blob: bytes) -> list[Any]:
        return canonical(decode_profile(blob), lateness_ms=self._lateness_ms)

    def _states(self, partition: int, moves: Iterable[_Move]) -> list[Command]:
        commands: list[Command] = []
        for user_key, (before, after) in moves:
            user = (self._site, user_key)
            spelled = {
                keys.session(partition, *user): after.sessions.get(user),
                keys.profile(partition, *user): after.profiles.get(user),
            }
            for key, blob in spelled.items():
                # XX: a session that ended by its time does not begin again.
                commands.append(("DEL", key) if blob is None else ("SET", key, blob, "XX", "KEEPTTL"))
            if user not in after.profiles:
                commands.append(("DEL", keys.segment(partition, *user)))
            had, has = before.orders.get(user, {}), after.orders.get(user, {})
            for hashed in had:
                key = keys.order(partition, *user, hashed)
                if hashed in has:
                    commands.append(("SET", key, has[hashed], "KEEPTTL"))
                else:
                    commands += [("DEL", key), ("SREM", keys.orders_of_user(partition, *user), hashed)]
        return commands

    def _differences(self, moves: Iterable[_Move]) -> dict[str, _Difference]:
        """Return what each hash of counts loses, by its Redis key."""
        found: dict[str, _Difference] = {}
        for _, (before, after) in moves:
            for sign, applied in ((1, before), (-1, after)):
                for key, (amounts, _, is_of_items) in applied.increments.items():
                    of_key = found.setdefault(key, _Difference(is_of_items))
                    for name, added in amounts.items():
                        sums = added[: windows.N_SUMS] if is_of_items else added
                        known = of_key.amounts.setdefault(name, [0] * len(sums))
                        of_key.amounts[name] = [left + sign * right for left, right in zip(known, sums, strict=True)]
                        if is_of_items and sign > 0:
                            kept = after.increments.get(key)
                            left_tags = kept.amounts.get(name, [])[windows.N_SUMS :] if kept else []
                            gone = set(added[windows.N_SUMS :]) - set(left_tags)
                            of_key.tags.setdefault(name, set()).update(gone)
        return found

    def _counts(self, pipe: Pipe, differences: Mapping[str, _Difference]) -> list[Command]:
        """Return the commands that take the differences from what stands."""
        asked: list[tuple[str, str, list[str]]] = []
        for key, lost in differences.items():
            names = [name for name in lost.amounts if any(lost.amounts[name]) or lost.tags.get(name)]
            if names:
                asked += [(key, key, names), (key, keys.unknown_beside(key), [*names, REST])]
        if not asked:
            return []
        answers = pipe.send([("HMGET", where, *names) for _, where, names in asked])
        raise_errors(self._store.client, answers)
        held: dict[str, dict[str, list[int]]] = {}
        for (_, where, names), blobs in zip(asked, answers, strict=True):
            held.setdefault(where, {}).update(
                {name: _DECODE(blob) for name, blob in zip(names, blobs, strict=True) if blob is not None}
            )
        changed: dict[tuple[str, str], list[int]] = {}
        for key, lost in differences.items():
            homes = [(key, None), (keys.unknown_beside(key), None), (keys.unknown_beside(key), REST)]
            for name, amounts in lost.amounts.items():
                left = amounts
                for where, instead in homes:
                    of_hash, label = held.get(where, {}), name if instead is None else instead
                    if not any(left) or label not in of_hash:
                        continue
                    counts = windows.completed(of_hash[label]) if lost.is_of_items else of_hash[label]
                    sums = [have - amount for have, amount in zip(counts, left, strict=False)]
                    left = [-min(one, 0) if amount > 0 else 0 for one, amount in zip(sums, left, strict=True)]
                    rest = list(counts[len(sums) :])
                    if lost.is_of_items and instead is None:
                        rest = self._sample(key, name, rest, lost.tags.get(name, set()))
                    of_hash[label] = changed[where, label] = [*(max(one, 0) for one in sums), *rest]
        self._done.counts += len(changed)
        return [
            ("HSET", where, label, _ENCODE(counts)) if any(counts) else ("HDEL", where, label)
            for (where, label), counts in changed.items()
        ]

    def _sample(self, key: str, item_id: str, sample: list[int], gone: set[int]) -> list[int]:
        """Return the sample of an item's networks without those that only the source was in."""
        if not gone & set(sample):
            return sample
        width_s, number = keys.pane_of(key)
        others = self._lookers.tags(item_id, windows.Pane(width_s, number))
        kept = [tag for tag in sample if tag not in gone or tag in others]
        return networks.sample_of([*kept, *others]) if len(sample) == networks.MOST else kept

    def _finish(self, moves: Iterable[_Move]) -> None:
        """Do what stands outside of the partition: owners of orders, and profiles in the database."""
        for user_key, (before, after) in moves:
            user = (self._site, user_key)
            gone = before.orders.get(user, {}).keys() - after.orders.get(user, {}).keys()
            if gone:
                orders.release(self._store.client, self._site, user_key, gone)
            rows = StoredProfile.objects.filter(site__slug=self._site, user_key=user_key)
            profile = after.profiles.get(user)
            if profile is None:
                self._done.emptied += 1
                rows.delete()
            else:
                rows.update(state=profile, newest_ms=decode_profile(profile).newest_ms)
