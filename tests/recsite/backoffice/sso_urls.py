"""The project's addresses as they are with a provider set."""

from django.urls import include, path

from recsite.urls import urlpatterns as usual

urlpatterns = [path("admin/sso/", include("mozilla_django_oidc.urls")), *usual]
