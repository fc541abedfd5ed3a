"""The browser files over HTTP: an address that is always new, and one that never changes."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from tracking.error_codes import ErrorCode
from tracking.sdk.files import SdkFile, current_file, file_of_version

FRESH_S = 300
STALE_S = 86_400
IMMUTABLE_S = 365 * 86_400


@require_safe
def newest(request: HttpRequest, name: str) -> HttpResponse:
    """Answer ``/r/v1/rec.js``: cached five minutes, told apart by ETag afterwards."""
    file = current_file(name)
    if file is None:
        return _missing(name)
    return _answer(request, file, f"public, max-age={FRESH_S}, stale-while-revalidate={STALE_S}")


@require_safe
def immutable(request: HttpRequest, version: str, name: str) -> HttpResponse:
    """Answer ``/r/v1.2.3/rec.js``: the bytes never change, so pages may check their integrity."""
    file = file_of_version(name, version)
    if file is None:
        return _missing(f"v{version}/{name}")
    return _answer(request, file, f"public, max-age={IMMUTABLE_S}, immutable")


def _answer(request: HttpRequest, file: SdkFile, cache_control: str) -> HttpResponse:
    if file.etag in request.headers.get("If-None-Match", "").replace("W/", ""):
        response = HttpResponse(status=304)
    elif "gzip" in request.headers.get("Accept-Encoding", ""):
        response = HttpResponse(file.gzipped, content_type="text/javascript; charset=utf-8")
        response["Content-Encoding"] = "gzip"
    else:
        response = HttpResponse(file.content, content_type="text/javascript; charset=utf-8")
    response["ETag"] = file.etag
    response["Cache-Control"] = cache_control
    response["Access-Control-Allow-Origin"] = "*"  # integrity is checked only on files read with CORS
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    response["Timing-Allow-Origin"] = "*"
    patch_vary_headers(response, ["Accept-Encoding"])
    return response


def _missing(name: str) -> HttpResponse:
    current = current_file("rec.js")
    version = current.version if current else "?"
    message = f"there is no {name}; the newest version is {version}, at /r/v1/rec.js"
    response = JsonResponse({"error": ErrorCode.UNKNOWN_ADDRESS, "message": message, "field": "path"}, status=404)
    response["Access-Control-Allow-Origin"] = "*"
    return response
