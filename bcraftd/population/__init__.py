"""A large plausible world, made by COPY: what `manage.py populate` adds.

`goods` says what can be made and sold, `lives` draws what players did (numbers in, rows out), `rows` writes that as
COPY takes it, `world` puts it into the database batch by batch. docs/worlds.md is for who uses it.
"""
