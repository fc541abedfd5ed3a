"""Screens of tracking: sites and how to embed them, keys, what arrives right now, dead letters."""

from tracking.admin.dead_letters import DeadLetterAdmin
from tracking.admin.keys import ApiKeyAdmin
from tracking.admin.servers import ClientCertificateAdmin, OAuthClientAdmin
from tracking.admin.sites import SiteAdmin

__all__ = ["ApiKeyAdmin", "ClientCertificateAdmin", "DeadLetterAdmin", "OAuthClientAdmin", "SiteAdmin"]
