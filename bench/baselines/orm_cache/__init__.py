"""Django REST framework with an automatic ORM cache: django-cachalot keeps every query's rows in Redis."""
