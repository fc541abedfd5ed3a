"""The key that everything kept of a user stands under: the one place that spells and cuts ``u:`` and ``a:``.

A user whom the shop vouches for is ``u:<user id>``; anybody else is ``a:<anonymous id>``, until the two are merged.
"""

from __future__ import annotations

from typing import Final, NewType

UserKey = NewType("UserKey", str)

USER_PREFIX: Final = "u:"
"""For expressions over whole columns; a single key is made by the functions below."""
ANONYMOUS_PREFIX: Final = "a:"


def key_of_user(user_id: str) -> UserKey:
    """Return the key of an identified user.

    >>> key_of_user("42")
    'u:42'
    """
    return UserKey(USER_PREFIX + user_id)


def key_of_anonymous(anonymous_id: str) -> UserKey:
    """Return the key of a user who is known by an anonymous id only.

    >>> key_of_anonymous("0f3c")
    'a:0f3c'
    """
    return UserKey(ANONYMOUS_PREFIX + anonymous_id)


def user_key_of(*, user_id: str | None, anonymous_id: str | None) -> UserKey:
    """Return the key of whom these ids name; the user id counts where there are both."""
    if user_id:
        return key_of_user(user_id)
    if anonymous_id:
        return key_of_anonymous(anonymous_id)
    raise ValueError("an event needs a user_id or an anonymous_id")


def user_id_of(key: str) -> str | None:
    """Return the user id that a key names; None for an anonymous one."""
    return key[len(USER_PREFIX) :] if key.startswith(USER_PREFIX) else None


def anonymous_id_of(key: str) -> str | None:
    """Return the anonymous id that a key names; None for that of an identified user."""
    return key[len(ANONYMOUS_PREFIX) :] if key.startswith(ANONYMOUS_PREFIX) else None
