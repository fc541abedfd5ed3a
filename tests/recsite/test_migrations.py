"""Versions N-1 and N run side by side during an upgrade: what a migration may do, and that none is ever edited.

Expand, migrate, contract: a version adds what it needs in a form that the version before can live beside; a later one
removes what nobody uses any more. Exceptions stand with their reason in ``migrations.toml``: those need all processes
stopped, and the changelog says so.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

ROOT = Path(__file__).resolve().parents[2]
OURS = ("tracking", "features", "recommendations", "recsite")
FILE = Path(__file__).with_name("migrations.toml")
LISTED = tomllib.loads(FILE.read_text(encoding="utf-8"))


def problems(operations: Sequence[Operation], app: str, state: ProjectState) -> Iterator[str]:
    """Yield what in a migration the version before cannot live beside, or cannot be rolled back."""
    made: set[str] = set()
    for operation in operations:
        name = str(getattr(operation, "model_name", getattr(operation, "name", ""))).lower()
        if isinstance(operation, migrations.CreateModel):
            made.add(operation.name.lower())
        elif name not in made:
            problem = _problem(operation, app, state)
            if problem:
                yield f"{operation.describe()}: {problem}"
        if not isinstance(operation, migrations.RunPython | migrations.RunSQL):
            operation.state_forwards(app, state)


def _problem(operation: Operation, app: str, state: ProjectState) -> str | None:
    match operation:
        case migrations.AddField(field=field):
            if not (field.null or field.many_to_many or field.has_db_default()):
                return "the version before inserts rows without it; give it null=True or db_default"
        case migrations.AlterField(model_name=model, name=name, field=field):
            before = state.models[app, model.lower()].fields[name]
            if before.null and not field.null:
                return "the version before still writes NULL; fill and wait a version"
            if (field.max_length or 0) < (before.max_length or 0):
                return "the version before still writes longer texts"
        case migrations.RemoveField() | migrations.DeleteModel():
            return "the version before still reads it; remove it a version after nobody does"
        case migrations.RenameField() | migrations.RenameModel() | migrations.AlterModelTable():
            return "the version before knows the old name; add the new one and copy; remove the old one a version later"
        case AddIndexConcurrently():
            return None
        case migrations.AddIndex():
            return "it locks the table against writes; use AddIndexConcurrently"
        case migrations.AddConstraint() | migrations.AlterUniqueTogether():
            return "the version before may write what it refuses; add it a version after the code keeps to it"
        case migrations.RunPython(reverse_code=None) | migrations.RunSQL(reverse_sql=None):
            return "it cannot be rolled back; give it a reverse, or noop where nothing has to be undone"
    return None


def all_of_ours() -> Iterator[tuple[str, migrations.Migration, MigrationLoader]]:
    loader = MigrationLoader(None)
    for (app, name), migration in sorted(loader.disk_migrations.items()):
        if app in OURS:
            yield f"{app}.{name}", migration, loader


def test_every_migration_can_be_applied_while_the_version_before_runs() -> None:
    found: dict[str, list[str]] = {}
    for label, migration, loader in all_of_ours():
        before = loader.project_state([(migration.app_label, migration.name)], at_end=False)
        if wrong := list(problems(migration.operations, migration.app_label, before)):
            found[label] = wrong
    listed = LISTED["needs_a_stop"]
    unlisted = {label: wrong for label, wrong in found.items() if label not in listed}
    assert not unlisted, f"mend these, or list them with a reason in {FILE.name}: {unlisted}"
    assert set(listed) <= set(found), f"{FILE.name} lists migrations that need no stop: {set(listed) - set(found)}"


def test_no_migration_that_was_released_is_edited() -> None:
    for label, digest in LISTED["released"].items():
        app, _, name = label.partition(".")
        path = Path(apps.get_app_config(app).path) / "migrations" / f"{name}.py"
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest, (
            f"{label} was edited: who has it applied already would never get the change; add a migration instead"
        )


class Text(models.CharField):  # type: ignore[type-arg]
    """A text of ten."""

    def __init__(self, **more: object) -> None:
        super().__init__(**{"max_length": 10, **more})


def _noop(apps: object, editor: object) -> None: ...


Make = Callable[[], Operation]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: migrations.AddField("shop", "note", Text()), "inserts rows without it"),
        (lambda: migrations.AddField("shop", "note", Text(default="")), "inserts rows without it"),
        (lambda: migrations.AddField("shop", "note", Text(db_default="")), None),
        (lambda: migrations.AddField("shop", "note", Text(null=True)), None),
        (lambda: migrations.AlterField("shop", "name", Text()), "still writes NULL"),
        (lambda: migrations.AlterField("shop", "name", Text(null=True, max_length=5)), "longer texts"),
        (lambda: migrations.AlterField("shop", "name", Text(null=True, max_length=50)), None),
        (lambda: migrations.RemoveField("shop", "name"), "still reads it"),
        (lambda: migrations.DeleteModel("Shop"), "still reads it"),
        (lambda: migrations.RenameField("shop", "name", "title"), "knows the old name"),
        (lambda: migrations.RenameModel("Shop", "Store"), "knows the old name"),
        (lambda: migrations.AddIndex("shop", models.Index(fields=["name"], name="shop_name")), "locks the table"),
        (lambda: AddIndexConcurrently("shop", models.Index(fields=["name"], name="shop_name")), None),
        (
            lambda: migrations.AddConstraint("shop", models.UniqueConstraint(fields=["name"], name="one_name")),
            "may write what it refuses",
        ),
        (lambda: migrations.RunPython(_noop), "cannot be rolled back"),
        (lambda: migrations.RunPython(_noop, migrations.RunPython.noop), None),
        (lambda: migrations.RunSQL("SELECT 1"), "cannot be rolled back"),
        (lambda: migrations.CreateModel("Other", [("id", models.BigAutoField(primary_key=True))]), None),
    ],
)  # fmt: skip
def test_what_the_linter_says(make: Make, says: str | None) -> None:
    state = ProjectState()
    fields = [("id", models.BigAutoField(primary_key=True)), ("name", Text(null=True))]
    migrations.CreateModel("Shop", fields).state_forwards("recsite", state)
    found = list(problems([make()], "recsite", state))
    assert (says is None and not found) or (says is not None and len(found) == 1 and says in found[0])
