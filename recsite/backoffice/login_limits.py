"""Guessing passwords: after some failures the next try has to wait, longer with each one.

Failures count by the network that tries (IPv4 /24, IPv6 /64), by the name that is tried, and over the installation, for
a day each. Beyond ``free`` of them, a failure doubles the wait that follows it, up to ``longest_s``. While somebody has
to wait no password is hashed, whatever it is. django-axes beside this locks a name from one address after ten failures.

Names and the installation are there for anybody to fail on, so these two waits are short, and they do not hold up who
comes from a network from which the same name has logged in within ``TRUSTED_S``.
"""

from __future__ import annotations

import hmac
import math
import time
from datetime import timedelta
from typing import Any, Final, NamedTuple

from axes.backends import AxesStandaloneBackend
from axes.models import AccessLog
from django.conf import settings
from django.contrib.auth.signals import user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext as _
from limits.errors import StorageError
from limits.storage import MemoryStorage

from recsite.keys import LOGIN_PREFIX
from tracking.http.quotas import connect_counters
from tracking.http.request import network_of, request_of

DAY_S: Final = 86_400
TRUSTED_S: Final = 30 * DAY_S
MAX_KNOWN: Final = 50
"""Addresses of a name's logins that are looked at, the newest."""


class Limit(NamedTuple):
    """How many failures a day cost nothing, and how long the longest wait is."""

    free: int
    longest_s: int


LIMITS: Final = {"network": Limit(20, 900), "name": Limit(20, 60), "installation": Limit(100, 5)}
OF_ALL: Final = ("name", "installation")


class MustWait(Exception):
    """A login that is not looked at now; ``seconds`` until it may be tried."""

    def __init__(self, seconds: int) -> None:
        super().__init__(_("too many failed logins; wait %(seconds)s s") % {"seconds": seconds})
        self.seconds = seconds


class Failures:
    """Counts in Redis, so that all processes know of them; in this process while Redis is unavailable."""

    def __init__(self) -> None:
        self._shared: Any = None
        self._own = MemoryStorage()

    def wait_s(self, kind: str, who: str) -> int:
        """Return for how long ``who`` has to wait; 0 for not at all."""
        gate = f"gate:{kind}:{who}"

        def read(storage: Any) -> int:
            if not storage.get(gate):
                return 0
            return max(math.ceil(float(storage.get_expiry(gate)) - time.time()), 1)

        return max(self._on_all(read))

    def add(self, kind: str, who: str) -> None:
        """Count a failure, and begin the wait after it."""
        limit = LIMITS[kind]

        def count(storage: Any) -> int:
            n_failed = int(storage.incr(f"failed:{kind}:{who}", DAY_S))
            if n_failed > limit.free:
                doublings = min(n_failed - limit.free - 1, 20)
                storage.clear(f"gate:{kind}:{who}")  # of another failure at the same moment: this one is later
                storage.incr(f"gate:{kind}:{who}", min(2**doublings, limit.longest_s))
            return n_failed

        self._on_all(count)

    def _on_all(self, what: Any) -> list[int]:
        answers = []
        try:
            self._shared = self._shared or connect_counters(settings.REDIS_URL, prefix=LOGIN_PREFIX)
            answers.append(what(self._shared))
        except (StorageError, ConnectionError):
            answers.append(what(self._own))
        else:
            answers.append(0 if not self._own.storage else what(self._own))
        return answers


failures: Final = Failures()


def _digest(text: str) -> str:
    """Return what stands for a name or a network in Redis, which learns neither."""
    return hmac.digest(settings.SECRET_KEY.encode(), text.encode(), "sha256")[:12].hex()


def _who(address: str, name: str) -> dict[str, str]:
    return {
        "network": _digest(f"login network {network_of(address)}"),
        "name": _digest(f"login name {name.casefold()}"),
        "installation": "all",
    }


def _logged_in_from(address: str, name: str) -> bool:
    """Return whether the name has logged in from the network before."""
    since = timezone.now() - timedelta(seconds=TRUSTED_S)
    known = AccessLog.objects.filter(username=name, attempt_time__gte=since).order_by("-attempt_time")
    network = network_of(address)
    return any(network_of(str(one)) == network for one in known.values_list("ip_address", flat=True)[:MAX_KNOWN])


class LoginLimits(AxesStandaloneBackend):  # type: ignore[misc]  # axes ships no type information
    """The first backend that Django asks: it knows nobody, and refuses to go on where somebody has to wait."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **more: Any
    ) -> None:
        """Return None, for the next backend to look.

        Raises
        ------
        MustWait
            There were too many failures; ``LoginWait`` answers 429.
        PermissionDenied
            django-axes has locked the name from this address.
        """
        if request is not None and username is not None:
            address = request_of(request).address
            waits = {kind: failures.wait_s(kind, who) for kind, who in _who(address, username).items()}
            if any(waits[kind] for kind in OF_ALL) and _logged_in_from(address, username):
                waits |= dict.fromkeys(OF_ALL, 0)
            if longest := max(waits.values()):
                raise MustWait(longest)
        super().authenticate(request, username=username, password=password, **more)


@receiver(user_login_failed)
def _count_failure(credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    name = credentials.get("username")
    if request is None or name is None:
        return
    for kind, who in _who(request_of(request).address, str(name)).items():
        failures.add(kind, who)


class LoginWait(MiddlewareMixin):
    """Answers 429 with ``Retry-After`` where a login has to wait."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Return the page that says for how long."""
        if not isinstance(exception, MustWait):
            return None
        page = render(request, "429.html", {"seconds": exception.seconds}, status=429)
        page["Retry-After"] = str(exception.seconds)
        page["Cache-Control"] = "no-store"
        return page
