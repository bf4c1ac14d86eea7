"""Ingest whose batches a test holds back."""

import pytest

from app.calls.intake.group_commit import Ingest
from tests.calls.intake.held_inserter import HeldInserter


@pytest.fixture
def held(ingest: Ingest) -> HeldInserter:
    inserter = HeldInserter(ingest.inserter)
    ingest.inserter = inserter
    return inserter
