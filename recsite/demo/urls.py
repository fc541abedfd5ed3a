"""Addresses of the demo shop; included at ``/`` when ``RECSITE_DEMO`` is set."""

from __future__ import annotations

from django.urls import path

from recsite.demo import knowledge, views

urlpatterns = [
    path("", views.home, name="shop-home"),
    path("c/<path:path>/", views.category, name="shop-category"),
    path("search/", views.search, name="shop-search"),
    path("p/<str:item_id>/", views.product, name="shop-product"),
    path("cart/", views.cart, name="shop-cart"),
    path("cart/change/", views.change_cart, name="shop-cart-change"),
    path("checkout/", views.checkout, name="shop-checkout"),
    path("checkout/order/", views.place_order, name="shop-order"),
    path("thanks/<str:order>/", views.thanks, name="shop-thanks"),
    path("demo/progress/", views.progress, name="shop-progress"),
    path("demo/shopper/", views.switch_shopper, name="shop-switch"),
    path("demo/knowledge/", knowledge.knowledge, name="shop-knowledge"),
    path("demo/pictures/<str:item_id>.svg", views.item_picture, name="shop-picture"),
    path("demo/drawings/<slug:drawing>/<slug:colour>.svg", views.category_picture, name="shop-drawing"),
]
