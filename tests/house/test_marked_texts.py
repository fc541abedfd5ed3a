"""Every text of the admin is marked for translation, or counted here: the count may only fall."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import translation

from features.models import Item
from features.segments.rfm import DEFAULT_RULES
from recommendations.models import Experiment, Placement, Rule
from recsite.backoffice import script_texts
from tests.house.marked_texts import unmarked, unmarked_in
from tests.security.test_csp import every_page
from tracking.models import Site
from tracking.staff.roles import ROLES

ROOT = Path(settings.BASE_DIR)
TEMPLATES = ROOT / "templates"
OF_THE_SHOP = ("demo/", "ninja/")
"""The demo's shop is a shop, and speaks one language as its catalogue does; the API's documents are for engineers."""


def test_no_text_of_a_template_is_unmarked() -> None:
    found = {name: texts for name, texts in unmarked_in(TEMPLATES).items() if not name.startswith(OF_THE_SHOP)}
    assert found == {}


@pytest.mark.parametrize(
    ("template", "texts"),
    [
        ('<p>{% translate "Rules" %}</p>', []),
        ("<p>Rules of {{ site }}</p>", ["Rules of"]),
        ("{% blocktranslate count n=2 %}one{% plural %}many{% endblocktranslate %} left", ["left"]),
        ('<a aria-label="Open it" href="{% url "x" %}">→</a>', ["Open it"]),
        ('<span class="material-symbols-outlined" aria-hidden="true">add</span>', []),
        ("{# a note #}<code>manage.py</code><script>let x</script>&nbsp;{{ a }}, {{ b }}", []),
    ],
)
def test_what_is_unmarked_is_found(template: str, texts: list[str]) -> None:
    assert [text.replace("&nbsp;", "").strip(" ,") for text in unmarked(template) if text != "&nbsp;"] == texts


EAGER = {"gettext", "ngettext", "pgettext", "npgettext"}


def eager(path: Path) -> Iterator[str]:
    """Yield the calls by which a module translates while it is loaded: for good, in the language of that moment."""
    module = ast.parse(path.read_text(encoding="utf-8"))
    names = {
        name.asname or name.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom)
        and node.module in ("django.utils.translation", "recommendations.core.words")
        for name in node.names
        if name.name in EAGER
    }

    def calls(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
            defaults = [each for each in node.args.kw_defaults if each is not None]
            inner: list[ast.AST] = [*decorators, *node.args.defaults, *defaults]
        else:
            inner = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield f"{path.name}:{node.lineno}"
        for each in inner:
            yield from calls(each)

    yield from calls(module)


@pytest.mark.slow
def test_nothing_is_translated_while_a_module_is_loaded() -> None:
    modules = [
        path for app in ("tracking", "features", "recommendations", "recsite") for path in (ROOT / app).rglob("*.py")
    ]
    assert [call for path in modules for call in eager(path)] == []


def test_what_is_translated_too_early_is_found(tmp_path: Path) -> None:
    module = tmp_path / "labels.py"
    module.write_text(
        "from django.utils.translation import gettext as _, gettext_lazy\n"
        "A = gettext_lazy('late')\n"
        "class Screen:\n"
        "    title = _('early')\n"
        "    @decorated(_('early'))\n"
        "    def shown(self, text=_('early')):\n"
        "        return _('in time')\n"
    )
    assert list(eager(module)) == ["labels.py:4", "labels.py:5", "labels.py:6"]


@pytest.fixture
def pseudo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put every text that is translated between brackets, whichever way it is asked for."""
    translator: Any = translation._trans  # what every function of translation asks
    monkeypatch.setattr(translator, "gettext", lambda message: f"[{message}]" if message else "", raising=False)
    monkeypatch.setattr(translator, "pgettext", lambda context, message: f"[{message}]", raising=False)
    monkeypatch.setattr(translator, "ngettext", lambda one, many, n: f"[{one if n == 1 else many}]", raising=False)
    monkeypatch.setattr(
        translator, "npgettext", lambda context, one, many, n: f"[{one if n == 1 else many}]", raising=False
    )


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.filterwarnings("ignore:No directory at")
def test_in_a_pseudo_locale_no_english_is_left_on_any_page(pseudo: None) -> None:
    """What stands without brackets then, and is no data, was forgotten."""
    site = Site.objects.create(slug="s1", name="§")
    placement = Placement.objects.create(site=site, name="p1", heading="§")
    rule = Rule.objects.create(site=site, name="§", brands=["§"])
    experiment = Experiment.objects.create(site=site, name="§")
    item = Item.objects.create(site=site, item_id="i1", title="§")
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root"), "django.contrib.auth.backends.ModelBackend")
    pages = [page for page in every_page(client, site) if not page.startswith(OF_OTHERS)]
    for one in (placement, rule, experiment, item):
        pages.append(reverse(f"admin:{one._meta.app_label}_{one._meta.model_name}_change", args=[one.pk]))
    pages += [reverse(f"admin:{name}") for name in SCREENS]
    left = {}
    for page in pages:
        answer = client.get(page)
        assert answer.status_code == 200, page
        found = {text for text in english(answer.content.decode()) if not DATA.fullmatch(text)}
        if found:
            left[page] = sorted(found)
    assert left == {}


class Texts(HTMLParser):
    """Collects the texts of a page: those between tags, and those of attributes that people read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []
        self.text = ""
        self._within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.read += [said[name] or "" for name in READ if name in said]
        is_code = tag in CODE or "material-symbols" in (said.get("class") or "")
        if (self._within or is_code) and tag not in VOID:
            self._within.append(tag)
        self.text += "\n"

    def handle_endtag(self, tag: str) -> None:
        if tag in self._within:
            del self._within[len(self._within) - 1 - self._within[::-1].index(tag) :]
        self.text += "\n"

    def handle_data(self, data: str) -> None:
        self.text += "" if self._within else data


def english(html: str) -> Iterator[str]:
    """Yield the texts of a page that are not between brackets; a sentence in brackets may have tags within it."""
    texts = Texts()
    texts.feed(html[html.index("<body") :])
    for bare in (*texts.read, texts.text):
        while (without := re.sub(r"\[[^\[\]]*\]", " ", bare)) != bare:  # brackets within brackets
            bare = without
        yield from (line.strip() for line in bare.splitlines() if re.search(r"[A-Za-z]{3,}", line))


STATIC = ("recsite/static/recsite", "recommendations/static/recommendations", "tracking/static/tracking")
MARKED_IN_SCRIPTS = re.compile(r"\bn?gettext\(('(?:[^'\\]|\\.)*'(?:, '(?:[^'\\]|\\.)*')?)")
COMMENT_IN_SCRIPTS = re.compile(r"/\*.*?\*/|(?<![:'\w])//[^\n]*", re.S)
LITERAL_IN_SCRIPTS = re.compile(r"'((?:[^'\\\n]|\\.)*)'|\"((?:[^\"\\\n]|\\.)*)\"|`((?:[^`\\]|\\.)*)`")
SENTENCE = re.compile(r"[A-Za-z…]{2,}[ ,.:;]+[a-z]{2,}")
TAGS = r"(?:thead|tbody|tfoot|tr|th|td|li|form|table|fieldset|label|legend|input|textarea|select|flex)"
NO_TEXT = re.compile(
    r"[-\w\[\]\.#=^\"':()/%@>*~, ]*[\[#.=>/][-\w\[\]\.#=^\"':()/%@>*~, ]*"  # selectors, classes and addresses
    r"|[-a-z0-9: ]+:[-a-z0-9: /.;]+|(?:[a-z]+-[-a-z0-9]+ ?)+|\([-a-z]+: [a-z]+\)"
    rf"|{TAGS}(?:,? (?:{TAGS}|[a-z]+-[a-z0-9]+))*"
)
"""What scripts hold that nobody reads."""


def unmarked_in_script(source: str) -> list[str]:
    """Return the sentences of a script that are not marked."""
    bare = MARKED_IN_SCRIPTS.sub("0", COMMENT_IN_SCRIPTS.sub("", source))
    literals = [next(filter(None, found), "") for found in LITERAL_IN_SCRIPTS.findall(bare)]
    texts = [re.sub(r"\$\{[^}]*\}", " ", literal).strip() for literal in literals]
    return [text for text in texts if SENTENCE.search(text) and not NO_TEXT.fullmatch(text)]


def test_what_scripts_write_into_pages_is_marked_and_in_their_catalogue() -> None:
    scripts = [path.read_text() for folder in STATIC for path in sorted((ROOT / folder).glob("*.js"))]
    assert [text for source in scripts for text in unmarked_in_script(source)] == []

    called = {found for source in scripts for found in MARKED_IN_SCRIPTS.findall(source)}
    singular = {ast.literal_eval(found) for found in called if "', '" not in found}
    counted = {ast.literal_eval(f"({found})")[0] for found in called if "', '" in found}
    assert singular == set(script_texts.TEXTS)
    assert counted == set(script_texts.counted_texts())


def test_a_sentence_of_a_script_that_is_not_marked_is_found() -> None:
    assert unmarked_in_script("said.textContent = 'Nothing was found'; // a note of ours") == ["Nothing was found"]
    assert unmarked_in_script("line = `${n} events were left`;") == ["events were left"]
    assert unmarked_in_script("x.textContent = gettext('Nothing was found'); y.className = 'mt-2 text-sm';") == []


SAID = ("title", "detail", "remedy", "seen", "why", "what", "problem", "advice", "text", "note", "message")
SAYING = (
    "features/quality", "recommendations/lint", "recommendations/monitoring/drift.py",
    "recommendations/release/gate.py", "recsite/backoffice", "recommendations/admin", "features/admin",
)  # fmt: skip


def unmarked_arguments(source: str) -> list[str]:
    """Return the sentences that are handed on by name as what somebody reads, and are not marked."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        for argument in node.keywords:
            value = argument.value
            parts = value.values if isinstance(value, ast.JoinedStr) else [value]
            texts = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            text = " ".join(texts)
            if argument.arg in SAID and SENTENCE.search(text):
                found.append(text)
    return found


def test_findings_and_checks_are_marked_wherever_they_are_made() -> None:
    files = [
        path
        for name in SAYING
        for path in ([ROOT / name] if name.endswith(".py") else sorted((ROOT / name).rglob("*.py")))
    ]
    assert len(files) > 40
    left = {str(path.relative_to(ROOT)): found for path in files if (found := unmarked_arguments(path.read_text()))}
    assert left == {}


def test_a_finding_that_is_not_marked_is_found() -> None:
    assert unmarked_arguments("Finding(title='No events came', detail=_('None of them'), level='no matter')") == [
        "No events came"
    ]
    assert unmarked_arguments("Check(seen=f'{n} events were seen')") == [" events were seen"]


READ = ("aria-label", "title", "alt", "placeholder")
CODE = ("script", "style", "template", "code", "pre", "textarea", "kbd", "option")
VOID = ("br", "hr", "img", "input", "link", "meta", "line", "path", "rect", "circle", "polyline")
OF_OTHERS = (
    "/admin/axes/",
    "/admin/otp_totp/",
    "/admin/django_celery_beat/",
    "/admin/oauth2_provider/",
    "/admin/auth/",
)
"""Screens of packages, with their own translations."""
SCREENS = (
    "recommendations_savedview_report", "recommendations_placement_report", "features_item_data_quality",
    "features_item_duplicates",
)  # fmt: skip
SEGMENTS = "|".join(rule.name for rule in DEFAULT_RULES)
DATA = re.compile(
    rf"root|Recsite|English|Deutsch|esc|Filters|EUR [\d.,]+|(?:the .*: )?Error \d+ .*|{SEGMENTS}"
    rf"|\d+ +\d{{4}} \d\d:\d\d UTC|\(UTC\)|GET /\S+|(?:Axes|Django OAuth Toolkit|Otp_Totp) \|.*"
    rf"|{'|'.join(re.escape(role) for role in ROLES)}|Site 's1' has no live publishable key; .*"
)
"""What is no text: names of this test's rows, of the product, of languages in themselves, of segments and roles,
amounts, moments, zones and addresses, what Redis and the Embed page say, models of other packages, and the one word
that Unfold does not mark."""
