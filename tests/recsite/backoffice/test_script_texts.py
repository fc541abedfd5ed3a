"""The catalogue for scripts of the console: in the reader's language, beside Django's own."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from recsite.backoffice.script_texts import TEXTS, counted_texts


def test_scripts_find_their_texts_in_german(admin_client: Client) -> None:
    said = admin_client.get(reverse("admin:jsi18n"), headers={"Accept-Language": "de"}).content.decode()
    for text in ("Copied", "Drop it", "Filter"):  # the last one is Django's
        assert json.dumps(text) in said
    assert "Kopiert" in said
    with override("de"):
        assert counted_texts()["%(n)s value mended"] == ["%(n)s Wert ausgebessert", "%(n)s Werte ausgebessert"]


@pytest.mark.parametrize("text", TEXTS)
def test_no_text_of_a_script_is_there_twice(text: str) -> None:
    assert TEXTS.count(text) == 1
