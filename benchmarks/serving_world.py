"""A shop for load tests: items, rules, a model version with a ranker, shoppers' states in Redis; made from a seed.

Run as a process of its own (``python -m benchmarks.serving_world ITEMS SHOPPERS``) with the environment of the servers
that shall serve it; prints the publishable key.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
django.setup()

import lightgbm  # noqa: E402  (Django must be set up before its models are imported)
import numpy as np  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks import model_data  # noqa: E402
from benchmarks.shoppers import shopper  # noqa: E402
from features import keys  # noqa: E402
from features.models import Item  # noqa: E402
from features.state import states  # noqa: E402
from features.store import connections  # noqa: E402
from recommendations.graphs.export import export_model_set  # noqa: E402
from recommendations.graphs.fold_in import Target  # noqa: E402
from recommendations.models import ModelVersion, Placement, Rule  # noqa: E402
from recommendations.ranking.batch import RankingTables  # noqa: E402
from recommendations.ranking.columns import CANDIDATES_PER_SOURCE, COLUMNS, ITEM_COLUMNS  # noqa: E402
from recommendations.ranking.item_features import NO_PRICE  # noqa: E402
from recommendations.state.placements import ensure_default_placements, publish  # noqa: E402
from recommendations.training.fitted import (  # noqa: E402
    DataRange,
    FittedModelSet,
    FusionWeights,
    Neighbours,
    Popularity,
    Ranker,
)
from recommendations.versions.folder import check_integrity  # noqa: E402
from recommendations.versions.lifecycle import version_path  # noqa: E402
from tracking.access.sites import ensure_default_site  # noqa: E402
from tracking.models import Site  # noqa: E402

VERSION = "benchmark"
TREES = 100
SESSIONS = 200_000


def build(n_items: int, n_shoppers: int) -> str:
    """Make everything and return the publishable key."""
    call_command("migrate", verbosity=0)
    site, key = ensure_default_site()
    Site.objects.update(requests_per_minute=0, address_requests_per_minute=0, events_per_minute=0)
    ensure_default_placements(site)
    _items(site, n_items)
    _rules(site)
    _model(site, n_items)
    _shoppers(site, n_items, n_shoppers)
    return key


def _items(site: Site, n_items: int) -> None:
    items = (
        Item(
            site=site,
            item_id=f"sku{number}",
            title=f"Product number {number}",
            brand=f"Brand {number % 300}",
            category=f"Department {number % 12} > Aisle {number % 97} > Bay {number % 997}",
            url=f"https://www.shop.example/p/{number}",
            image_url=f"https://img.shop.example/{number}.jpg",
            price_minor=500 + number * 37 % 20_000,
            currency="EUR",
            stock=None if number % 3 else number % 50,
            tags=["new"] if number % 11 == 0 else [],
        )
        for number in range(1, n_items)
    )
    Item.objects.bulk_create(items, batch_size=2_000)
    # A catalogue of some age: the loader looks again at what changed within a minute of the newest change.
    Item.objects.exclude(item_id="sku1").update(updated_at=timezone.now() - dt.timedelta(hours=1))


def _rules(site: Site) -> None:
    home = Placement.objects.get(site=site, name="home_for_you")
    home.max_per_brand = 3
    home.repeats = Placement.Repeats.HIDE_PURCHASED
    home.save()
    for values in (
        {"name": "Own brand", "action": "boost", "strength": 1.5, "brands": ["Brand 7", "Brand 8"]},
        {"name": "Nothing dear", "action": "exclude", "price_from": 190.0},
        {"name": "Slow movers", "action": "bury", "strength": 2.0, "condition": 'category under "Aisle 13"'},
        {"name": "Campaign", "action": "pin", "items": ["sku77"], "position": 3},
        {"name": "Champions", "action": "boost", "segments": ["champions"], "tags": ["new"]},
    ):
        publish(Rule.objects.create(site=site, **values))


def _model(site: Site, n_items: int) -> None:
    popularity = (1.0 / np.arange(1, n_items + 1)).astype(np.float32)
    popularity[0] = 0
    names = [*(name for name in CANDIDATES_PER_SOURCE if name not in ("sessions", "als", "popularity")), "baskets"]
    tables = tuple(
        model_data.neighbours(n_items=n_items, k=50, seed=seed, name=name) for seed, name in enumerate(names)
    )
    fitted = FittedModelSet(
        item_ids=("", *(f"sku{number}" for number in range(1, n_items))),
        als=model_data.als_factors(n_items=n_items, n_factors=64),
        neighbours=tables,
        # As wide as training makes it for so many items (docs/training.md), or 500 postings alone were 2 GB a million.
        sessions=model_data.session_index(
            n_items=n_items, n_sessions=SESSIONS, m=int(np.clip(200_000_000 // n_items, 50, 500))
        ),
        popularity=Popularity(recent=popularity, all_time=popularity),
        # As training ends on RetailRocket's sessions (docs/training.md): ALS is stored, and fusion has no use for it.
        fusion=FusionWeights(weights={"sessions": 1.0, "tfidf": 0.5, "walk": 1.0, "around": 0.5, "als": 0.0}, k=10.0),
        ranker=_ranker(n_items, next(table for table in tables if table.name == "next")),
        metrics={},
        data_range=DataRange(first_ms=0, last_ms=1, interactions=1, sessions=1, users=1),
    )
    export_model_set(fitted, version_path(site.slug, VERSION), targets=frozenset({Target.CPU}))
    sha256 = check_integrity(version_path(site.slug, VERSION))
    ModelVersion.objects.create(
        site=site, version=VERSION, status=ModelVersion.Status.LIVE, manifest={"sha256": sha256}
    )


def _ranker(n_items: int, following: Neighbours) -> Ranker:
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((4_000, len(COLUMNS))).astype(np.float32)
    labels = (matrix[:, 0] + matrix[:, 3] * matrix[:, 5] > 1).astype(int)
    booster = lightgbm.train(
        {"objective": "lambdarank", "num_leaves": 31, "verbose": -1, "num_threads": 1, "seed": 0},
        lightgbm.Dataset(matrix, labels, group=[50] * 80),
        num_boost_round=TREES,
    )
    vectors = rng.standard_normal((n_items, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0] = 0
    numbers = np.arange(n_items)
    item_features = np.column_stack([np.log(5 + numbers % 200), 1 + numbers % 997, 1 + numbers % 12, 1 + numbers % 300])
    item_features = item_features.astype(np.float32)
    item_features[0] = (NO_PRICE, 0, 0, 0)
    return Ranker(
        booster_text=booster.model_to_string(),
        columns=COLUMNS,
        tables=RankingTables(
            item_columns=rng.random((n_items, len(ITEM_COLUMNS))).astype(np.float32),
            item_facts=item_features,
            item_vectors=vectors,
            next_indices=following.indices,
            next_weights=following.weights,
        ),
    )


def _shoppers(site: Site, n_items: int, n_shoppers: int) -> None:
    rng = np.random.default_rng(1)
    now_ms = int(time.time() * 1000)
    client = connections.client()
    partitions = connections.partitions()
    pipe = client.pipeline(transaction=False)
    for number in range(n_shoppers):
        seen = model_data.popular_items(rng, n_items=n_items, shape=(8,)).tolist()
        session = states.SessionState(newest_ms=now_ms)
        for age, item in enumerate(seen):
            session.recents[f"vsku{item}"] = now_ms - age * 20_000
        profile = states.ProfileState(
            newest_ms=now_ms,
            sessions=[[now_ms - 200_000, now_ms, len(seen)]],
            recents=dict(session.recents),
            bought={f"sku{seen[-1]}": now_ms - 86_400_000},
        )
        user_key = f"a:{shopper(number)}"
        partition = keys.partition_of(site.slug, user_key, partitions)
        pipe.set(keys.session(partition, site.slug, user_key), states.encode(session), ex=3_600)
        pipe.set(keys.profile(partition, site.slug, user_key), states.encode(profile), ex=3_600)
        if number % 1_000 == 999:
            pipe.execute()
    pipe.execute()


if __name__ == "__main__":
    assert settings.DATA_DIR, "the environment names the data folder"
    print(build(int(sys.argv[1]), int(sys.argv[2])))
