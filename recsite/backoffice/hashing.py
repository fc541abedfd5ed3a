"""Password hashes of staff: two at a time, so that a flood of logins leaves memory and cores to the shop."""

from __future__ import annotations

import threading
from typing import Any, Final

from django.contrib.auth.hashers import Argon2PasswordHasher

AT_ONCE: Final = 2
_slots: Final = threading.BoundedSemaphore(AT_ONCE)


class TwoAtATime(Argon2PasswordHasher):
    """Argon2 as Django has it (100 MB and 50 ms a hash); a third login of a process waits for one of two."""

    def encode(self, password: str, salt: str, *args: Any, **kwargs: Any) -> str:
        """Return the hash of a new password."""
        with _slots:
            return super().encode(password, salt, *args, **kwargs)

    def verify(self, password: str, encoded: str) -> bool:
        """Return whether the password is the one of the hash."""
        with _slots:
            return super().verify(password, encoded)
