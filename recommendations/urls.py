"""The routes of the typed API, for ``recsite/urls.py``; the hot paths stand in ``routing.py``."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path, re_path
from django.views.decorators.csrf import csrf_exempt

from recommendations.http.rest import api, problem
from tracking.error_codes import ErrorCode


def _in_one_shape(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let a wrong method be answered as every other error is."""

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if response.status_code != 405:
            return response
        allowed = response["Allow"]
        refused = problem(
            request,
            405,
            ErrorCode.METHOD_NOT_ALLOWED,
            f"{request.method} is not answered here; use {allowed}",
            "method",
        )
        refused["Allow"] = allowed
        return refused

    return answer


@csrf_exempt
def unknown_address(request: HttpRequest, rest: str) -> HttpResponse:
    """Answer what is no operation of the API."""
    return problem(
        request, 404, ErrorCode.UNKNOWN_ADDRESS, f"/v1/{rest[:100]} is no operation; /v1/docs lists all of them", "path"
    )


_patterns, _app_name, _namespace = api.urls
for _pattern in _patterns:
    if _pattern.callback is not None:
        _pattern.callback = _in_one_shape(_pattern.callback)

urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/", (_patterns, _app_name, _namespace)),
    re_path(r"^v1/(?P<rest>(?s:.*))\Z", unknown_address),  # line breaks, too: no route takes them
]
