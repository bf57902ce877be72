"""The worlds of the lab tests."""

from tests.lab.conftest import *  # noqa: F403
