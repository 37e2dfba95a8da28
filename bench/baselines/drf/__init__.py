"""Plain Django REST framework and ORM: a page kept with `cache.get`, the same without a cache, and a purchase."""
