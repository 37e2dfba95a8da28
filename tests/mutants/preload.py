"""What every mutant's tests import, imported once, by the process that forks for each of them.

mutmut could collect the tests there instead; but pytest escapes a test's id again each time that it collects in one
process, and then no longer finds what it was told to run.
"""

import django
import hypothesis
import jsonschema
import pytest

django.setup()

from bcraftd import urls  # noqa: E402
from tests import support  # noqa: E402

__all__ = ["django", "hypothesis", "jsonschema", "pytest", "support", "urls"]
