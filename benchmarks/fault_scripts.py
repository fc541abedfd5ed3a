"""What ``serve_faults`` has done by a process of its own, with Django set up, as staff would in the admin."""

from __future__ import annotations

from typing import Final

BROKEN_VERSION: Final = """
import shutil
from recommendations.versions.lifecycle import models_topic, version_path
from recommendations.models import ModelVersion
from tracking.models import Site
from tracking.snapshots.snapshot import announce
site = Site.objects.order_by("pk").first()
good = ModelVersion.objects.get(site=site, version="benchmark")
name = "broken-{kind}"
folder = version_path(site.slug, name)
shutil.copytree(version_path(site.slug, good.version), folder)
graph = max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
if "{kind}" == "corrupt":
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 255
    graph.write_bytes(content)
elif "{kind}" == "missing":
    graph.unlink()
manifest = dict(good.manifest or {{}}, sha256="0" * 64) if "{kind}" == "wrong" else good.manifest
ModelVersion.objects.filter(site=site, status=ModelVersion.Status.LIVE).update(status=ModelVersion.Status.RETIRED)
ModelVersion.objects.create(site=site, version=name, status=ModelVersion.Status.LIVE, manifest=manifest)
announce(models_topic(site.slug))
"""
NO_VERSION: Final = """
from recommendations.versions.lifecycle import models_topic
from recommendations.models import ModelVersion
from tracking.snapshots.snapshot import announce
ModelVersion.objects.filter(status=ModelVersion.Status.LIVE).update(status=ModelVersion.Status.RETIRED)
announce(models_topic("default"))
"""
GOOD_VERSION: Final = """
from recommendations.versions.lifecycle import models_topic
from recommendations.models import ModelVersion
from tracking.snapshots.snapshot import announce
ModelVersion.objects.exclude(version="benchmark").delete()
ModelVersion.objects.filter(version="benchmark").update(status=ModelVersion.Status.LIVE)
announce(models_topic("default"))
"""
KEYS: Final = """
import json
from recommendations.models import Placement
from tracking.models import Site
from tracking.access.sites import create_key
site = Site.objects.order_by("pk").first()
site.token_secret = "{secret}"
site.save()
Placement.objects.get_or_create(site=site, name="only_here", defaults={{"strategy": "trending"}})
other, _ = Site.objects.get_or_create(slug="other", defaults={{"name": "Other"}})
print(json.dumps({{"revoked": create_key(site, "pk")[1], "foreign": create_key(other, "sk")[1]}}))
"""
REVOKE: Final = """
import time
from tracking.access import sites
from tracking.models import ApiKey
sites.revoke(ApiKey.objects.get(digest=sites.digest_of("{value}")))
print(time.time())
"""
