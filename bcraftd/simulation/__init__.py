"""Players that are programs: what `manage.py simulate` lets loose on an API, over HTTP alone.

`habits` decides what one does next and `mirror` what it may see then (numbers in, numbers out); `client` asks until
there is an answer, `bot` goes on until it is told to stop, `tally` counts, `run` starts all of them and shows it.
docs/worlds.md is for who uses it.
"""
