"""What can go wrong while recommending; the class says what the caller can do about it."""

from __future__ import annotations

from enum import StrEnum


class RecommendationError(Exception):
    """Base of every error of this app."""


class InvalidQuery(RecommendationError):
    """The caller asked for something that cannot be answered; asking again will not help.

    Attributes
    ----------
    field : str
        The field of the query that is wrong.
    """

    def __init__(self, *, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class FilterTooExpensive(InvalidQuery):
    """The conditions of a request would cost more to evaluate than its key may spend; simpler ones will do."""


class ModelUnavailable(RecommendationError):
    """No session could be created, on GPU or CPU; serve a fallback and keep the last good version."""


class OwnModelRefused(RecommendationError):
    """A shop's own model does not keep the contract; the message names the file, what is wrong and the remedy."""


class EncoderRefused(RecommendationError):
    """The folder of an encoder does not hold one that we can run; the message names file, cause and remedy."""


class ExportFailed(RecommendationError):
    """A fitted model set cannot become graphs; the fit has to change, nothing was written."""


class RefusalReason(StrEnum):
    """Why a model version may not go live; used as a metric label and shown in the admin."""

    MISSING = "missing"
    MALFORMED_MANIFEST = "malformed_manifest"
    SCHEMA = "schema"
    UNEXPECTED_FILE = "unexpected_file"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    SWAPPED = "swapped"
    TOO_LARGE = "too_large"
    EXTERNAL_DATA = "external_data"
    CUSTOM_OPERATOR = "custom_operator"
    WRONG_ANSWERS = "wrong_answers"
    CHECK_FAILED = "check_failed"


class VersionRefused(RecommendationError):
    """A version folder is not what its manifest says, or holds what we do not run; the live version stays.

    Attributes
    ----------
    reason : RefusalReason
    """

    def __init__(self, reason: RefusalReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
