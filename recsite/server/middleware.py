"""What Django's middleware does differently here."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.urls import reverse
from django.utils import translation
from django.utils.deprecation import MiddlewareMixin
from django.utils.http import urlencode

from recsite.server.metrics import metrics_view
from tracking.http.current import CURRENT, request_id
from tracking.http.request import request_of

CONSOLE: Final = "/admin/"
"""Where pages are in the language of who reads them. All else is the same for everybody: scripts, lists and replies
of the API are cached, and a ``Vary`` would split what caches hold of them."""

METRICS_PATH: Final = "/metrics"


def client_address(request: HttpRequest) -> str:
    """Return the client's address as the outermost proxy that we trust saw it; for django-axes."""
    return request_of(request).address


class MetricsByAddress(MiddlewareMixin):
    """Answer Prometheus before anybody looks at the ``Host``: it asks each process by its address."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        """Answer ``/metrics``; who may read it is decided by token or address, never by the name that was asked."""
        return metrics_view(request) if request.path_info == METRICS_PATH else None


class RequestId(MiddlewareMixin):
    """Give each request an id, the caller's where it is well-formed; it stands in the answer and in log lines."""

    def process_request(self, request: HttpRequest) -> None:
        """Note the request as the one that is being answered."""
        CURRENT.set(request_of(request).id)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Name the id, and forget the request: the thread serves others."""
        if (found := request_id()) is not None:
            response["X-Request-Id"] = found
        CURRENT.set(None)
        return response


class PageLanguage(LocaleMiddleware):
    """Choose the language of the console's pages, and leave scripts, data and the shop alone."""

    def process_request(self, request: HttpRequest) -> None:
        """Choose the language by cookie or ``Accept-Language``; else English, whatever this thread spoke before."""
        if request.path_info.startswith(CONSOLE):
            super().process_request(request)
        else:
            translation.activate(settings.LANGUAGE_CODE)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Say that the answer varies by language, where it does."""
        if request.path_info.startswith(CONSOLE):
            return super().process_response(request, response)
        return response


class SecondFactor(MiddlewareMixin):
    """With ``RECSITE_REQUIRE_SECOND_FACTOR``, send staff who gave only a password to the page for the rest."""

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> HttpResponse | None:
        """Let through who is verified, who is nobody yet, and who is on the way in or out."""
        if not settings.REQUIRE_SECOND_FACTOR or not request.path_info.startswith(reverse("admin:index")):
            return None
        user: Any = request.user  # django-otp adds is_verified
        if not user.is_authenticated or user.is_verified():
            return None
        allowed = {reverse(f"admin:{name}") for name in ("login", "logout", "jsi18n")} | {reverse("second-factor")}
        if request.path_info in allowed:
            return None
        return HttpResponseRedirect(f"{reverse('second-factor')}?{urlencode({'next': request.get_full_path()})}")
