"""Simulated shoppers walk through the running demo shop, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from recsite.demo import setup
from recsite.demo.catalogue import SEED, make_products
from recsite.demo.simulation.personas import personas
from recsite.demo.simulation.shoppers import Market, make_shoppers
from recsite.demo.simulation.storefront import HttpStorefront, NotServed
from recsite.demo.simulation.visits import Crowd, visits
from recsite.demo.source import end_of_history

logger = logging.getLogger(__name__)

MAX_BACKOFF_S: Final = 15.0
NICENESS: Final = 10


class Command(BaseCommand):
    help = (
        "Let simulated shoppers walk through the running demo shop over its own API: they request lists, see, click and"
        " buy, so that the admin's reports have figures. `manage.py up --demo` starts this by itself."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the shop runs")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO and not settings.DEBUG:
            raise CommandError("shoppers are simulated for trying out only; set RECSITE_DEMO=1 to say so")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave)
        os.nice(NICENESS)
        site, key = setup.ensure_site()
        try:
            shop = HttpStorefront(options["url"], site=site.slug, key=key, token_secret=site.token_secret)
        except ValueError as error:
            raise CommandError(str(error)) from error
        connections.close_all()
        products = {product.item_id: product for product in make_products(end=end_of_history(Path(settings.DATA_DIR)))}
        # The personas are played by whoever looks at the demo.
        played = {persona.user_id for persona in personas()}
        shoppers = [shopper for shopper in make_shoppers(seed=SEED) if shopper.user_id not in played]
        coming = visits(shoppers, shop=shop, market=Market(list(products.values())), products=products, chance=Random())
        walk(Crowd(coming, started_s=time.monotonic()))


def walk(crowd: Crowd) -> None:
    """Let the crowd walk without end; while the shop is down, it waits longer and longer."""
    failures = 0
    while True:
        try:
            wait_s = crowd.step(time.monotonic())
            if failures:
                logger.info("demo_shoppers.back after=%d", failures)
            failures = 0
        except NotServed as error:
            log = logger.debug if failures else logger.warning
            log("demo_shoppers.not_served error=%s", error)
            failures += 1
            wait_s = min(MAX_BACKOFF_S, 0.5 * 2 ** min(failures, 10))
        time.sleep(wait_s)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)
