"""Whether the tables of the database are those that the code expects; checked before anything is started."""

from __future__ import annotations

from pathlib import Path

from django.apps import apps
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

MAX_NAMED = 3


class DatabaseOutdated(RuntimeError):
    """Its tables were made by another release in a way that ``migrate`` cannot mend; the message says what to do."""


def check_tables() -> None:
    """Compare the columns of all migrated apps with the models; milliseconds.

    ``migrate`` trusts its own table: a migration whose name is there is not run again, though its content may be
    another by now. Then the first query would end in a traceback about a missing column.

    Raises
    ------
    DatabaseOutdated
        Columns are missing, or stand there unknown and without a default.
    """
    settings = connection.settings_dict
    is_file = settings["ENGINE"].endswith("sqlite3")
    if is_file and not Path(settings["NAME"]).exists():
        return  # the first start
    try:
        found = _differences()
    except DatabaseError as error:
        raise DatabaseOutdated(
            f"the database cannot be read: {str(error).strip()}; " + ("see its file" if is_file else "see DATABASE_URL")
        ) from error
    finally:
        connection.close()
    if not found:
        return
    named = "; ".join(found[:MAX_NAMED]) + (f"; and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else "")
    if is_file:
        remedy = (
            f"start afresh: `make clean` removes {Path(settings['NAME']).parent} with the demo's events and models, "
            "then run this command again"
        )
    else:
        remedy = f"point DATABASE_URL to an empty database in place of {settings['NAME']!r}, or empty that one"
    raise DatabaseOutdated(f"the database was made by another release ({named}); {remedy}")


def _differences() -> list[str]:
    """Return what is wrong with each table, in plain words."""
    executor = MigrationExecutor(connection)
    leaves = executor.loader.graph.leaf_nodes()
    waiting = {migration.app_label for migration, _ in executor.migration_plan(leaves)}
    migrated = {label for label, _ in executor.loader.applied_migrations} - waiting
    found: list[str] = []
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        for model in apps.get_models(include_auto_created=True):
            meta = model._meta
            if meta.app_label not in migrated or not meta.managed or meta.proxy:
                continue
            if meta.db_table not in tables:
                found.append(f"table {meta.db_table} is missing")
                continue
            described = connection.introspection.get_table_description(cursor, meta.db_table)
            there = {column.name: column for column in described}
            wanted = {field.column for field in meta.local_concrete_fields if field.column}
            found += [f"column {meta.db_table}.{name} is missing" for name in sorted(wanted - there.keys())]
            found += [
                f"column {meta.db_table}.{name} is not known any more"
                for name in sorted(there.keys() - wanted)
                if not there[name].null_ok and there[name].default is None
            ]
    return found
