"""The judge: Microsoft's descriptions of the API, held against every request and every answer."""

from tests.azure_simulator.judge.judge import Judge
from tests.azure_simulator.judge.violation import Violation

__all__ = ["Judge", "Violation"]
