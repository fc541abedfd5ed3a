"""Pure: which rows of the archive are one person's, where several people share a browser.

Who logs in on a browser owns what is done there until somebody else logs in; what was done before the first login is
that first person's. A row that names a user is that user's, whatever the browser. So two people on one browser stay
two: neither's export or erasure takes a row of the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from tracking.contract.user_key import UserKey, key_of_anonymous, key_of_user
from tracking.deferred import deferred

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
else:
    pl = deferred("polars")
    pa = deferred("pyarrow")

Span = tuple[int, int]
"""First and last millisecond of a time, since 1970."""

LOGIN_COLUMNS: Final = ("anonymous_id", "user_id", "occurred_at_ms")


@dataclass(frozen=True, kw_only=True, eq=False)
class Ownership:
    """Everything that one person is known by, and who logged in on their browsers.

    Attributes
    ----------
    user_id : str or None
        None for somebody who never logged in.
    browsers : tuple of str
        The anonymous ids on which the user logged in, or that the caller says are the user's.
    logins : DataFrame
        ``anonymous_id``, ``user_id``, ``occurred_at_ms`` of identified rows on these browsers, sorted by time; of a
        run of rows of one user, the first and the last are enough.
    """

    user_id: str | None
    browsers: tuple[str, ...] = ()
    logins: pl.DataFrame = field(default_factory=lambda: no_logins())

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the archive that ``mask`` looks at."""
        return LOGIN_COLUMNS

    @property
    def user_keys(self) -> list[UserKey]:
        """The keys of the user: the user id's, then those of the browsers."""
        own = [key_of_user(self.user_id)] if self.user_id else []
        return [*own, *(key_of_anonymous(one) for one in self.browsers)]

    def mask(self, table: pa.Table) -> pl.Series:
        """Return which rows of an archive table are the person's; bool, shape (n_rows,)."""
        frame = cast("pl.DataFrame", pl.from_arrow(table.select(LOGIN_COLUMNS))).with_row_index("row")
        named = pl.col("user_id").eq_missing(self.user_id) & pl.lit(self.user_id is not None)
        bare = frame.filter(pl.col("user_id").is_null() & pl.col("anonymous_id").is_in(list(self.browsers)))
        owned = self._owned(bare)
        is_mine = (named | pl.col("row").is_in(owned.to_list())).fill_null(value=False)
        return frame.select(is_mine.alias("is_mine"))["is_mine"]

    def spans(self, anonymous_id: str, now_ms: int) -> list[Span]:
        """Return when what was done on a browser was the person's: first and last millisecond, oldest first.

        The last one ends with ``now_ms`` where nobody else has logged in since.
        """
        on_it = self.logins.filter(pl.col("anonymous_id") == anonymous_id)
        if on_it.is_empty():
            return [(0, now_ms)]
        starts: list[tuple[int, str]] = []
        for at_ms, owner in on_it.select("occurred_at_ms", "user_id").iter_rows():
            if not starts or starts[-1][1] != owner:
                starts.append((int(at_ms) if starts else 0, str(owner)))
        ends = [at_ms - 1 for at_ms, _ in starts[1:]] + [now_ms]
        return [(at_ms, end) for (at_ms, owner), end in zip(starts, ends, strict=True) if owner == self.user_id]

    def _owned(self, bare: pl.DataFrame) -> pl.Series:
        """Return the row numbers of anonymous rows that are the person's."""
        if bare.is_empty():
            return bare["row"]
        ordered = bare.sort("occurred_at_ms")
        logins = self.logins.select("anonymous_id", "occurred_at_ms", owner="user_id").sort("occurred_at_ms")
        how: dict[str, Any] = {"on": "occurred_at_ms", "by": "anonymous_id", "check_sortedness": False}
        both = ordered.join_asof(logins, strategy="backward", **how).join_asof(
            logins.rename({"owner": "first_owner"}), strategy="forward", **how
        )
        owner = pl.coalesce("owner", "first_owner")
        return both.filter(owner.is_null() | owner.eq_missing(self.user_id))["row"]


def no_logins() -> pl.DataFrame:
    """Return the columns of ``Ownership.logins`` without a row."""
    return pl.DataFrame(schema={"anonymous_id": pl.String, "user_id": pl.String, "occurred_at_ms": pl.Int64})


def logins_in(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return the identified rows of browsers as ``Ownership.logins`` has them: sorted, and only where users change."""
    found = [frame.filter(pl.col("user_id").is_not_null() & pl.col("anonymous_id").is_not_null()) for frame in frames]
    if not found:
        return no_logins()
    ordered = pl.concat(found).select(LOGIN_COLUMNS).sort("occurred_at_ms", "user_id", maintain_order=True)
    user, browser = pl.col("user_id"), "anonymous_id"
    is_edge = user.ne_missing(user.shift(1).over(browser)) | user.ne_missing(user.shift(-1).over(browser))
    return ordered.filter(is_edge)


def browsers_in(frames: Iterable[pl.DataFrame], *, user_id: str, also: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the anonymous ids of the rows that name the user, and ``also``, in that order, each once."""
    found = dict.fromkeys(also)
    for frame in frames:
        mine = frame.filter((pl.col("user_id") == user_id) & pl.col("anonymous_id").is_not_null())
        found |= dict.fromkeys(mine["anonymous_id"].unique(maintain_order=True).to_list())
    return tuple(found)
